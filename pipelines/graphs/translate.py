"""The Beam graph of a translation: documents in, finished units and the manifest of their folder out.

Workers hand each other descriptions (counted inputs, units, entries of finished ones); records are read, translated and
committed within one step of the same worker.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

from pipelines.graphs import failures, options
from pipelines.graphs.hints import model_hints
from pipelines.graphs.translate_units import TranslateUnits
from pipelines.graphs.units import ForEach, SkipFinished, engine_for, skipped
from pipelines.local.watch import watching
from pipelines.local.workers import Workers
from seq2seq_core import storage
from seq2seq_core.claims import held
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.ranges import CountedInput, InputFile, UnitSize
from seq2seq_core.inference.closing import close_output
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.folder import PIECE_FOLDER
from seq2seq_core.inference.job import TranslationJob, check_failures
from seq2seq_core.inference.manifest import Output, load_output
from seq2seq_core.inference.opening import open_output
from seq2seq_core.inference.unit import DocumentUnit
from seq2seq_core.inference.watch import UnitWatch, forget_units
from seq2seq_core.inference.work import Hand, work


@dataclass(frozen=True)
class Translation:
    """What the graph yields: counted inputs, entries of units found finished and made now, and the manifest."""

    inputs: beam.PCollection[CountedInput]
    finished: beam.PCollection[UnitEntry]
    committed: beam.PCollection[UnitEntry]
    output: beam.PCollection[Output]


def build(root: beam.Pipeline, job: TranslationJob, workers: Workers | None = None) -> Translation:
    """The graph, unrun.

    Args:
        root: Where the graph begins.
        job: What to do.
        workers: Who translates, on this machine; None: the workers of the engine.
    """
    files = root | "List inputs" >> beam.Create(job.files, reshuffle=False)
    inputs = files | "Count inputs" >> CountInputs(job.size, job.fields)
    units = inputs | "Open output" >> OpenOutput(job)
    to_do, finished = units | "Skip finished" >> SkipFinished(job.output, without_failures=job.retries)
    laid_out = to_do | "Lay out" >> LayOut(storage.join(job.output, PIECE_FOLDER))
    done = laid_out | "Translate units" >> _translating(job, workers, root)
    committed = done | "Watch failures" >> WatchFailures(job, inputs)
    entries = (finished, committed) | "All entries" >> beam.Flatten()
    output = entries | "Close output" >> CloseOutput(job, inputs)
    return Translation(inputs, finished, committed, output)


def _translating(job: TranslationJob, workers: Workers | None, root: beam.Pipeline) -> beam.PTransform:
    """PCollection[DocumentUnit] -> PCollection[UnitEntry]."""
    hand = Hand(job.translator, job.provenance.model.digest, job.output, job.fields, job.on_error, job.retried)
    if workers is not None:
        return ForEach(work, hand, kind=UnitEntry, workers=workers)
    engine = engine_for(job.translator.engine, root.options)
    shared = dataclasses.replace(hand, config=job.translator.model_copy(update={"engine": engine}))
    return TranslateUnits(shared).with_resource_hints(**model_hints(root.options))


def run(job: TranslationJob, workers: Workers | None = None, beam_arguments: Sequence[str] = ()) -> tuple[Output, int]:
    """Run it, alone in the folder; the manifest, and the number of units that were finished before.

    Raises:
        ClaimError: Another translation is at work in the output folder.
        Seq2SeqError: See `seq2seq_core.errors` for what workers meet.
    """
    pipeline = beam.Pipeline(options=options.parse(beam_arguments))
    build(pipeline, job, workers)
    with held(job.output, job.fingerprint, "translation") as claim:
        forget_units(job.output)
        with watching(UnitWatch(job.output), claim.tell):
            result = failures.run(pipeline)
        claim.check()
        output = load_output(job.output)
    return output, skipped(result)


class CountInputs(beam.PTransform):  # type: ignore[misc]
    """PCollection[InputFile] -> PCollection[CountedInput], in no order: one worker counts and cuts a file."""

    def __init__(self, size: UnitSize, fields: Fields) -> None:
        super().__init__()
        self._size = size
        self._fields = fields

    def expand(self, files: beam.PCollection[InputFile]) -> beam.PCollection[CountedInput]:
        return (
            files
            | "Spread inputs" >> beam.Reshuffle()
            | "Count" >> beam.Map(_count, self._size, self._fields).with_output_types(CountedInput)
            | "Hold counts" >> beam.Reshuffle()
        )


def _count(file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
    return format_of(file).count(file, size, fields)


class OpenOutput(beam.PTransform):  # type: ignore[misc]
    """PCollection[CountedInput] -> PCollection[DocumentUnit], over all workers, when every input has been counted.

    See `opening.open_output`.
    """

    def __init__(self, job: TranslationJob) -> None:
        super().__init__()
        self._job = job

    def expand(self, inputs: beam.PCollection[CountedInput]) -> beam.PCollection[DocumentUnit]:
        return (
            inputs
            | "Gather counts" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "Open" >> beam.FlatMap(self._open).with_output_types(DocumentUnit)
            | "Spread units" >> beam.Reshuffle()
        )

    def _open(self, inputs: list[CountedInput]) -> list[DocumentUnit]:
        job = self._job
        return open_output(job.output, inputs, job.provenance.fingerprint, job.fields, retries=job.retries)


class LayOut(beam.PTransform):  # type: ignore[misc]
    """PCollection[DocumentUnit] -> PCollection[DocumentUnit], each to be read without what stands before it.

    An archive is unpacked by one worker; its units are spread over all of them.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def expand(self, units: beam.PCollection[DocumentUnit]) -> beam.PCollection[DocumentUnit]:
        return (
            units
            | "By what is read together" >> beam.Map(_keyed).with_output_types(tuple[str, DocumentUnit])
            | "Gather" >> beam.GroupByKey()
            | "Copy" >> beam.FlatMap(_lay_out, self._folder).with_output_types(DocumentUnit)
            | "Spread copies" >> beam.Reshuffle()
        )


