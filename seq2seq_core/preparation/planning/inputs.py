"""The corpora of a preparation in, the job that its workers are given out: all that is known before work starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seq2seq_core import storage
from seq2seq_core.claims import this_process
from seq2seq_core.corpora.config import CorpusConfig, corpus_names
from seq2seq_core.corpora.misspelt import refuse_misspelt
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.dataset.schema import Split
from seq2seq_core.errors import ConfigError
from seq2seq_core.preparation.planning.corpus_settings import resolve
from seq2seq_core.preparation.planning.generation import origins
from seq2seq_core.preparation.terms.corpus import Role
from seq2seq_core.preparation.terms.messages import Input, Job, Way
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.tokenizer.model import Tokenizer

Given = tuple[Role, CorpusConfig]
"""Files, and what they are for."""

Landed = Mapping[int, Sequence[tuple[str, ...]]]
"""The files of each source of some corpora, by their place among those given."""


def make_job(
    output: str,
    recipe: Recipe,
    given: Sequence[Given],
    shares: Mapping[Split, float],
    configuration: dict[str, Any],
    landed: Landed | None = None,
) -> Job:
    """List the files and look at given tokenizers: all that can be wrong before any work starts.

    Args:
        output: The dataset folder; empty for a dry run, which needs none.
        recipe: How rows become shards.
        given: The corpora in their order, then what is held out of them.
        shares: Share of the corpora that goes to validation or test.
        configuration: For the manifest.
        landed: What is read of the corpora for training, in the place of all files that their patterns name.

    Raises:
        ConfigError, InputError, StorageError, TokenizerError: Something named in the configuration is not usable.
    """
    corpora = [corpus for _, corpus in given]
    names = corpus_names(corpora)
    models = recipe.tokenizer.given or ()
    named = _files_of_rules([config.model_dump(mode="json") for config in (recipe, *corpora)])
    _refuse_inside([*models, *named], output)
    sources = _list_sources(given, output, recipe.value_sides, landed)
    return Job(
        output=output,
        recipe=recipe,
        corpora=tuple(resolve(corpus, role, name, recipe) for (role, corpus), name in zip(given, names, strict=True)),
        shares=dict(shares),
        inputs=_list_inputs(sources, names, output),
        ways=() if landed is None else _ways(given, output, recipe.value_sides),
        configuration=configuration,
        tokenizer_digests=tuple(Tokenizer.load(url).digest for url in models),
        holder=this_process(),
    )


def _list_sources(
    given: Sequence[Given], output: str, values: tuple[str, ...], landed: Landed | None
) -> list[tuple[int, Role, Source]]:
    """The files of every corpus, with its place and what they are for; what stands in the output is none of them."""
    return [
        (index, role, source)
        for index, (role, corpus) in enumerate(given)
        for source in corpus.sources(
            output or None, values, None if landed is None or role != "train" else landed.get(index, ())
        )
    ]


def _ways(given: Sequence[Given], output: str, values: tuple[str, ...]) -> tuple[Way, ...]:
    """How the corpora for training are read, also those of which nothing is there."""
    return tuple(
        Way(corpus=index, source=source)
        for index, (role, corpus) in enumerate(given)
        if role == "train"
        for source in corpus.sources(output or None, values, [()])
    )


def _list_inputs(sources: Sequence[tuple[int, Role, Source]], called: Sequence[str], output: str) -> tuple[Input, ...]:
    """The inputs of a run.

    Raises:
        ConfigError: A file stands in two corpora, however it is spelt, or in the output folder, or no row has a field.
    """
    _refuse_inside([url for _, _, source in sources for url in source.urls], output)
    _refuse_twice([source.urls for _, role, source in sources if role == "train"])
    for index, name in enumerate(called):
        refuse_misspelt([source for corpus, _, source in sources if corpus == index], name)
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


def _refuse_inside(urls: Sequence[str], output: str) -> None:
    """Refuse what is named by itself and stands where the dataset goes: it would be touched."""
    if not output:
        return
    inside = next((url for url in urls if storage.is_within(url, output)), None)
    if inside is not None:
        raise ConfigError(
            "an input stands in the output folder",
            where=storage.redact(inside),
            found=f"output {storage.redact(output)}",
            advice="Choose an output folder outside of the inputs.",
        )


def _files_of_rules(values: object) -> Iterator[str]:
    """The files that rules name, such as one with phrases, wherever they stand in a configuration."""
    if isinstance(values, Mapping):
        if isinstance(values.get("file"), str):
            yield values["file"]
        values = list(values.values())
    if isinstance(values, list | tuple):
        for value in values:
            yield from _files_of_rules(value)
