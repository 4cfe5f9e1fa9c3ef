"""The configuration of `seq2seq prepare` in, the job that its workers are given out: before Beam is imported.

So a mistake in the configuration is told at once, and work can begin while Beam is still on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import pydantic
from pydantic import Field

from pipelines.redaction import redacted
from seq2seq_core import storage
from seq2seq_core.claims import this_process
from seq2seq_core.config import Location
from seq2seq_core.corpora.config import CorpusConfig, corpus_names
from seq2seq_core.dataset.schema import Split
from seq2seq_core.errors import ConfigError
from seq2seq_core.machine import usable_cores
from seq2seq_core.preparation.planning.corpus_settings import resolve
from seq2seq_core.preparation.planning.generation import origins
from seq2seq_core.preparation.planning.watch import clear_totals
from seq2seq_core.preparation.terms.messages import Input, Job, Role
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.tokenizer.model import Tokenizer

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

    source: Location | None = Field(
        None, description="a Moses pair: file or glob with the source side, a segment a line"
    )
    target: Location | None = Field(None, description="a Moses pair: file or glob with the target side")
    corpora: tuple[CorpusConfig, ...] = Field((), description="several corpora, or other formats, in order")
    validation: HeldOutConfig | None = Field(None, description="validation set")
    test: HeldOutConfig | None = Field(None, description="test set")
    benchmarks: tuple[CorpusConfig, ...] = Field(
        (), description="sets that are no part of the dataset and whose rows are kept out of training all the same"
    )
    output: Location = Field(description="folder of the dataset")
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
    output = config.output or None  # a dry run needs none
    _refuse_inside([*(given or ()), *_phrase_files(config.model_dump(mode="json"))], output)
    return Job(
        output=config.output,
        recipe=recipe,
        corpora=tuple(resolve(corpus, role, name, recipe) for (role, corpus), name in zip(roles, names, strict=True)),
        shares={split: held.share for split, held in held_out.items() if held is not None and held.share is not None},
        inputs=list_inputs(roles, output),
        configuration=redacted(config),
        tokenizer_digests=tuple(Tokenizer.load(url).digest for url in given) if given else (),
        holder=this_process(),
    )


def begin_job(config: PrepareConfig) -> Job:
    """Make the job and clear away how far earlier runs were out; see `make_job` for the errors."""
    job = make_job(config)
    clear_totals(config.output)
    return job


def list_inputs(roles: Sequence[tuple[Role, CorpusConfig]], output: str | None) -> tuple[Input, ...]:
    """The files of every corpus; what stands in the output is none of them.

    Raises:
        ConfigError: A file stands in two corpora, however it is spelt, or in the output folder.
    """
    sources = [(index, role, source) for index, (role, corpus) in enumerate(roles) for source in corpus.sources(output)]
    _refuse_inside([url for _, _, source in sources for url in source.urls], output)
    _refuse_twice([source.urls for _, role, source in sources if role == "train"])
    names = origins([source.urls[0] for _, _, source in sources])
    return tuple(
        Input(index=position, corpus=index, role=role, origin=names[position], source=source)
        for position, (index, role, source) in enumerate(sources)
    )


def _refuse_twice(sources: Sequence[tuple[str, ...]]) -> None:
    """Refuse a file, or a pair of files, that is read as two, by whatever names."""
    spellings: dict[tuple[str, ...], list[str]] = {}
    for urls in sources:
        known = spellings.setdefault(tuple(map(storage.identity, urls)), [])
        known.append(" with ".join(map(storage.redact, urls)))
    twice = next((names for names in spellings.values() if len(names) > 1), None)
    if twice:
        advice = "To see its rows more often in training, give the corpus a weight."
        found = " and ".join(dict.fromkeys(twice))
        raise ConfigError("a file stands in two corpora", where="corpora", found=found, advice=advice)


def _refuse_inside(urls: Sequence[str], output: str | None) -> None:
    """Refuse what is named by itself and stands where the dataset goes: it would be touched."""
    if output is None:
        return
    inside = next((url for url in urls if storage.is_within(url, output)), None)
    if inside is not None:
        raise ConfigError(
            "an input stands in the output folder",
            where=storage.redact(inside),
            found=f"output {storage.redact(output)}",
            advice="Choose an output folder outside of the inputs.",
        )


def _phrase_files(values: object) -> Iterator[str]:
    """The files of phrases that rules name, wherever they stand in a configuration."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            if key == "phrases" and isinstance(value, Mapping) and isinstance(value.get("file"), str):
                yield value["file"]
            yield from _phrase_files(value)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _phrase_files(value)


def local_threads(job: Job) -> int:
    """How many workers the local runner gets: one where starting more would take longer than they save."""
    left = _SMALL_BYTES
    for url in (url for input_ in job.inputs for url in input_.source.urls):
        left -= storage.size(url)
        if left < 0:
            return min(usable_cores(), _MOST_LOCAL_THREADS)
    return 1


def _corpora(config: PrepareConfig) -> tuple[CorpusConfig, ...]:
    if config.corpora:
        return config.corpora
    return (CorpusConfig(source=config.source, target=config.target),)
