"""Recordings in, units of work out; what can be seen to be wrong is an error here, before any work starts."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.errors import InputError
from seq2seq_core.inference.belongings import take_places
from seq2seq_core.inference.commit import Committable
from seq2seq_core.inference.opening import announce, fingerprint, withdraw
from seq2seq_core.inference.speech.gathering import Gathered, gather
from seq2seq_core.inference.speech.job import TranscriptionJob
from seq2seq_core.inference.speech.terms import Recording, SpeechUnit


def gathered(job: TranscriptionJob, recordings: Sequence[Recording]) -> Gathered:
    """All of the work, whatever order the recordings come in."""
    return gather(recordings, job.formats, job.provenance.fingerprint, job.unit_seconds)


def open_output(job: TranscriptionJob, recordings: Sequence[Recording]) -> list[SpeechUnit]:
    """The units of all recordings, their list published for who watches the work, another run's manifest gone.

    Raises:
        InputError: A recording cannot be read, and `on_error` says that this ends the run.
        DatasetError: A file that is not ours stands where an output would go.
    """
    _refuse_failed(job, recordings)
    found = gathered(job, recordings)
    outputs: list[Committable] = [*found.transcripts, *found.units.values()]
    take_places(job.output, outputs)
    withdraw(job.output, fingerprint(found.transcripts))
    announce(job.output, [(unit, round(unit.seconds)) for unit in found.units.values()])
    return list(found.units.values())


def _refuse_failed(job: TranscriptionJob, recordings: Sequence[Recording]) -> None:
    failed = [recording for recording in recordings if recording.problem is not None]
    if failed and job.on_error == "fail":
        first = min(failed, key=lambda recording: recording.file.name)
        raise InputError(
            "a recording cannot be transcribed",
            where=first.file.where,
            found=first.problem,
            advice="Repair it, or keep its place and go on (--on_error keep).",
        )
