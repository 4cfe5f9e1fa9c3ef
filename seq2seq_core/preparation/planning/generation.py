"""Indexed inputs and the dataset as it stands in; the generation to add, named by its content, out.

An input counts as seen when an earlier generation has read the same content in the same way, whatever the files are
called now. What a generation holds follows from the recipe, the generations before it and its own inputs alone; into
how many shards it is dealt follows from its own size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seq2seq_core import storage
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.dataset.manifest import InputEntry, Manifest, SourceEntry
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.schema import FORMAT_VERSION
from seq2seq_core.errors import DatasetError
from seq2seq_core.modalities.table import USUAL
from seq2seq_core.preparation.planning.looks import way_of
from seq2seq_core.preparation.planning.seen import name_of_origin, seen
from seq2seq_core.preparation.planning.sizes import PART_ROWS, default_shards, parts_a_unit, total_bytes
from seq2seq_core.preparation.terms.corpus import Corpus
from seq2seq_core.preparation.terms.messages import IndexedInput, Input, Job


@dataclass(frozen=True)
class Read:
    """An input with what one pass over its files has told.

    Attributes:
        key: Names the content and how it is read.
        is_again: The dataset has read it; rows that were duplicates of others that were taken out come in now.
    """

    input: Input
    indexed: IndexedInput
    key: str
    is_again: bool = False


@dataclass(frozen=True)
class Generation:
    """What is to be added to a dataset.

    Attributes:
        number: From 0.
        shards: Number of training shards.
        reads: Its inputs; held-out sets given as files belong to generation 0.
        together: How many parts of each of them a unit takes.
        again: What is read again, as rows of other files were taken out.
        looks: How its inputs look, and others that were seen before.
        left: How many more inputs are new, which another generation will have to add.
    """

    number: int
    fingerprint: str
    recipe_fingerprint: str
    shards: int
    reads: tuple[Read, ...]
    together: tuple[int, ...]
    again: tuple[Read, ...] = ()
    looks: tuple[str, ...] = ()
    left: int = 0


def read_of(input_: Input, indexed: IndexedInput) -> Read:
    """An input with its key."""
    return Read(input_, indexed, _digest([_way(input_.source), [file.fingerprint for file in indexed.files]]))


def source_entry(job: Job, read: Read) -> SourceEntry:
    """An input as a manifest keeps it."""
    return SourceEntry(
        corpus=job.corpora[read.input.corpus].name,
        role=read.input.role,
        origin=read.input.origin,
        key=read.key,
        files=tuple(
            InputEntry(url=storage.redact(file.url), bytes=file.bytes, fingerprint=file.fingerprint)
            for file in read.indexed.files
        ),
    )


def shards_of(manifest: Manifest) -> int:
    """Into how many training shards the first generation of a dataset was dealt."""
    return manifest.dealt


def recipe_fingerprint(job: Job, reads: Sequence[Read], shards: int) -> str:
    """xxh3-128 over all that every generation of a dataset must have in common.

    That is the recipe, what the corpora are set to and how they are read, the content of held-out sets, the number of
    shards of the first generation and the tokenizers given; neither the corpora's files nor where anything lies or what
    it is called.
    """
    recipe = job.recipe.model_dump(mode="json", exclude={"tokenizer": {"model", "source_model", "target_model"}})
    recipe |= {"shards": shards, "unit_rows": job.recipe.unit_rows or PART_ROWS}
    if recipe["source_modality"] == USUAL:  # as before there were others
        del recipe["source_modality"]
    if recipe["unit_seconds"] is None:
        del recipe["unit_seconds"]
    corpora = [_judging(corpus) for corpus in job.corpora]
    ways = sorted({*job.ways, *((read.input.corpus, way_of(read.input.source)) for read in reads)})
    held_out = [[read.input.corpus, read.input.role, read.key] for read in reads if read.input.role != "train"]
    settings = [recipe, corpora, ways, job.shares, job.tokenizer_digests]
    return _digest([FORMAT_VERSION, settings, held_out])


def next_generation(job: Job, reads: Sequence[Read], latest: Manifest | None) -> Generation | None:
    """The generation that adds all inputs not seen yet; None when there are none.

    Raises:
        DatasetError: The dataset was made with another configuration or tokenizer.
    """
    shards = job.recipe.shards or (default_shards(corpus_bytes(reads)) if latest is None else shards_of(latest))
    recipe = recipe_fingerprint(job, reads, shards)
    if latest is None:
        return replace(_generation(job, recipe, shards, reads, latest), looks=_looks(reads, []))
    _check_recipe(job, recipe, latest)
    fresh = _fresh(job, reads, latest)
    again = _again(job, reads, fresh, latest)
    if not fresh and not again:
        return None
    own = job.recipe.shards or default_shards(corpus_bytes(fresh))
    generation = _generation(job, recipe, own, _renamed(job, fresh, latest), latest, again)
    return replace(generation, looks=_looks(reads, []))


def chosen_generation(
    job: Job, reads: Sequence[Read], latest: Manifest | None, inputs: Sequence[SourceEntry], shards: int
) -> Generation | None:
    """The generation of those inputs that another run has chosen, under the names it gave them.

    None when one of them is not among the inputs that are new here. The caller compares fingerprints.

    Args:
        job: The job.
        reads: All its inputs.
        latest: The dataset as it stands.
        inputs: What the other run adds.
        shards: Into how many training shards it deals that.
    """
    pool: dict[tuple[str, str], list[Read]] = {}
    fresh = _fresh(job, reads, latest)
    for read in fresh:
        pool.setdefault((read.input.role, read.key), []).append(read)
    chosen: list[Read] = []
    for entry in inputs:
        found = pool.get((entry.role, entry.key))
        if not found:
            return None
        chosen.append(_named(found.pop(0), entry.origin))
    shards = job.recipe.shards or shards
    recipe = recipe_fingerprint(job, reads, shards if latest is None else job.recipe.shards or shards_of(latest))
    generation = _generation(job, recipe, shards, chosen, latest, _again(job, reads, fresh, latest))
    names = {(read.input.role, read.key) for read in chosen}
    left = [read for read in fresh if (read.input.role, read.key) not in names]
    return replace(generation, looks=_looks(reads, left), left=len(fresh) - len(chosen))


def origins(urls: Sequence[str]) -> list[str]:
    """The shortest ends of the paths that tell the files apart: names that do not depend on where a corpus lies."""
    paths = [url.replace("://", "/").rstrip("/") for url in urls]
    count, depth = len({*paths}), 1
    while len({*(ends := ["/".join(path.rsplit("/", depth)[-depth:]) for path in paths])}) < count:
        depth += 1
    return ends


def _way(source: Source) -> dict[str, Any]:
    """How an input is read."""
    way: dict[str, Any] = source.model_dump(mode="json", exclude={"urls", "audio_root"})
    return way


def _judging(corpus: Corpus) -> dict[str, Any]:
    """What a corpus is set to, with all rules that judge it."""
    values: dict[str, Any] = corpus.model_dump(mode="json", exclude={"name"})
    values["filters"] |= corpus.filters.unwritten(corpus.measured)
    return values


def _fresh(job: Job, reads: Sequence[Read], latest: Manifest | None) -> list[Read]:
    """The corpora's inputs that no generation has seen; all inputs when there is none."""
    if latest is None:
        return list(reads)
    corpora = [read for read in reads if read.input.role == "train"]
    known = seen(job.output, latest, {read.key for read in corpora})
    if latest.ledger.replaced and known:
        known &= {source.key for _, source in Dataset(job.output, latest).standing_inputs()}
    return [read for read in corpora if read.key not in known]


