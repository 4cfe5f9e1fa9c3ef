"""A folder of transcripts in, what it tells of its job out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from seq2seq_core import kinds
from seq2seq_core.claims import Note
from seq2seq_core.inference.manifest import load_transcription
from seq2seq_core.report.status.terms import Fact, Job
from seq2seq_core.report.status.units import look_at_units


def look_at_transcription(path: str, notes: Mapping[str, Sequence[Note]]) -> Job:
    """See `terms.Look`."""
    job = look_at_units(path, notes, "transcription", "audio seconds")
    return (
        dataclasses.replace(job, facts={**job.facts, **_of_audio(path)})
        if job.is_finished and kinds.follows(path) is None
        else job
    )


def _of_audio(path: str) -> dict[str, Fact]:
    output = load_transcription(path)
    speed = {"real-time factor": output.measured.real_time_factor} if output.measured else {}
    return {"audio seconds": output.audio_seconds, **speed}
