"""What a transcription does, as its workers are given it: which recordings, how they are cut, heard and written."""

from __future__ import annotations

import json
from dataclasses import dataclass

from seq2seq_core import storage
from seq2seq_core.inference.commit import OnError
from seq2seq_core.inference.manifest import Provenance
from seq2seq_core.inference.speech.config import TranscriberConfig
from seq2seq_core.inference.speech.terms import AudioFile


@dataclass(frozen=True)
class TranscriptionJob:
    """All of a transcription but the work.

    Attributes:
        output: The output folder.
        files: What is transcribed.
        formats: Of the transcripts.
        unit_seconds: About so much is recognised and committed together.
        on_error: What a recording does that cannot be transcribed.
        transcriber: The model, and how it is used.
        provenance: What the manifest tells of both.
    """

    output: str
    files: tuple[AudioFile, ...]
    formats: tuple[str, ...]
    unit_seconds: int
    on_error: OnError
    transcriber: TranscriberConfig
    provenance: Provenance

    @property
    def fingerprint(self) -> str:
        """Names what runs have in common that may share an output folder: the model, the options and the inputs."""
        inputs = sorted(storage.identity(file.url) for file in self.files)
        values = [self.provenance.fingerprint, self.formats, self.unit_seconds, inputs]
        return storage.digest_bytes(json.dumps(values).encode())