def _again(job: Job, reads: Sequence[Read], fresh: Sequence[Read], latest: Manifest | None) -> list[Read]:
    """Inputs that the dataset has, where the newest generation has done nothing but take out rows of others."""
    if latest is None or not latest.generations[-1].replaced:
        return []
    new = {read.key for read in fresh}
    origin_of = {source.key: source.origin for _, source in Dataset(job.output, latest).standing_inputs()}
    known = [read for read in reads if read.input.role == "train" and read.key not in new]
    return [replace(_named(read, origin_of[read.key]), is_again=True) for read in known if read.key in origin_of]


def _looks(reads: Sequence[Read], left: Sequence[Read]) -> tuple[str, ...]:
    """How the corpora's inputs look that are known when a generation stands: all but those that are left out."""
    new = {read.key for read in left}
    looks = {read.input.look for read in reads if read.input.role == "train" and read.key not in new}
    return tuple(sorted(looks - {""}))


def _renamed(job: Job, fresh: Sequence[Read], latest: Manifest) -> list[Read]:
    """New inputs with names of their own: they depend neither on inputs seen before nor on where those lie now."""
    names = origins([read.input.source.urls[0] for read in fresh])
    taken = seen(job.output, latest, {name_of_origin(name) for name in names})
    return [
        _named(read, f"generation-{latest.newest + 1:05d}/{name}" if name_of_origin(name) in taken else name)
        for read, name in zip(fresh, names, strict=True)
    ]


