"""`seq2seq prepare`: raw corpora in, a dataset folder out, as one Beam job.

Workers hand each other descriptions (units, reports); rows go from step to step through files of the output folder,
each published whole under a name that follows from its content. So a killed run goes on where it stopped, and the
result does not depend on the runner, the number of workers or retries.
"""

from __future__ import annotations

import logging
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
from pipelines.transforms.plan_units import PlanUnits
from pipelines.transforms.publish_dataset import PublishDataset
from pipelines.transforms.stage_units import StageUnits
from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, DatasetError
from seq2seq_core.preparation.corpora import resolve, unique_names
from seq2seq_core.preparation.messages import Input, Job, Outcome, Plan, Role, ShardReport, UnitReport
from seq2seq_core.preparation.plan import origins, release, work_folder
from seq2seq_core.preparation.recipe import Recipe
from seq2seq_core.shards.manifest import MANIFEST_NAME, Manifest, load_manifest
from seq2seq_core.shards.schema import Split
from seq2seq_core.text.reading.corpus import CorpusConfig
from seq2seq_core.tokenizer.model import Tokenizer

logger = logging.getLogger(__name__)


class HeldOutConfig(CorpusConfig):
    """A validation or test set: files like those of a corpus, or a share of the corpora."""

    share: float | None = Field(
        None, gt=0.0, lt=0.5, description="this share of the corpora instead of files, by hash of the source side"
    )

    @pydantic.model_validator(mode="after")
    def _files_or_share(self) -> Self:
        has_files = self.path is not None or self.source is not None
        if has_files == (self.share is not None):
            raise ValueError(f"give files or share; found share={self.share}, files={has_files}")
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

    @pydantic.model_validator(mode="after")
    def _some_corpus(self) -> Self:
        if (self.source is None) != (self.target is None):
            raise ValueError(f"both sides are needed; found source={self.source!r}, target={self.target!r}")
        if (self.source is None) != bool(self.corpora):
            raise ValueError(
                f"give source and target, or corpora; found source={self.source!r} and {len(self.corpora)}"
            )
        if any(corpus.path is None and corpus.source is None for corpus in self.corpora):
            raise ValueError("a corpus needs source and target, or path; found neither")
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
    names = unique_names([corpus for _, corpus in roles])
    given = config.tokenizer.given
    return Job(
        output=config.output,
        recipe=recipe,
        corpora=tuple(resolve(corpus, role, name, recipe) for (role, corpus), name in zip(roles, names, strict=True)),
        shares={split: held.share for split, held in held_out.items() if held is not None and held.share is not None},
        inputs=list_inputs(roles),
        configuration=redacted(config),
        tokenizer_digests=tuple(Tokenizer.load(url).digest for url in given) if given else (),
    )


def build(root: beam.Pipeline, config: PrepareConfig) -> Prepared:
    """The graph of a preparation, unrun; see `make_job` for the errors."""
    message_coder.register()
    plan = root | "Plan units" >> PlanUnits(make_job(config))
    units = plan | "Stage units" >> StageUnits()
    tokenizers = plan | "Make tokenizers" >> MakeTokenizers(units)
    held_out = plan | "Index held-out" >> IndexHeldOut(units)
    counts = plan | "Count rows" >> CountRows(units)
    shards = plan | "Build shards" >> BuildShards(units, tokenizers, held_out, counts)
    outcome = plan | "Publish dataset" >> PublishDataset(units, tokenizers, shards)
    return Prepared(plan=plan, units=units, shards=shards, outcome=outcome)


def run(config: PrepareConfig, beam_arguments: Sequence[str] = ()) -> Manifest:
    """Prepare a dataset and return its manifest; a dataset that is up to date stays as it is.

    Args:
        config: What to do.
        beam_arguments: Beam's own options; the runner is the local one unless they name another.

    Raises:
        Seq2SeqError: See `make_job`, and `seq2seq_core.errors` for what workers meet.
    """
    options = beam_options.parse(beam_arguments)
    pipeline = beam.Pipeline(options=options)
    build(pipeline, config)
    was_there = storage.exists(storage.join(config.output, MANIFEST_NAME))
    try:
        failures.run(pipeline)
    except (Exception, KeyboardInterrupt) as error:
        finished = None if was_there else _finished_by_another(config)
        if finished is not None:
            # An object store takes files into a folder that is gone: what this run wrote after the other cleared up.
            storage.remove(work_folder(config.output, finished.fingerprint))
            return finished
        if not isinstance(error, DatasetError):  # which may say that the folder is another run's
            release(config.output, redacted(config))
        raise
    return load_manifest(config.output)


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


def _corpora(config: PrepareConfig) -> tuple[CorpusConfig, ...]:
    if config.corpora:
        return config.corpora
    return (CorpusConfig(source=config.source, target=config.target),)


def _finished_by_another(config: PrepareConfig) -> Manifest | None:
    """The dataset, when another run of the same configuration has finished it (and cleared up) under this one."""
    try:
        manifest = load_manifest(config.output)
    except DatasetError:
        return None
    if manifest.configuration != redacted(config):
        return None
    logger.info("another run has finished %s", storage.redact(config.output))
    return manifest
