"""`seq2seq transcribe --follow`: recordings that land in, the transcript of each in a folder of its own, out.

The model is loaded once and stays loaded, until another one stands in its folder.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from pydantic import Field

from pipelines.commands import transcribe
from pipelines.commands.call import Call
from pipelines.commands.follow.answering import AnswerKeys, answer_what_lands, refuse_engines, without_follow
from pipelines.commands.transcribe import TranscribeConfig
from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.inference.commit import find_finished
from seq2seq_core.inference.manifest import Transcription
from seq2seq_core.inference.speech.closing import close_output, transcripts_of
from seq2seq_core.inference.speech.examining import examine
from seq2seq_core.inference.speech.inputs import SUFFIXES
from seq2seq_core.inference.speech.job import TranscriptionJob
from seq2seq_core.inference.speech.opening import open_output
from seq2seq_core.inference.speech.work import Done, Ear, work
from seq2seq_core.inference.speech.writing import write
from seq2seq_core.landing.terms import Landed


class FollowTranscribeConfig(TranscribeConfig, AnswerKeys):
    """What `seq2seq transcribe --follow` watches."""

    unit_seconds: int = Field(
        120,
        ge=10,
        le=86_400,
        description="about so much audio is recognised and committed together; behind it an interactive recording is "
        "seen",
    )


def main(call: Call) -> int:
    """Follow the landing zones of recordings."""
    run(call.load(FollowTranscribeConfig), call.beam_options())
    return 0


def run(config: FollowTranscribeConfig, beam_arguments: Sequence[str] = ()) -> None:
    """Transcribe what lands, until it is stopped or idle for long.

    Raises:
        ClaimError: Another process follows into the folder.
        Seq2SeqError: There is no model that hears, or the zones cannot be read.
    """
    refuse_engines(beam_arguments, "transcribe")
    transcribe.provenance_of(config)  # what is wrong with the model is told before anything has landed
    answer_what_lands(config, "transcription", Transcribing(config).begin)


class Transcribing:
    """Transcribes one file after the other with the model that stands in its folder by then."""

    def __init__(self, config: FollowTranscribeConfig) -> None:
        self._config = without_follow(config, TranscribeConfig)
        self._zones = (config.interactive, config.input)

    def begin(self, landed: Landed, root: str) -> Iterator[Transcription | None]:
        """See `desk.Begin`; the errors are those of `transcribe.make_job` and `answer`."""
        self._refuse_other(landed)
        job = transcribe.make_job(self._config.model_copy(update={"input": landed.urls, "output": root}))
        yield from answer(job)

    def _refuse_other(self, landed: Landed) -> None:
        """Raise an InputError for what is no audio by its name, where a folder is the zone, and names nothing."""
        suffix = posixpath.splitext(landed.below)[1].lower()
        folders = [pattern for pattern in self._zones[landed.zone] if storage.is_folder(pattern)]
        if suffix not in SUFFIXES and any(storage.is_within(landed.urls[0], folder) for folder in folders):
            raise InputError(
                "no audio by its name",
                where=storage.redact(landed.urls[0]),
                found=repr(suffix),
                expected=", ".join(sorted(SUFFIXES)),
                advice="Name the files by a glob: then they are read whatever they end in.",
            )


def answer(job: TranscriptionJob) -> Iterator[Transcription | None]:
    """Transcribe the recordings of a job; None after each unit but the last thing, which is the manifest.

    The model stays loaded in this process from one job to the next. What a killed run has heard is not heard again.

    Raises:
        InputError: A recording has changed meanwhile; or it cannot be read, and that is to end the run.
        ForeignFileError: A file that is not ours stands where an output would go.
        ModelError: The model is not the one of the job.
        Seq2SeqError: The engine fails, whatever it is given.
    """
    ear = Ear(job.transcriber, job.provenance.model.digest)
    recordings = [examine(file, job.unit_seconds) for file in job.files]
    done = []
    for unit in open_output(job, recordings):
        entry = find_finished(job.output, unit)
        done.append(work(ear, job.output, unit) if entry is None else Done(entry))
        yield None
    written = [write(job.output, some, job.on_error) for some in transcripts_of(job, recordings, done)]
    yield close_output(job, recordings, done, written)
