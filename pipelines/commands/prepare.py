"""`seq2seq prepare`: its configuration in; the dataset that Beam makes of it, beside processes of this machine, out.

With `--dry-run` nothing is written: what the rules do to a sample is printed.

What takes long to import is imported when something needs it: a mistake is told at once, and the processes begin to
import what they need before this one imports Beam.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import pydantic
from pydantic import Field

from pipelines.commands import here
from pipelines.commands.call import Call
from pipelines.local.workers import Workers
from seq2seq_core import config as configuration
from seq2seq_core import stopping, storage
from seq2seq_core.config import Location
from seq2seq_core.corpora.config import CorpusConfig, Patterns
from seq2seq_core.corpora.formats.table import FormatName
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.dataset.schema import Split
from seq2seq_core.machine import usable_cores
from seq2seq_core.modalities.table import modality_of
from seq2seq_core.preparation.compaction import compact
from seq2seq_core.preparation.compaction.config import CompactionConfig
from seq2seq_core.preparation.planning import inputs
from seq2seq_core.preparation.planning.inputs import Given, Landed
from seq2seq_core.preparation.planning.watch import clear_totals
from seq2seq_core.preparation.terms.messages import Job
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.terminal import say

_DRY_RUN = ("--dry-run", "--dry_run")
_SMALL_BYTES = 32 << 20
_MOST_PROCESSES = 16
WORK = ("seq2seq_core.preparation.steps",)
"""What processes that prepare will need."""
_CHANGES_NO_RESULT = frozenset({"output", "report", "verify_inputs", "compaction"})
_OF_ONE_CORPUS = (
    "source",
    "target",
    "path",
    "text",
    "format",
    "source_field",
    "target_field",
    "text_field",
    "score_field",
    "alignment_field",
    "min_score",
    "source_language",
    "target_language",
    "audio_root",
    "split",
)

logger = logging.getLogger(__name__)


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

    source: Location | None = Field(
        None, description="one corpus, a Moses pair: file or glob with the source side, a segment a line"
    )
    target: Location | None = Field(None, description="a Moses pair: file or glob with the target side")
    path: Patterns | None = Field(None, description="one corpus with both sides in a file: see corpora.path")
    text: Patterns | None = Field(None, description="one corpus of text alone: see corpora.text")
    format: FormatName | None = Field(None, description="of the one corpus; default: by the file's suffix")
    source_field: str | int | None = Field(None, description="of the one corpus: see corpora.source_field")
    target_field: str | int | None = Field(None, description="of the one corpus: see corpora.target_field")
    text_field: str | int | None = Field(None, description="of the one corpus: see corpora.text_field")
    score_field: str | int | None = Field(None, description="of the one corpus: see corpora.score_field")
    min_score: float | None = Field(None, ge=-1e12, le=1e12, description="of the one corpus: see corpora.min_score")
    alignment_field: str | int | None = Field(None, description="of the one corpus: see corpora.alignment_field")
    audio_root: Location | None = Field(None, description="of the one corpus: see corpora.audio_root")
    split: str | None = Field(None, description="of the one corpus: see corpora.split")
    source_language: str | None = Field(None, description="of the one corpus: language of the source side (en, pt-BR)")
    target_language: str | None = Field(None, description="of the one corpus: language of the target side")
    corpora: tuple[CorpusConfig, ...] = Field(
        (), description="in the place of the keys above: several corpora, in order, each with keys of its own"
    )
    validation: HeldOutConfig | None = Field(None, description="validation set")
    test: HeldOutConfig | None = Field(None, description="test set")
    benchmarks: tuple[CorpusConfig, ...] = Field(
        (), description="sets that are no part of the dataset and whose rows are kept out of training all the same"
    )
    output: Location = Field(description="folder of the dataset")
    verify_inputs: bool = Field(
        False,
        description="read all inputs again; default: only those that are new, or whose size, or version or time of "
        "writing, is another than when the dataset took them",
    )
    compaction: CompactionConfig = Field(
        CompactionConfig(), description="how a dataset that grows is kept in few generations and files"
    )
    report: bool = Field(True, description="write report.html into the folder (needs the extra seq2seq[report])")

    @pydantic.model_validator(mode="after")
    def _some_corpus(self) -> Self:
        given = self._of_one_corpus
        if (self.source is None) != (self.target is None):
            there, missing = ("target", "source") if self.source is None else ("source", "target")
            raise ValueError(
                f"both sides are needed; found --{there} without --{missing}. Give --{missing} as well, or --path for "
                "a file with both sides, or --text for text alone"
            )
        if bool(given) == bool(self.corpora):
            found = f"{', '.join(given)} and {len(self.corpora)} corpora" if given else "none of them"
            raise ValueError(f"give source and target, or path, or text, or corpora; found {found}")
        corpora = self.training_corpora
        if not all(corpus.has_files for corpus in (*corpora, *self.benchmarks)):
            raise ValueError("a corpus needs source and target, or path, or text; found none of them")
        if self.reads_scores and all(corpus.score_field is None for corpus in corpora):
            asking = "keep: best" if self.keep == "best" else "keep_scores"
            raise ValueError(f"{asking} needs the score_field of a corpus; found none")
        aligned = [corpus for corpus in corpora if corpus.alignment_field is not None]
        if bool(aligned) != self.keep_alignments:
            there = "alignment_field" if aligned else "keep_alignments"
            raise ValueError(f"alignment_field of a corpus and keep_alignments go together; found {there} alone")
        if aligned and not self.source_modality.has_text:
            raise ValueError(f"keep_alignments needs text on both sides; found {self.source_modality.kind}")
        return self

    @property
    def training_corpora(self) -> tuple[CorpusConfig, ...]:
        """The corpora; one, where its keys stand at the top."""
        return self.corpora or (configuration.build(CorpusConfig, self._of_one_corpus),)

    @property
    def not_given(self) -> frozenset[str]:
        """The keys of one corpus that are not there: a manifest is what it was before there were so many of them."""
        return frozenset(_OF_ONE_CORPUS[2:]) - self._of_one_corpus.keys()

    @property
    def _of_one_corpus(self) -> dict[str, object]:
        """The keys of one corpus that are given at the top."""
        return {name: value for name in _OF_ONE_CORPUS if (value := getattr(self, name)) is not None}


class DryRunConfig(PrepareConfig):
    """The configuration of a preparation that is only tried: it needs no output folder."""

    output: Location = Field("", description="is not written to")
    dry_run: Literal[True] = Field(True, description="try the rules on a sample and print what they do")
    sample: int = Field(10_000, ge=1, le=1 << 40, description="rows to try the rules on, spread over the corpora")


def main(call: Call) -> int:
    """Raw corpora to a dataset folder, or what would become of a sample of them."""
    call = replace(call, options=tuple(_take_strict(call.options)))
    if any(option.split("=", 1)[0] in _DRY_RUN for option in call.options):
        say(try_rules(call.load(DryRunConfig)))
        return 0
    config = call.load(PrepareConfig)
    if here.is_described("pipelines.graphs.prepare", lambda: _begin_job(config), call.beam_options()):
        return 0
    run(config, call.beam_options())
    from seq2seq_core.report import inspection

    say(inspection.describe(config.output))
    return 0


def run(config: PrepareConfig, beam_arguments: Sequence[str] = ()) -> Manifest:
    """Prepare a dataset, or add what is new to it, and return its manifest.

    A dataset that is up to date stays as it is.

    Args:
        config: What to do.
        beam_arguments: Beam's own options; the runner is the local one unless they name another. They also say how many
            workers do it: where they do not, large corpora get a process a core.

    Raises:
        Seq2SeqError: See `planning.inputs.make_job`, and `seq2seq_core.errors` for what workers meet.
    """
    is_here = here.is_here(beam_arguments)
    job = _begin_job(config)
    with _workers(job, beam_arguments) if is_here else contextlib.nullcontext() as workers:
        with stopping.interrupts_wait():
            from pipelines.graphs import prepare

        while not prepare.run(job, workers, beam_arguments):
            logger.info("%s: looking again for what is new", storage.redact(config.output))
            job = _begin_job(config)
    compact.keep_few(config.output, config.compaction)
    if config.report:
        from seq2seq_core.report.dataset_page import write_beside

        write_beside(config.output)
    return load_manifest(config.output)


def try_rules(config: DryRunConfig) -> str:
    """Try the rules on a sample; the page to print. Nothing is written.

    Raises:
        Seq2SeqError: See `planning.inputs.make_job`; or a file cannot be read.
    """
    from seq2seq_core.preparation.trial.dry_run import try_recipe
    from seq2seq_core.report.dry_run import describe_dry_run

    every = config.model_copy(update={"verify_inputs": True})  # what a dataset has taken is sampled as well
    return describe_dry_run(try_recipe(make_job(every), config.sample))


def make_job(config: PrepareConfig, landed: Landed | None = None) -> Job:
    """What the configuration comes to; see `planning.inputs.make_job` for `landed` and the errors."""
    held_out: dict[Split, HeldOutConfig | None] = {"valid": config.validation, "test": config.test}
    given: list[Given] = [("train", corpus) for corpus in config.training_corpora]
    given += [(split, held) for split, held in held_out.items() if held is not None and held.share is None]
    given += [("benchmark", benchmark) for benchmark in config.benchmarks]
    config = _with_source(config, [corpus for _, corpus in given])
    return inputs.make_job(
        output=config.output,
        recipe=Recipe.model_validate({name: getattr(config, name) for name in Recipe.model_fields}),
        given=given,
        shares={split: held.share for split, held in held_out.items() if held is not None and held.share is not None},
        configuration=_resolved(config),
        verify_inputs=config.verify_inputs,
        landed=landed,
    )


def _with_source(config: PrepareConfig, corpora: Sequence[CorpusConfig]) -> PrepareConfig:
    """The configuration with what the source is by the formats of all corpora, where it does not say so itself."""
    if "source_modality" in config.model_fields_set:
        return config
    found = {corpus.source_modality(config.output or None) for corpus in corpora}
    return config.model_copy(update={"source_modality": modality_of(found.pop())}) if len(found) == 1 else config


def _resolved(config: PrepareConfig) -> dict[str, Any]:
    """What the manifest keeps, with all rules that judge the rows."""
    values = configuration.redacted(config, without=_CHANGES_NO_RESULT | config.not_given)
    values["filters"] |= config.filters.unwritten(config.source_modality.measured)
    return values


def _begin_job(config: PrepareConfig) -> Job:
    """Make the job and clear away how far earlier runs were."""
    job = make_job(config)
    clear_totals(config.output)
    return job


def _workers(job: Job, beam_arguments: Sequence[str]) -> contextlib.AbstractContextManager[Workers]:
    """A process a core, where it is worth it."""
    urls = [url for input_ in job.inputs for url in input_.source.urls]
    small = _SMALL_BYTES // max(modality.effort for modality in job.recipe.sides.values())
    work = here.Work(urls, job.output, small, WORK)
    return here.workers(work, min(usable_cores(), _MOST_PROCESSES), beam_arguments)


def _take_strict(options: tuple[str, ...]) -> Iterator[str]:
    """The options with `--strict`, which is short for `--on_error fail`, spelt out."""
    for option in options:
        yield from ("--on_error", "fail") if option == "--strict" else (option,)
