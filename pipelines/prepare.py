"""`seq2seq prepare`: raw corpora in, a dataset folder out, as one Beam job.

Workers hand each other descriptions (units, reports); rows go from step to step through files of the output folder,
each published whole under a name that follows from its content. So a killed run goes on where it stopped, and the
result does not depend on the runner, the number of workers or retries.
"""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import apache_beam as beam
import pydantic
from pydantic import Field

from pipelines import beam_options, failures
from pipelines.redaction import redacted
from pipelines.transforms import message_coder
from pipelines.transforms.build_shards import BuildShards
from pipelines.transforms.count_rows import CountRows
from pipelines.transforms.index_held_out import IndexHeldOut
from pipelines.transforms.make_tokenizers import MakeTokenizers
from pipelines.transforms.near_duplicates import NearDuplicates
from pipelines.transforms.plan_units import PlanUnits
from pipelines.transforms.publish_dataset import PublishDataset
from pipelines.transforms.sides import lists
from pipelines.transforms.stage_units import StageUnits
from pipelines.watch import watching
from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, DatasetError
from seq2seq_core.preparation.claims import release, take_rest
from seq2seq_core.preparation.corpora import resolve
from seq2seq_core.preparation.generation import origins
from seq2seq_core.preparation.messages import Input, Job, Outcome, Plan, Role, ShardReport, SlotCounts, UnitReport
from seq2seq_core.preparation.near_messages import DropReport, NearPlan
from seq2seq_core.preparation.near_rows import near_plans, rows_to_compare
from seq2seq_core.preparation.progress import PreparationWatch, clear_totals
from seq2seq_core.preparation.recipe import Recipe
from seq2seq_core.report.dataset_page import write_beside
from seq2seq_core.shards.manifest import Manifest, load_manifest
from seq2seq_core.shards.schema import Split
from seq2seq_core.text.reading.corpus import CorpusConfig, corpus_names
from seq2seq_core.tokenizer.model import Tokenizer

logger = logging.getLogger(__name__)

_SMALL_BYTES = 32 << 20
_MOST_LOCAL_THREADS = 16


class HeldOutConfig(CorpusConfig):
    """A validation or test set: files like those of a corpus, or a share of the corpora."""

    share: float | None = Field(
        None, gt=0.0, lt=0.5, description="this share of the corpora instead of files, by hash of the source side"
    )

    @pydantic.model_validator(mode="after")
    def _files_or_share(self) -> Self:
        if self.has_files == (self.share is not None):
            raise ValueError(f"give files or share; found share={self.share}, files={self.has_files}")
        return self


class PrepareConfig(Recipe):
    """What `seq2seq prepare` reads, how it cleans, and where the dataset goes."""

    source: str | None = Field(None, description="a Moses pair: file or glob with the source side, a segment a line")
    target: str | None = Field(None, description="a Moses pair: file or glob with the target side")
    corpora: tuple[CorpusConfig, ...] = Field((), description="several corpora, or other formats, in order")
    validation: HeldOutConfig | None = Field(None, description="validation set")
    test: HeldOutConfig | None = Field(None, description="test set")
    benchmarks: tuple[CorpusConfig, ...] = Field(
        (), description="sets that are no part of the dataset and whose rows are kept out of training all the same"
    )
    output: str = Field(min_length=1, description="folder of the dataset")
    report: bool = Field(True, description="write report.html into the folder (needs the extra seq2seq[report])")

    @pydantic.model_validator(mode="after")
    def _some_corpus(self) -> Self:
        if (self.source is None) != (self.target is None):
            raise ValueError(f"both sides are needed; found source={self.source!r}, target={self.target!r}")
        if (self.source is None) != bool(self.corpora):
            raise ValueError(
                f"give source and target, or corpora; found source={self.source!r} and {len(self.corpora)}"
            )
        if not all(corpus.has_files for corpus in (*self.corpora, *self.benchmarks)):
            raise ValueError("a corpus needs source and target, or path, or text; found none of them")
        if self.keep == "best" and all(corpus.score_field is None for corpus in self.corpora):
            raise ValueError("keep: best needs the score_field of a corpus; found none")
        return self


@dataclass(frozen=True)
class Prepared:
    """What the graph yields: the plan, a report of each unit and shard, and the outcome."""

    plan: beam.PCollection[Plan]
    units: beam.PCollection[UnitReport]
    shards: beam.PCollection[ShardReport]
    outcome: beam.PCollection[Outcome]


def make_job(config: PrepareConfig) -> Job:
    """List the files and look at given tokenizers: all that can be wrong before any work starts.

    Raises:
        ConfigError, InputError, StorageError, TokenizerError: Something named in the configuration is not usable.
    """
    held_out: dict[Split, HeldOutConfig | None] = {"valid": config.validation, "test": config.test}
    roles: list[tuple[Role, CorpusConfig]] = [("train", corpus) for corpus in _corpora(config)]
    roles += [(split, given) for split, given in held_out.items() if given is not None and given.share is None]
    roles += [("benchmark", benchmark) for benchmark in config.benchmarks]
    recipe = Recipe.model_validate({name: getattr(config, name) for name in Recipe.model_fields})
    names = corpus_names([corpus for _, corpus in roles])
    given = config.tokenizer.given
    return Job(
        output=config.output,
        recipe=recipe,
        corpora=tuple(resolve(corpus, role, name, recipe) for (role, corpus), name in zip(roles, names, strict=True)),
        shares={split: held.share for split, held in held_out.items() if held is not None and held.share is not None},
        inputs=list_inputs(roles),
        configuration=redacted(config),
        tokenizer_digests=tuple(Tokenizer.load(url).digest for url in given) if given else (),
        run=f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
    )


