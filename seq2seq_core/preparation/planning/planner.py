"""Indexed inputs in, the plan of one generation of a dataset out: units, shards and the fingerprint that names them.

The plan follows from the corpus, the configuration and the dataset as it stands. The first run makes generation 0;
a later one with the same configuration adds a generation of what is new, or finds that there is nothing to do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from seq2seq_core import storage
from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.corpora.terms.index import PART_SECONDS
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.manifest import MANIFEST_NAME, KnownKind, Manifest
from seq2seq_core.dataset.schema import SPLITS, Split
from seq2seq_core.errors import DatasetError, InputError
from seq2seq_core.preparation.known.merging import known_at
from seq2seq_core.preparation.planning.generation import (
    Generation,
    Read,
    corpus_bytes,
    next_generation,
    origins,
    read_of,
    source_entry,
)
from seq2seq_core.preparation.planning.reservation import claim, withdraw
from seq2seq_core.preparation.planning.sizes import PART_ROWS
from seq2seq_core.preparation.planning.traces import refuse_strangers, write_down
from seq2seq_core.preparation.planning.watch import publish_totals
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.known import Cut, Known, cut_of
from seq2seq_core.preparation.terms.messages import (
    Head,
    IndexedInput,
    Input,
    Job,
    Plan,
    Terms,
    TokenizersReport,
    Unit,
)
from seq2seq_core.preparation.terms.recipe import Recipe

_ROW_BYTES = 100
_SELDOM = 16  # of so many rows one has another in its place


def index_input(recipe: Recipe, input_: Input) -> IndexedInput:
    """Read the files of an input once.

    Raises:
        InputError: A file is empty or damaged, lacks a named column, or two plain files differ in their number of
            lines.
    """
    files = index_source(
        input_.source, recipe.unit_rows or PART_ROWS, recipe.max_line_bytes, recipe.unit_seconds or PART_SECONDS
    )
    return IndexedInput(index=input_.index, files=files)


def try_inputs(job: Job) -> None:
    """Read what is for training once, for the errors of `index_input` alone."""
    for input_ in job.inputs:
        if input_.role == "train":
            index_input(job.recipe, input_)


def make_plan(job: Job, indexed: Iterable[IndexedInput]) -> Plan:
    """See which inputs are new, claim them as the next generation, cut them into units and deal out the shards.

    Readers see the newest generation from here on, should a run have been killed before it could show them.

    Raises:
        DatasetError: The folder holds a dataset of another configuration, or something else, or a dataset that inputs
            were passed over for is gone.
        ClaimError: Another run is at work there on something else.
    """
    ordered = sorted(indexed, key=lambda entry: entry.index)
    if [entry.index for entry in ordered] != [input_.index for input_ in job.inputs]:
        raise InputError("an input was indexed twice or not at all", found=[entry.index for entry in ordered])
    reads = [read_of(input_, entry) for input_, entry in zip(job.inputs, ordered, strict=True)]
    _check_room(job.output)
    while True:
        latest = _latest(job)
        own = next_generation(job, reads, latest)
        if own is None and latest is not None:
            return _nothing_new(job, latest)
        if own is not None:
            plan = _plan(job, reads, own, latest)
            refuse_strangers(plan.head, latest)
            agreed = claim(job, reads, latest, own)
            if not generations.is_committed(job.output, agreed.number):
                plan = plan if agreed is own else _plan(job, reads, agreed, latest)
                write_down(plan.head)
                _note_rest(job, agreed)
                publish_totals(plan, [file for read in reads for file in read.indexed.files])
                return plan
            withdraw(job.output, agreed)  # it was added and its claim removed, before this run could see either


def _latest(job: Job) -> Manifest | None:
    latest = generations.bring_up_to_date(job.output)
    where = storage.redact(job.output)
    if latest is None and job.passed:
        raise DatasetError(
            "the dataset is gone whose inputs were not to be read again", where=where, advice="Run again."
        )
    if latest is not None and not (latest.generations and latest.dealt):
        raise DatasetError(
            "the dataset was made by an earlier version, so it cannot grow",
            where=where,
            advice="Choose a new output folder.",
        )
    return latest


def _nothing_new(job: Job, latest: Manifest) -> Plan:
    number, fingerprint = latest.newest, latest.fingerprint
    head = Head(
        **_terms(job),
        generation=number,
        fingerprint=fingerprint,
        work=layout.work(job.output, number, fingerprint),
        units=0,
        dealt={},
        is_done=True,
    )
    return Plan(
        head=head,
        recipe_fingerprint=latest.recipe_fingerprint,
        configuration=job.configuration,
        sources=(),
        units=(),
    )


def _note_rest(job: Job, generation: Generation) -> None:
    """Tell the process that runs this job to run another one, for what this generation leaves."""
    if generation.left:
        name = layout.REST.of(generation=generation.number, run=job.run)
        storage.publish_text(layout.note(job.output, name), str(generation.left))


def _plan(job: Job, reads: Sequence[Read], generation: Generation, latest: Manifest | None) -> Plan:
    held_out = [] if latest is None else _as_benchmarks([read for read in reads if read.input.role != "train"])
    others = [*held_out, *generation.again]
    chosen = [*generation.reads, *others]
    units = list(_units(chosen, [*generation.together, *[1] * len(others)]))
    roles = {read.input.role for read in chosen}
    head = Head(
        **_terms(job),
        generation=generation.number,
        fingerprint=generation.fingerprint,
        work=layout.work(job.output, generation.number, generation.fingerprint),
        units=len(units),
        dealt=_dealt(job, generation.shards, is_first=latest is None),
        given=tuple(split for split in SPLITS if split != "train" and split in roles),
        known=_known(job, generation, latest),
        tokenizers=None
        if latest is None
        else TokenizersReport(source=latest.source_tokenizer, target=latest.target_tokenizer),
    )
    return Plan(
        head=head,
        recipe_fingerprint=generation.recipe_fingerprint,
        configuration=job.configuration,
        sources=tuple(source_entry(job, read) for read in generation.reads),
        units=tuple(units),
        looks=generation.looks,
    )


def _known(job: Job, generation: Generation, latest: Manifest | None) -> Known:
    """What is known of earlier generations, and about how much this one adds to it."""
    number, fingerprint, shards = generation.number, generation.fingerprint, generation.shards
    rows, near, adds = corpus_bytes(generation.reads) // _ROW_BYTES, job.recipe.near_duplicates, dict[KnownKind, Cut]()
    if job.recipe.deduplicate != "none":
        adds["rows"] = cut_of(layout.known_run("rows", number, fingerprint), rows, shards)
    if near is not None:
        adds["bands"] = cut_of(layout.known_run("bands", number, fingerprint), rows * near.bands, shards)
        adds["kept"] = cut_of(layout.known_run("kept", number, fingerprint), rows // _SELDOM, 1)
    return known_at(number, fingerprint, {} if latest is None else latest.known, adds)


def _terms(job: Job) -> dict[str, Any]:
    """What a job and a generation have in common."""
    return {name: getattr(job, name) for name in Terms.model_fields}


def _as_benchmarks(held_out: Sequence[Read]) -> list[Read]:
    """Held-out sets that the dataset has already, and that new rows are compared with."""
    names = origins([read.input.source.urls[0] for read in held_out])
    return [
        Read(read.input.model_copy(update={"role": "benchmark", "origin": name}), read.indexed, read.key)
        for read, name in zip(held_out, names, strict=True)
    ]


def _check_room(output: str) -> None:
    """Refuse a folder that is no dataset, neither finished nor begun, but has files where one would go (a model)."""
    entries = set(storage.list_folder(output))
    taken = sorted(entries & layout.DATASET_FOLDERS)
    if taken and not entries & {layout.WORK_FOLDER, MANIFEST_NAME, generations.FOLDER}:
        first = next(iter(storage.files_below(storage.join(output, taken[0]))), None)
        named = [taken[0] if first is None else f"{taken[0]}/{first}", *taken[1:]]
        raise DatasetError(
            "the folder holds something else than a dataset",
            where=storage.redact(output),
            found=", ".join(named),
            advice="Choose a new output folder, or move that away.",
        )


def _units(reads: Sequence[Read], together: Sequence[int]) -> Iterator[Unit]:
    """The units of some inputs, each of so many neighbouring parts."""
    cuts = [
        (read, cut(read.input.source, read.indexed.files), count) for read, count in zip(reads, together, strict=True)
    ]
    every = ((read, parts[i : i + count]) for read, parts, count in cuts for i in range(0, len(parts), count))
    for index, (read, parts) in enumerate(every):
        input_ = read.input
        yield Unit(
            index=index,
            corpus=input_.corpus,
            role=input_.role,
            origin=input_.origin,
            parts=tuple(parts),
            is_again=read.is_again,
        )


def _dealt(job: Job, train: int, *, is_first: bool) -> dict[Split, int]:
    """Number of shards by split: training, and those by shares, which never change after the first generation."""
    shares = {split: math.ceil(train * share) for split, share in sorted(job.shares.items())}
    return {"train": train, **(shares if is_first else {})}
