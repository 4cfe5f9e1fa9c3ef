"""What was heard and written in, the manifest of the output folder out: published last, when nothing is missing."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Sequence

from seq2seq_core.errors import DatasetError
from seq2seq_core.inference.belongings import stem_of, sweep
from seq2seq_core.inference.closing import confirm, matched
from seq2seq_core.inference.manifest import (
    Measured,
    TranscribedInput,
    Transcription,
    load_transcription,
    publish_output,
)
from seq2seq_core.inference.opening import fingerprint
from seq2seq_core.inference.speech.gathering import TOGETHER_NAME, Gathered
from seq2seq_core.inference.speech.job import TranscriptionJob
from seq2seq_core.inference.speech.opening import gathered
from seq2seq_core.inference.speech.terms import HEARD_FOLDER, Recording, Transcript
from seq2seq_core.inference.speech.work import Done
from seq2seq_core.inference.speech.writing import Written, side_by_side
from seq2seq_core.inference.transcripts.table import FORMATS

_DIGITS = 3


def transcripts_of(
    job: TranscriptionJob, recordings: Sequence[Recording], done: Sequence[Done]
) -> list[tuple[Transcript, ...]]:
    """The transcripts that can be written now that all has been heard; what is written together.

    Raises:
        IncompleteError: A unit is missing, or is not what was planned.
    """
    found = gathered(job, recordings)
    matched(found.units, [one.entry for one in done])
    return side_by_side(found.transcripts)


def close_output(
    job: TranscriptionJob, recordings: Sequence[Recording], done: Sequence[Done], written: Sequence[Written]
) -> Transcription:
    """Publish the manifest, and remove what is no part of it; see `closing.matched` and `confirm` for the errors."""
    found = gathered(job, recordings)
    output = _manifest(job, found, done, written)
    confirm(job.output, output)
    publish_output(job.output, output)
    names = {recording.file.name for recording in recordings}
    sweep(job.output, _is_of(names), {entry.path for entry in output.outputs} | found.units.keys())
    return output


def _manifest(
    job: TranscriptionJob, found: Gathered, done: Sequence[Done], written: Sequence[Written]
) -> Transcription:
    entries = matched(
        {transcript.path: transcript for transcript in found.transcripts},
        [entry for one in written for entry in one.entries],
    )
    inputs = _merged([entry for one in written for entry in one.inputs])
    planned = fingerprint(found.transcripts)
    return Transcription(
        fingerprint=planned,
        model=job.provenance.model,
        records_in=len(job.files),
        records_out=len(inputs),
        failed=sum(entry.failed for entry in inputs),
        cut=sum(entry.cut for entry in inputs),
        looping=sum(entry.looping for entry in inputs),
        audio_seconds=round(sum(entry.seconds for entry in inputs), _DIGITS),
        speech_seconds=round(sum(entry.speech for entry in inputs), _DIGITS),
        measured=_measured(done) or _measured_before(job.output, planned),
        inputs=tuple(inputs),
        outputs=tuple(entries[transcript.path] for transcript in found.transcripts),
        configuration=job.provenance.configuration,
        software=job.provenance.software,
    )


def _merged(inputs: Sequence[TranscribedInput]) -> list[TranscribedInput]:
    """One entry a recording, in order: what its transcripts in several formats tell is the same but for their names."""
    found: dict[str, TranscribedInput] = {}
    for entry in sorted(inputs, key=lambda entry: (entry.url, entry.outputs)):
        outputs = (*found[entry.url].outputs, *entry.outputs) if entry.url in found else entry.outputs
        found[entry.url] = entry.model_copy(update={"outputs": outputs})
    return list(found.values())


def _measured(done: Sequence[Done]) -> Measured | None:
    audio, seconds = sum(one.audio_seconds for one in done), sum(one.seconds for one in done)
    if not audio:
        return None
    return Measured(
        audio_seconds=round(audio, _DIGITS), seconds=round(seconds, _DIGITS), real_time_factor=round(seconds / audio, 5)
    )


def _measured_before(root: str, planned: str) -> Measured | None:
    """Of a run that found all of it heard already: what the run before it has measured."""
    try:
        before = load_transcription(root)
    except DatasetError:
        return None
    return before.measured if before.fingerprint == planned else None


def _is_of(names: Collection[str]) -> Callable[[str], bool]:
    """Whether an output of ours belongs to recordings of these names, in whatever format."""
    suffixes = {form.suffix for form in FORMATS.values()}
    together = {(TOGETHER_NAME, suffix) for suffix in suffixes}

    def is_of_these(path: str) -> bool:
        stem, suffix = posixpath.splitext(path)
        if path.startswith(f"{HEARD_FOLDER}/") or stem_of(path) in together:
            return True
        return suffix in suffixes and stem in names

    return is_of_these