def build(root: beam.Pipeline, config: PrepareConfig) -> Prepared:
    """The graph of a preparation, unrun; see `make_job` for the errors."""
    return _build(root, make_job(config))


def _build(root: beam.Pipeline, job: Job) -> Prepared:
    message_coder.register()
    plan = root | "Plan units" >> PlanUnits(job)
    units = plan | "Stage units" >> StageUnits(has_held_out_files=job.has_held_out_files)
    # What a job does not ask for is left out of the graph: every step costs a start, on any engine.
    counts = plan | "Count rows" >> CountRows(units) if job.has_caps else None
    tokenizers = plan | "Make tokenizers" >> MakeTokenizers(units, counts)
    held_out = plan | "Index held-out" >> IndexHeldOut(units) if job.protects else None
    near = _search_near(plan, units, counts) if job.recipe.near_duplicates else None
    shards = plan | "Build shards" >> BuildShards(units, tokenizers, held_out, counts, near)
    outcome = plan | "Publish dataset" >> PublishDataset(units, tokenizers, shards)
    return Prepared(plan=plan, units=units, shards=shards, outcome=outcome)


def _search_near(
    plan: beam.PCollection[Plan], units: beam.PCollection[UnitReport], counts: beam.PCollection[SlotCounts] | None
) -> beam.PCollection[DropReport]:
    plans = plan | "Plan near-duplicates" >> beam.FlatMap(near_plans).with_output_types(NearPlan)
    search = NearDuplicates(rows_to_compare, plan=beam.pvalue.AsSingleton(plan), **lists(units=units, counts=counts))
    return plans | "Near-duplicates" >> search


def run(config: PrepareConfig, beam_arguments: Sequence[str] = ()) -> Manifest:
    """Prepare a dataset, or add what is new to it, and return its manifest.

    A dataset that is up to date stays as it is. When another run had begun to add a part of what is new here, that
    becomes a generation of its own, and the rest the next one. An error is not the last word when another run has
    added a generation meanwhile: it may have removed the work of this one, which is then done or looks different.

    Args:
        config: What to do.
        beam_arguments: Beam's own options; the runner is the local one unless they name another.

    Raises:
        Seq2SeqError: See `make_job`, and `seq2seq_core.errors` for what workers meet.
    """
    beam_options.parse(beam_arguments)  # a mistake there is told of before any file is looked at
    while not _run_once(config, beam_arguments):
        logger.info("%s: looking again for what is new", storage.redact(config.output))
    if config.report:
        write_beside(config.output)
    return load_manifest(config.output)


def _run_once(config: PrepareConfig, beam_arguments: Sequence[str]) -> bool:
    """Add a generation, or find nothing new; False when it must be tried again."""
    before = _generations(config.output)
    job = make_job(config)
    pipeline = beam.Pipeline(options=beam_options.parse(beam_arguments, _local_threads(job)))
    _build(pipeline, job)
    clear_totals(config.output)
    try:
        with watching(PreparationWatch(config.output)):
            failures.run(pipeline)
    except (Exception, KeyboardInterrupt) as error:
        take_rest(config.output, job.run)
        if not isinstance(error, KeyboardInterrupt) and _generations(config.output) > before:
            return False
        if not isinstance(error, DatasetError):  # which may say that the folder is another run's
            release(config.output, redacted(config))
        raise
    return not take_rest(config.output, job.run)


def list_inputs(roles: Sequence[tuple[Role, CorpusConfig]]) -> tuple[Input, ...]:
    """The files of every corpus.

    Raises:
        ConfigError: A file stands in two corpora.
    """
    sources = [(index, role, source) for index, (role, corpus) in enumerate(roles) for source in corpus.sources()]
    urls = [source.urls for _, role, source in sources if role == "train"]
    twice = sorted({pair for pair in urls if urls.count(pair) > 1}) if len(set(urls)) < len(urls) else []
    if twice:
        advice = "To see its rows more often in training, give the corpus a weight."
        raise ConfigError("a file stands in two corpora", where="corpora", found=" and ".join(twice[0]), advice=advice)
    names = origins([source.urls[0] for _, _, source in sources])
    return tuple(
        Input(index=position, corpus=index, role=role, origin=names[position], source=source)
        for position, (index, role, source) in enumerate(sources)
    )


def _local_threads(job: Job) -> int:
    """How many workers the local runner gets: one where starting more would take longer than they save."""
    left = _SMALL_BYTES
    for url in (url for input_ in job.inputs for url in input_.source.urls):
        left -= storage.size(url)
        if left < 0:
            return min(beam_options.usable_cores(), _MOST_LOCAL_THREADS)
    return 1


def _corpora(config: PrepareConfig) -> tuple[CorpusConfig, ...]:
    if config.corpora:
        return config.corpora
    return (CorpusConfig(source=config.source, target=config.target),)


def _generations(output: str) -> int:
    """How many generations of the dataset readers see; 0 when there is none, or none that can be read."""
    try:
        return len(load_manifest(output).generations)
    except DatasetError:
        return 0
