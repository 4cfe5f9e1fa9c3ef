"""What a translation does, as its workers are given it: which documents, how they are cut, translated and written."""

from __future__ import annotations

import json
from dataclasses import dataclass

from seq2seq_core import storage
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.ranges import InputFile, UnitSize
from seq2seq_core.errors import IncompleteError
from seq2seq_core.inference.commit import OnError
from seq2seq_core.inference.folder import FAILURE_FOLDER
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
        retries: Whether records that failed before are done again.
        most_failed: Share of all records that may fail.
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
    retries: bool = False
    most_failed: float = 1.0

    @property
    def retried(self) -> str | None:
        """The output folder, where failures are done again."""
        return self.output if self.retries else None

    @property
    def fingerprint(self) -> str:
        """Names what runs have in common that may share an output folder: the model, the options and the inputs."""
        inputs = sorted([storage.identity(file.url), file.format] for file in self.files)
        return storage.digest_bytes(json.dumps([self.provenance.fingerprint, inputs]).encode())


def check_failures(job: TranslationJob, failed: int, records: int) -> None:
    """End a run of so many records, of which so many have failed by now.

    Raises:
        IncompleteError: These are too many.
    """
    if failed > job.most_failed * records:
        raise IncompleteError(
            f"{failed:,} of {records:,} records have failed by now",
            where=storage.redact(job.output),
            expected=f"at most {job.most_failed:.2%}",
            advice=f"See {storage.redact(storage.join(job.output, FAILURE_FOLDER))} for the reasons. Then run again "
            "with --retry_failures, or allow more (--max_failed_share).",
        )
