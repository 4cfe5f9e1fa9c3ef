"""The Beam graph of a transcription: recordings in, finished transcripts and the manifest of their folder out.

Workers hand each other descriptions (recordings, units, entries of finished ones); samples are read, recognised and
committed within one step of the same worker. What was heard stands on storage before any transcript is written of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import apache_beam as beam

from pipelines.graphs import failures, options
from pipelines.graphs.units import ForEach, SkipFinished, engine_for, skipped
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
    to_do, finished = recordings | "Open output" >> _OpenOutput(job) | "Skip finished" >> SkipFinished(job.output)
    heard = to_do | "Recognise" >> ForEach(work, ear, job.output, kind=Done, workers=workers)
    before = finished | "Tell" >> beam.Map(_done_before).with_output_types(Done)
    done = (before, heard) | "All units" >> beam.Flatten() | "Hold units" >> beam.Reshuffle()
    transcripts = done | "Make transcripts" >> _MakeTranscripts(job, recordings)
    written = transcripts | "Write" >> ForEach(_write, job.output, job.on_error, kind=Written, workers=workers)
    return written | "Close output" >> _CloseOutput(job, recordings, done)


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
        with watching(UnitWatch(job.output, "audio seconds")):
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


class _OpenOutput(beam.PTransform):  # type: ignore[misc]
    """PCollection[Recording] -> PCollection[SpeechUnit], when every recording has been looked at."""

    def __init__(self, job: TranscriptionJob) -> None:
        super().__init__()
        self._job = job

    def expand(self, recordings: beam.PCollection[Recording]) -> beam.PCollection[SpeechUnit]:
        return (
            recordings
            | "Gather recordings" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "Open" >> beam.FlatMap(self._open).with_output_types(SpeechUnit)
            | "Hold plan" >> beam.Reshuffle()
        )

    def _open(self, recordings: list[Recording]) -> list[SpeechUnit]:
        return open_output(self._job, recordings)


class _MakeTranscripts(beam.PTransform):  # type: ignore[misc]
    """PCollection[Done] -> PCollection[tuple of Transcript], when every unit has been recognised."""

    def __init__(self, job: TranscriptionJob, recordings: beam.PCollection[Recording]) -> None:
        super().__init__()
        self._job, self._recordings = job, recordings

    def expand(self, done: beam.PCollection[Done]) -> beam.PCollection[tuple[Transcript, ...]]:
        recordings = beam.pvalue.AsList(self._recordings)
        return (
            done
            | "Gather units" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "List" >> beam.FlatMap(_list, self._job, recordings).with_output_types(tuple[Transcript, ...])
        )


def _list(done: list[Done], job: TranscriptionJob, recordings: list[Recording]) -> list[tuple[Transcript, ...]]:
    return transcripts_of(job, recordings, done)


class _CloseOutput(beam.PTransform):  # type: ignore[misc]
    """PCollection[Written] -> PCollection[Transcription] of one element; see `closing.close_output`."""

    def __init__(
        self, job: TranscriptionJob, recordings: beam.PCollection[Recording], done: beam.PCollection[Done]
    ) -> None:
        super().__init__()
        self._job, self._recordings, self._done = job, recordings, done

    def expand(self, written: beam.PCollection[Written]) -> beam.PCollection[Transcription]:
        recordings, done = beam.pvalue.AsList(self._recordings), beam.pvalue.AsList(self._done)
        return (
            written
            | "Gather transcripts" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "Publish" >> beam.Map(_close, self._job, recordings, done).with_output_types(Transcription)
        )


def _close(
    written: list[Written], job: TranscriptionJob, recordings: list[Recording], done: list[Done]
) -> Transcription:
    return close_output(job, recordings, done, written)