def _keyed(unit: DocumentUnit) -> tuple[str, DocumentUnit]:
    return format_of(unit.file).read_together(unit.file, unit.part), unit


def _lay_out(keyed: tuple[str, Iterable[DocumentUnit]], folder: str) -> Iterator[DocumentUnit]:
    units = sorted(keyed[1], key=lambda unit: unit.index)
    file = units[0].file
    parts = format_of(file).lay_out(file, [unit.part for unit in units], folder)
    return (dataclasses.replace(unit, part=part) for unit, part in zip(units, parts, strict=True))


class WatchFailures(beam.PTransform):  # type: ignore[misc]
    """PCollection[UnitEntry] -> PCollection[UnitEntry], the same; ends the run where too many records have failed.

    A worker knows its own units: what all have done together is looked at in the end.
    """

    def __init__(self, job: TranslationJob, inputs: beam.PCollection[CountedInput]) -> None:
        super().__init__()
        self._job, self._inputs = job, inputs

    def expand(self, entries: beam.PCollection[UnitEntry]) -> beam.PCollection[UnitEntry]:
        watched = beam.ParDo(_WatchDoFn(self._job), beam.pvalue.AsList(self._inputs))
        return entries | "Watch" >> watched.with_output_types(UnitEntry)


class _WatchDoFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, job: TranslationJob) -> None:
        super().__init__()
        self._job = job
        self._failed: dict[str, int] = {}

    def process(self, entry: UnitEntry, inputs: list[CountedInput]) -> Iterator[UnitEntry]:
        """See beam.DoFn."""
        self._failed[entry.path] = entry.failed  # a unit may come twice
        check_failures(self._job, sum(self._failed.values()), sum(counted.records for counted in inputs))
        yield entry


class CloseOutput(beam.PTransform):  # type: ignore[misc]
    """PCollection[UnitEntry] -> PCollection[Output] of one element; see `closing.close_output`."""

    def __init__(self, job: TranslationJob, inputs: beam.PCollection[CountedInput]) -> None:
        super().__init__()
        self._job, self._inputs = job, inputs

    def expand(self, entries: beam.PCollection[UnitEntry]) -> beam.PCollection[Output]:
        inputs = beam.pvalue.AsList(self._inputs)
        return (
            entries
            | "Hold entries" >> beam.Reshuffle()
            | "Gather entries" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "Publish" >> beam.Map(_close, inputs, self._job).with_output_types(Output)
        )


def _close(entries: list[UnitEntry], inputs: list[CountedInput], job: TranslationJob) -> Output:
    check_failures(job, sum(entry.failed for entry in entries), sum(counted.records for counted in inputs))
    return close_output(job.output, inputs, job.provenance, entries)
