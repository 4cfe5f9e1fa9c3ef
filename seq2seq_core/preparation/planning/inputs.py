"""The corpora of a preparation in, the job that its workers are given out: all that is known before work starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seq2seq_core import storage
from seq2seq_core.claims import this_process
from seq2seq_core.corpora.config import CorpusConfig, corpus_names
from seq2seq_core.corpora.misspelt import refuse_misspelt
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.dataset.schema import Split
from seq2seq_core.errors import ConfigError, DatasetError
from seq2seq_core.preparation.planning.corpus_settings import resolve
from seq2seq_core.preparation.planning.generation import origins
from seq2seq_core.preparation.planning.looks import WaysOf, looks_of
from seq2seq_core.preparation.planning.seen import seen
from seq2seq_core.preparation.terms.corpus import Role
from seq2seq_core.preparation.terms.messages import Input, Job
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.tokenizer.model import Tokenizer

Ways = tuple[tuple[int, str], ...]
"""How inputs are read: see `messages.Job`."""

Given = tuple[Role, CorpusConfig]
"""Files, and what they are for."""


def make_job(
    output: str,
    recipe: Recipe,
    given: Sequence[Given],
    shares: Mapping[Split, float],
    configuration: dict[str, Any],
    *,
    verify_inputs: bool = False,
) -> Job:
    """List the files and look at given tokenizers: all that can be wrong before any work starts.

    Args:
        output: The dataset folder; empty for a dry run, which needs none.
        recipe: How rows become shards.
        given: The corpora in their order, then what is held out of them.
        shares: Share of the corpora that goes to validation or test.
        configuration: For the manifest.
        verify_inputs: Whether all inputs are read, those as well that look as they did when the dataset took them.

    Raises:
        ConfigError, InputError, StorageError, TokenizerError: Something named in the configuration is not usable.
    """
    corpora = [corpus for _, corpus in given]
    names = corpus_names(corpora)
    models = recipe.tokenizer.given or ()
    named = list(_files_of_rules([config.model_dump(mode="json") for config in (recipe, *corpora)]))
    _refuse_inside([*models, *named], output, {url: storage.identity(url) for url in (*models, *named)})
    inputs = _list_inputs(given, names, output, recipe.value_sides)
    fresh, ways = _without_known(inputs, None if verify_inputs or not output else output)
    return Job(
        output=output,
        recipe=recipe,
        corpora=tuple(resolve(corpus, role, name, recipe) for (role, corpus), name in zip(given, names, strict=True)),
        shares=dict(shares),
        inputs=fresh,
        passed=len(inputs) - len(fresh),
        ways=ways,
        configuration=configuration,
        tokenizer_digests=tuple(Tokenizer.load(url).digest for url in models),
        holder=this_process(),
    )


def _without_known(inputs: Sequence[Input], output: str | None) -> tuple[tuple[Input, ...], Ways]:
    """The inputs that have to be read, with how they look, and how all of them are read.

    A training input is known when the dataset in the output has read one that is read in the same way and looks the
    same. Held-out sets are read each time: new rows are compared with them.
    """
    known_ways = WaysOf()
    ways = [known_ways.of(input_.source) for input_ in inputs]
    looks = looks_of([input_.source for input_ in inputs], ways)
    known = seen(output, _standing(output), {*looks} - {""}) if output else set()
    fresh = tuple(
        input_.model_copy(update={"look": look})
        for input_, look in zip(inputs, looks, strict=True)
        if input_.role != "train" or look not in known
    )
    return fresh, tuple(sorted({(input_.corpus, way) for input_, way in zip(inputs, ways, strict=True)}))


def _standing(output: str) -> Manifest | None:
    """The dataset that stands in the output; None where none can be read, of which planning will tell."""
    try:
        return load_manifest(output)
    except DatasetError:
        return None


def _list_inputs(
    given: Sequence[Given], called: Sequence[str], output: str, values: tuple[str, ...]
) -> tuple[Input, ...]:
    """The files of every corpus; what stands in the output is none of them.

    Raises:
        ConfigError: A file stands in two corpora, however it is spelt, or in the output folder, or no row has a field.
    """
    sources = [
        (index, role, source)
        for index, (role, corpus) in enumerate(given)
        for source in corpus.sources(output or None, values)
    ]
    urls = [url for _, _, source in sources for url in source.urls]
    known = dict(zip(urls, storage.identities(urls), strict=True))
    _refuse_inside(urls, output, known)
    _refuse_twice([source.urls for _, role, source in sources if role == "train"], known)
    for index, name in enumerate(called):
        refuse_misspelt([source for corpus, _, source in sources if corpus == index], name)
    names = origins([source.urls[0] for _, _, source in sources])
    return tuple(
        Input(index=position, corpus=index, role=role, origin=names[position], source=source)
        for position, (index, role, source) in enumerate(sources)
    )


def _refuse_twice(sources: Sequence[tuple[str, ...]], known: Mapping[str, str]) -> None:
    """Refuse a file, or a pair of files, that is read as two, by whatever names; `known` are identities."""
    spellings: dict[tuple[str, ...], list[str]] = {}
    for urls in sources:
        names = spellings.setdefault(tuple(known[url] for url in urls), [])
        names.append(" with ".join(map(storage.redact, urls)))
    twice = next((names for names in spellings.values() if len(names) > 1), None)
    if twice:
        advice = "To see its rows more often in training, give the corpus a weight."
        found = " and ".join(dict.fromkeys(twice))
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
