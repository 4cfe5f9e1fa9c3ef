"""`seq2seq translate`: documents in, their translations out in the same formats, as one Beam job that can be resumed.

Inputs are cut into units; each is read, translated and committed as a whole, and skipped when it is already committed
with the same fingerprint. `output.json` is published last. A record that cannot be translated keeps its place and has
a row in the ledger under `failures/`.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import apache_beam as beam
import pydantic
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.runner import PipelineResult
from pydantic import Field

from pipelines.graphs import failures, options
from pipelines.local.watch import watching
from pipelines.transforms.commit_units import CommitUnits
from pipelines.transforms.lay_out import LayOut
from pipelines.transforms.open_output import OpenOutput
from pipelines.transforms.plan_inputs import PlanInputs
from pipelines.transforms.publish_output import PublishOutput
from pipelines.transforms.skip_finished import SkipFinished
from pipelines.transforms.translate_units import TranslateUnits
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.claims import held
from seq2seq_core.config import Location
from seq2seq_core.documents.fields import Extra, Fields
from seq2seq_core.documents.inputs import FAILURE_FOLDER, InputFile, RecordFormat, find_inputs
from seq2seq_core.documents.plan import InputPlan, UnitSize
from seq2seq_core.engines.config import EngineConfig, TorchEngineConfig
from seq2seq_core.errors import ConfigError, IncompleteError
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.output import Job, Output, load_output
from seq2seq_core.inference.progress import TranslationWatch, clear_plan
from seq2seq_core.inference.translator_config import TranslatorConfig, describe_model
from seq2seq_core.inference.work import OnError
from seq2seq_core.machine import usable_cores

_SOFTWARE = ("seq2seq", "apache-beam", "numpy", "pyarrow", "sentencepiece", "torch")


class TranslateConfig(TranslatorConfig):
    """What `seq2seq translate` reads, how it translates, and where the translations go."""

    input: tuple[Location, ...] = Field(
        min_length=1, description="files, globs, folders or URLs; text formats also with .gz, .zst, .bz2, .xz"
    )
    output: Location = Field(description="folder of the translations, a path or URL")
    format: Literal["auto"] | RecordFormat = Field(
        "auto", description="auto: by the suffix (.txt or a language like .en: a text a line; .jsonl; .parquet)"
    )
    text_field: str = Field(
        "text",
        min_length=1,
        description="JSONL, Parquet: the field to translate; dots reach inside, a number picks from a list, "
        "a star joins it",
    )
    output_field: str = Field("translation", min_length=1, description="JSONL, Parquet: the field that is added")
    include: tuple[Extra, ...] = Field(
        (), description="JSONL, Parquet: more fields to add, named OUTPUT_FIELD_score and so on"
    )
    on_error: OnError = Field(
        "keep", description="a record that cannot be translated: keep its place and go on, or fail: end the run"
    )
    unit_records: int = Field(2000, ge=1, le=1 << 31, description="records that are translated and committed together")
    unit_megabytes: int = Field(
        64, ge=1, le=1 << 20, description="a unit ends earlier when its text reaches this size, in MiB"
    )

    @pydantic.model_validator(mode="after")
    def _asks_for_what_it_keeps(self) -> Self:
        if self.search.n_best > 1 and "n_best" not in self.include:
            raise ValueError(f"search.n_best is {self.search.n_best}, but include is {self.include}: add n_best to it")
        if self.search.attention:
            raise ValueError("search.attention is true, but no output format keeps attention")
        if len(set(self.include)) < len(self.include):
            raise ValueError(f"include names a field twice: {', '.join(self.include)}")
        return self

    @property
    def fields(self) -> Fields:
        """The fields that are read and added."""
        return Fields(self.text_field, self.output_field, self.include)

    @property
    def unit_size(self) -> UnitSize:
        """Where inputs are cut."""
        return UnitSize(self.unit_records, self.unit_megabytes << 20)


@dataclass(frozen=True)
class Translation:
    """What the graph yields: plans of the inputs, entries of units found finished and made now, and the manifest."""

    plans: beam.PCollection[InputPlan]
    finished: beam.PCollection[UnitEntry]
    committed: beam.PCollection[UnitEntry]
    output: beam.PCollection[Output]


@dataclass(frozen=True)
class TranslateResult:
    """How a run ended: `records_out = records_in`, of which `failed` were not translated; see `output.Output`."""

    output: str
    records_in: int
    records_out: int
    failed: int
    units: int
    skipped_units: int
    cut: int
    looping: int

    def summary(self) -> str:
        """The last line a user reads."""
        text = (
            f"{self.records_out:,} records of {self.units:,} units translated to {self.output} "
            f"({self.skipped_units:,} units were finished before)"
        )
        doubts = doubtful(self.cut, self.looping)
        return f"{text}; {doubts}" if doubts else text


def doubtful(cut: int, looping: int) -> str | None:
    """How many outputs ended at the length limit or repeat themselves; None where all are sound."""
    counts = ((cut, "cut at the length limit"), (looping, "repeating themselves"))
    told = [f"{count:,} {what}" for count, what in counts if count]
    return f"of the outputs {' and '.join(told)}" if told else None


def build(root: beam.Pipeline, config: TranslateConfig) -> Translation:
    """The graph of a translation, unrun.

    Raises:
        Seq2SeqError: What can be seen before any work starts: no such input, two inputs of one output, no model.
    """
    return _build(root, config, _find_files(config), make_job(config))


def _build(root: beam.Pipeline, config: TranslateConfig, files: list[InputFile], job: Job) -> Translation:
    translator = TranslatorConfig.model_validate(
        {name: getattr(config, name) for name in TranslatorConfig.model_fields}
    )
    translator = translator.model_copy(update={"engine": _engine_for(config.engine, root.options)})
    fields = config.fields
    plans = (
        root
        | "List inputs" >> beam.Create(files, reshuffle=False)
        | "Plan inputs" >> PlanInputs(config.unit_size, fields)
    )
    units = plans | "Open output" >> OpenOutput(config.output, job.fingerprint, fields)
    to_do, finished = units | "Skip finished" >> SkipFinished(config.output)
    laid_out = to_do | "Lay out" >> LayOut(config.output)
    translated = laid_out | "Translate units" >> TranslateUnits(translator, job.model.digest, fields)
    committed = translated | "Commit units" >> CommitUnits(config.output, fields, config.on_error)
    entries = (finished, committed) | "All entries" >> beam.Flatten()
    output = entries | "Publish output" >> PublishOutput(config.output, job, plans)
    return Translation(plans, finished, committed, output)


def run(config: TranslateConfig, beam_arguments: Sequence[str] = ()) -> TranslateResult:
    """Translate all inputs; what an earlier run of the same configuration has finished is not done again.

    Args:
        config: What to do.
        beam_arguments: Beam's own options; the runner is the local one unless they name another.

    Raises:
        IncompleteError: All is written, but some records could not be translated.
        ClaimError: Another translation is at work in the output folder.
        Seq2SeqError: See `build`, and `seq2seq_core.errors` for what workers meet.
    """
    pipeline = beam.Pipeline(options=options.parse(beam_arguments))
    files, job = _find_files(config), make_job(config)
    _build(pipeline, config, files, job)
    with held(config.output, _fingerprint(files, job), "translation") as claim:
        clear_plan(config.output)
        with watching(TranslationWatch(config.output)):
            result = failures.run(pipeline)
        claim.check()
        output = load_output(config.output)
    if output.failed:
        raise IncompleteError(
            f"{output.failed:,} of {output.records_in:,} records were not translated; their places are kept",
            where=storage.redact(config.output),
            found=doubtful(output.cut, output.looping),
            advice=f"See {storage.redact(storage.join(config.output, FAILURE_FOLDER))} for the reasons.",
        )
    return TranslateResult(
        output=config.output,
        records_in=output.records_in,
        records_out=output.records_out,
        failed=output.failed,
        units=len(output.units),
        skipped_units=_count(result, "units_skipped"),
        cut=output.cut,
        looping=output.looping,
    )


def make_job(config: TranslateConfig) -> Job:
    """The model, and the digest of all that shapes every output; a ModelError when there is no model."""
    model = describe_model(config.model)
    fields = [config.text_field, config.output_field, config.include]
    identity = json.dumps([model.digest, config.identity(), fields], sort_keys=True)
    return Job(
        fingerprint=storage.digest_bytes(identity.encode()),
        model=model,
        configuration=configuration.redacted(config, without={"output"}),
        software={name: importlib.metadata.version(name) for name in _SOFTWARE},
    )


def _fingerprint(files: Sequence[InputFile], job: Job) -> str:
    """Names what runs have in common that may share an output folder: the model, the options and the inputs."""
    inputs = sorted([storage.identity(file.url), file.format] for file in files)
    return storage.digest_bytes(json.dumps([job.fingerprint, inputs]).encode())


def _find_files(config: TranslateConfig) -> list[InputFile]:
    files = find_inputs(config.input, None if config.format == "auto" else config.format, config.output)
    text = next((file for file in files if file.format == "text"), None)
    if text is not None and config.include:
        raise ConfigError(
            "a text file has no place for more fields",
            where=text.where,
            found=f"include = {', '.join(config.include)}",
            advice="Give the texts as JSONL or Parquet, or leave include out.",
        )
    return files


def _engine_for(engine: EngineConfig, given: PipelineOptions) -> EngineConfig:
    """The engine, with this machine's cores shared out among local workers where no number of threads is given."""
    local = given.view_as(DirectOptions)
    if not isinstance(engine, TorchEngineConfig) or engine.threads or local.direct_running_mode == "in_memory":
        return engine
    cores = usable_cores()
    return engine.model_copy(update={"threads": max(1, cores // (local.direct_num_workers or cores))})


def _count(result: PipelineResult, name: str) -> int:
    found = result.metrics().query(MetricsFilter().with_namespace("translate").with_name(name))["counters"]
    return sum(counter.result for counter in found)
