"""The corpora of a preparation in, the job that its workers are given out: all that is known before work starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from seq2seq_core import storage
from seq2seq_core.claims import this_process
from seq2seq_core.corpora.config import CorpusConfig, corpus_names
from seq2seq_core.corpora.misspelt import refuse_misspelt
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.dataset.schema import Split
from seq2seq_core.errors import ConfigError, DatasetError
from seq2seq_core.preparation.planning.corpus_settings import resolve
from seq2seq_core.preparation.planning.generation import origins
from seq2seq_core.preparation.planning.looks import WaysOf, looks_of, way_of
from seq2seq_core.preparation.planning.remembered import remembered
from seq2seq_core.preparation.terms.corpus import Role
from seq2seq_core.preparation.terms.messages import Input, Job
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.tokenizer.model import Tokenizer

Way = tuple[int, str]
"""How inputs of a corpus are read: see `messages.Job`."""

Given = tuple[Role, CorpusConfig]
"""Files, and what they are for."""

Landed = Mapping[int, Sequence[tuple[str, ...]]]
"""The files of each source of some corpora, by their place among those given."""


class _Listed(NamedTuple):
    """A source before anybody asks whether it is known: of thousands, few become an input."""

    corpus: int
    role: Role
    source: Source


def make_job(
    output: str,
    recipe: Recipe,
    given: Sequence[Given],
    shares: Mapping[Split, float],
    configuration: dict[str, Any],
    *,
    verify_inputs: bool = False,
    landed: Landed | None = None,
) -> Job:
    """List the files and look at given tokenizers: all that can be wrong before any work starts.

    Args:
        output: The dataset folder; empty for a dry run, which needs none.
        recipe: How rows become shards.
        given: The corpora in their order, then what is held out of them.
        shares: Share of the corpora that goes to validation or test.
        configuration: For the manifest.
        verify_inputs: Whether all inputs are read, those as well that look as they did when the dataset took them.
        landed: What is read of the corpora for training, all of it, in the place of all files that their patterns name.

    Raises:
        ConfigError, InputError, StorageError, TokenizerError: Something named in the configuration is not usable.
    """
    corpora = [corpus for _, corpus in given]
    names = corpus_names(corpora)
    models = recipe.tokenizer.given or ()
    named = list(_files_of_rules([config.model_dump(mode="json") for config in (recipe, *corpora)]))
    _refuse_inside([*models, *named], output, {url: storage.identity(url) for url in (*models, *named)})
    resolved = tuple(resolve(corpus, role, name, recipe) for (role, corpus), name in zip(given, names, strict=True))
    listed = _list_sources(given, output, recipe.value_sides, landed)
    fresh, ways = _without_known(
        listed, _looked_over(listed, names, output), output if landed is None and not verify_inputs else ""
    )
    if landed is not None:
        ways |= _ways(given, output, recipe.value_sides)
    return Job(
        output=output,
        recipe=recipe,
        corpora=resolved,
        shares=dict(shares),
        inputs=fresh,
        passed=len(listed) - len(fresh),
        ways=tuple(sorted(ways)),
        configuration=configuration,
        tokenizer_digests=tuple(Tokenizer.load(url).digest for url in models),
        holder=this_process(),
    )


def _without_known(
    listed: Sequence[_Listed], identities: Mapping[str, str], output: str
) -> tuple[tuple[Input, ...], set[Way]]:
    """The inputs that have to be read, with how they look, and how all of them are read.

    A training input is known when the dataset in the output has read one that is read in the same way and looks the
    same. Held-out sets are read each time: new rows are compared with them.
    """
    known_ways = WaysOf()
    ways = [known_ways.of(each.source) for each in listed]
    looks = looks_of([each.source for each in listed], ways, identities)
    known = remembered(output, _standing(output), {*looks} - {""}) if output else set()
    names = origins([each.source.urls[0] for each in listed])
    fresh = tuple(
        Input(index=position, **each._asdict(), origin=names[position], look=look)
        for position, (each, look) in enumerate(zip(listed, looks, strict=True))
        if each.role != "train" or look not in known
    )
    return fresh, {(each.corpus, way) for each, way in zip(listed, ways, strict=True)}


def _standing(output: str) -> Manifest | None:
    """The dataset that stands in the output; None where none can be read, of which planning will tell."""
    try:
        return load_manifest(output)
    except DatasetError:
        return None


def _list_sources(given: Sequence[Given], output: str, values: tuple[str, ...], landed: Landed | None) -> list[_Listed]:
    """The files of every corpus, with its place and what they are for; what stands in the output is none of them."""
    return [
        _Listed(index, role, source)
        for index, (role, corpus) in enumerate(given)
        for source in corpus.sources(
            output or None, values, None if landed is None or role != "train" else landed.get(index, ())
        )
    ]


def _ways(given: Sequence[Given], output: str, values: tuple[str, ...]) -> set[Way]:
    """How the corpora for training are read, also those of which nothing is there."""
    return {
        (index, way_of(source))
        for index, (role, corpus) in enumerate(given)
        if role == "train"
        for source in corpus.sources(output or None, values, [()])
    }


def _looked_over(listed: Sequence[_Listed], called: Sequence[str], output: str) -> Mapping[str, str]:
    """What each file is known by.

    Raises:
        ConfigError: A file stands in two corpora, however it is spelt, or in the output folder, or no row has a field.
    """
    urls = [url for each in listed for url in each.source.urls]
    known = dict(zip(urls, storage.identities(urls), strict=True))
    _refuse_inside(urls, output, known)
    _refuse_twice([each.source.urls for each in listed if each.role == "train"], known)
    for index, name in enumerate(called):
        refuse_misspelt([each.source for each in listed if each.corpus == index], name)
    return known


def _refuse_twice(sources: Sequence[tuple[str, ...]], known: Mapping[str, str]) -> None:
    """Refuse a file, or a pair of files, that is read as two, by whatever names; `known` are identities."""
    spellings: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for urls in sources:
        spellings.setdefault(tuple([known[url] for url in urls]), []).append(urls)
    twice = next((names for names in spellings.values() if len(names) > 1), None)
    if twice:
        advice = "To see its rows more often in training, give the corpus a weight."
        found = " and ".join(dict.fromkeys(" with ".join(map(storage.redact, urls)) for urls in twice))
        raise ConfigError("a file stands in two corpora", where="corpora", found=found, advice=advice)


def _refuse_inside(urls: Sequence[str], output: str, known: Mapping[str, str]) -> None:
    """Refuse what is named by itself and stands where the dataset goes: it would be touched."""
    if not output:
        return
    folder = storage.identity(output).rstrip("/")
    inside = next((url for url in urls if f"{known[url]}/".startswith(f"{folder}/")), None)
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
