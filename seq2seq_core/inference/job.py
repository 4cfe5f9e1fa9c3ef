"""What a translation does, as its workers are given it: which documents, how they are cut, translated and written."""

from __future__ import annotations

import json
from dataclasses import dataclass

from seq2seq_core import storage
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.ranges import InputFile, UnitSize
from seq2seq_core.inference.commit import OnError
from seq2seq_core.inference.manifest import Provenance
from seq2seq_core.inference.translator_config import TranslatorConfig


@dataclass(frozen=True)
class TranslationJob:
    """All of a translation but the work.

    Attributes:
        output: The output folder.
        files: What is translated.
        size: Where inputs are cut into units.
        fields: Which fields are read and added.
        on_error: What a record does that cannot be translated.
        translator: The model, and how it is used.
        provenance: What the manifest tells of both.
    """

    output: str
    files: tuple[InputFile, ...]
    size: UnitSize
    fields: Fields
    on_error: OnError
    translator: TranslatorConfig
    provenance: Provenance

    @property
    def fingerprint(self) -> str:
        """Names what runs have in common that may share an output folder: the model, the options and the inputs."""
        inputs = sorted([storage.identity(file.url), file.format] for file in self.files)
        return storage.digest_bytes(json.dumps([self.provenance.fingerprint, inputs]).encode())