def _named(read: Read, origin: str) -> Read:
    return Read(read.input.model_copy(update={"origin": origin}), read.indexed, read.key)


def _generation(
    job: Job,
    recipe: str,
    shards: int,
    reads: Sequence[Read],
    latest: Manifest | None,
    again: Sequence[Read] = (),
) -> Generation:
    before = None if latest is None else latest.fingerprint
    inputs = [[read.input.corpus, read.input.role, read.input.origin, read.key] for read in reads]
    together = _together(job, reads)
    # Another cutting is other work; where nothing is put together, it is named as it always was.
    cutting: list[object] = [together] if any(count > 1 for count in together) else []
    # Where audio is named, cuts may follow from more than what the files with the rows hold.
    cutting += [read.indexed.files[0].starts for read in reads if read.indexed.files[0].data_bytes is not None]
    cutting += [read.key for read in again]
    return Generation(
        number=0 if latest is None else latest.newest + 1,
        fingerprint=_digest([recipe, before, inputs, *cutting]),
        recipe_fingerprint=recipe,
        shards=shards,
        reads=tuple(reads),
        together=together,
        again=tuple(again),
    )


def _together(job: Job, reads: Sequence[Read]) -> tuple[int, ...]:
    """How many parts of each input a unit takes: one, where the recipe says how large parts are."""
    total = 0 if job.recipe.unit_rows or job.recipe.unit_seconds else corpus_bytes(reads)
    return tuple(parts_a_unit(total, read.indexed.files) for read in reads)


def corpus_bytes(reads: Sequence[Read]) -> int:
    """About how many bytes of text the corpora among some inputs hold."""
    return total_bytes(read.indexed.files for read in reads if read.input.role == "train")


def _check_recipe(job: Job, recipe: str, latest: Manifest) -> None:
    given = job.tokenizer_digests
    of_dataset = tuple(entry.digest for entry in latest.tokenizers.values())
    if given and (given[0], given[-1])[-len(of_dataset) :] != of_dataset:
        raise _refuse(job, "the dataset was made with another tokenizer", "digest", of_dataset, given)
    if recipe != latest.recipe_fingerprint:
        before, now = _settled(latest.configuration), _settled(job.configuration)
        changed = ", ".join(_changed(before, now)) or "held-out files, or what a file or function of filters says"
        problem = f"a dataset of another configuration stands here (changed: {changed})"
        raise _refuse(job, problem, "fingerprint", (latest.recipe_fingerprint,), (recipe,))


def _refuse(job: Job, problem: str, what: str, found: Sequence[str], expected: Sequence[str]) -> DatasetError:
    return DatasetError(
        problem,
        where=storage.redact(job.output),
        found=f"{what} {' and '.join(dict.fromkeys(found))}",
        expected=f"{what} {' and '.join(dict.fromkeys(expected))}",
        advice="Choose a new output folder, or go on with the configuration of this one.",
    )


def _settled(configuration: Mapping[str, object]) -> dict[str, object]:
    """A configuration with what a setting that is left out stands for."""
    return {**configuration, "unit_rows": configuration.get("unit_rows") or PART_ROWS}


def _changed(before: Mapping[str, object], now: Mapping[str, object], above: str = "") -> list[str]:
    """The keys of a configuration that have changed, dotted."""
    found: list[str] = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _changed(old, new, f"{above}{key}.")
        elif old != new:
            found.append(f"{above}{key}")
    return found


def _digest(value: object) -> str:
    return storage.digest_bytes(json.dumps(value, sort_keys=True, ensure_ascii=True).encode())
