"""The Beam graph of a transcription: recordings in, finished transcripts and the manifest of their folder out.

Workers hand each other descriptions (recordings, units, entries of finished ones); samples are read, recognised and
committed within one step of the same worker. What was heard stands on storage before any transcript is written of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import apache_beam as beam

from pipelines.graphs import failures, options
from pipelines.graphs.hints import model_hints
from pipelines.graphs.units import ForEach, SkipFinished, Together, engine_for, skipped
from pipelines.local.watch import watching
from pipelines.local.workers import Workers
from seq2seq_core.claims import held
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.manifest import Transcription, load_transcription
from seq2seq_core.inference.speech.closing import close_output, transcripts_of
from seq2seq_core.inference.speech.examining import examine
from seq2seq_core.inference.speech.job import TranscriptionJob
from seq2seq_core.inference.speech.opening import open_output
from seq2seq_core.inference.speech.terms import AudioFile, Recording, SpeechUnit, Transcript
from seq2seq_core.inference.speech.work import Done, Ear, work
from seq2seq_core.inference.speech.writing import Written, write
from seq2seq_core.inference.watch import UnitWatch, forget_units

Transcripts = tuple[Transcript, ...]
"""Those that are written together."""


def build(
    root: beam.Pipeline, job: TranscriptionJob, workers: Workers | None = None
) -> beam.PCollection[Transcription]:
    """The graph, unrun.

    Args:
        root: Where the graph begins.
        job: What to do.
        workers: Who does what takes long, on this machine; None: the workers of the engine.
    """
    ear = Ear(job.transcriber, job.provenance.model.digest)
    files = root | "List inputs" >> beam.Create(job.files, reshuffle=False).with_output_types(AudioFile)
    recordings = files | "Look at inputs" >> ForEach(_examine, job.unit_seconds, kind=Recording, workers=workers)
    units = recordings | "Open output" >> Together(open_output, job, kind=SpeechUnit)
    to_do, finished = units | "Skip finished" >> SkipFinished(job.output)
    recognise = ForEach(work, ear, job.output, kind=Done, workers=workers)
    heard = to_do | "Recognise" >> recognise.with_resource_hints(**model_hints(root.options))
    before = finished | "Tell" >> beam.Map(_done_before).with_output_types(Done)
    done = [before, heard]  # not flattened: Beam's Flink runner loses count of who makes such a collection
    transcripts = recordings | "Make transcripts" >> Together(_list, job, kind=Transcripts, others=done)
    written = transcripts | "Write" >> ForEach(_write, job.output, job.on_error, kind=Written, workers=workers)
    return recordings | "Close output" >> Together(_close, job, kind=Transcription, others=[*done, written])


def run(
    job: TranscriptionJob, workers: Workers | None = None, beam_arguments: Sequence[str] = ()
) -> tuple[Transcription, int]:
    """Run it, alone in the folder; the manifest, and the number of units that were finished before.

    Raises:
        ClaimError: Another transcription is at work in the output folder.
        Seq2SeqError: See `seq2seq_core.errors` for what workers meet.
    """
    pipeline = beam.Pipeline(options=options.parse(beam_arguments))
    if workers is None:
        engine = engine_for(job.transcriber.engine, pipeline.options)
        job = dataclasses.replace(job, transcriber=job.transcriber.model_copy(update={"engine": engine}))
    build(pipeline, job, workers)
    with held(job.output, job.fingerprint, "transcription") as claim:
        forget_units(job.output)
        with watching(UnitWatch(job.output, "audio seconds"), claim.tell):
            result = failures.run(pipeline)
        claim.check()
        output = load_transcription(job.output)
    return output, skipped(result)


def _examine(unit_seconds: int, file: AudioFile) -> Recording:
    return examine(file, unit_seconds)


def _done_before(entry: UnitEntry) -> Done:
    return Done(entry)


def _write(root: str, on_error: str, transcripts: Sequence[Transcript]) -> Written:
    return write(root, transcripts, "fail" if on_error == "fail" else "keep")


def _list(
    job: TranscriptionJob, recordings: list[Recording], before: list[Done], heard: list[Done]
) -> list[Transcripts]:
    return transcripts_of(job, recordings, [*before, *heard])


def _close(
    job: TranscriptionJob, recordings: list[Recording], before: list[Done], heard: list[Done], written: list[Written]
) -> list[Transcription]:
    return [close_output(job, recordings, [*before, *heard], written)]
