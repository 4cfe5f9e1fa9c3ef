"""Recordings in, their transcripts in a folder of their own out, a unit at a time: what follows landing zones does.

The folder is what a transcription of these recordings alone makes; `output.json` is written last. What a killed run
has heard is not heard again.
"""

from __future__ import annotations

from collections.abc import Iterator

from seq2seq_core.inference.commit import find_finished
from seq2seq_core.inference.manifest import Transcription
from seq2seq_core.inference.speech.closing import close_output, transcripts_of
from seq2seq_core.inference.speech.examining import examine
from seq2seq_core.inference.speech.job import TranscriptionJob
from seq2seq_core.inference.speech.opening import open_output
from seq2seq_core.inference.speech.work import Done, Ear, work
from seq2seq_core.inference.speech.writing import write


def answer(job: TranscriptionJob) -> Iterator[Transcription | None]:
    """Transcribe the recordings of a job; None after each unit but the last thing, which is the manifest.

    The model stays loaded in this process from one job to the next.

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
