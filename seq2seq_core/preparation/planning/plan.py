"""Indexed inputs in, the plan of one generation of a dataset out: units, shards and the fingerprint that names them.

The plan follows from the corpus, the configuration and the dataset as it stands. The first run makes generation 0;
a later one with the same configuration adds a generation of what is new, or finds that there is nothing to do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from seq2seq_core import storage
from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.manifest import MANIFEST_NAME, Manifest
from seq2seq_core.dataset.schema import SPLITS, Split
from seq2seq_core.errors import DatasetError, InputError
from seq2seq_core.preparation.planning.claims import claim, withdraw
from seq2seq_core.preparation.planning.generation import (
    Generation,
    Read,
    next_generation,
    origins,
    read_of,
    source_entry,
)
from seq2seq_core.preparation.planning.progress import publish_totals
from seq2seq_core.preparation.planning.traces import refuse_strangers, work_name, write_down
from seq2seq_core.preparation.terms.layout import WORK_FOLDER
from seq2seq_core.preparation.terms.messages import IndexedInput, Job, Partition, Plan, TokenizersReport, Unit

_DATASET_FOLDERS = frozenset({*SPLITS, "rejected", "tokenizer", generations.FOLDER})


def index_input(job: Job, position: int) -> IndexedInput:
    """Read the files of an input once.

    Raises:
        InputError: A file is empty or damaged, lacks a named column, or two plain files differ in their number of
            lines.
    """
    input_ = job.inputs[position]
    files = index_source(input_.source, job.recipe.unit_rows, job.recipe.max_line_bytes)
    return IndexedInput(index=input_.index, files=files)


def make_plan(job: Job, indexed: Iterable[IndexedInput]) -> Plan:
    """See which inputs are new, claim them as the next generation, cut them into units and deal out the shards.

    Readers see the newest generation from here on, should a run have been killed before it could show them.

    Raises:
        DatasetError: The folder holds a dataset of another configuration, or something else.
        ClaimError: Another run is at work there on something else.
    """
    ordered = sorted(indexed, key=lambda entry: entry.index)
    if [entry.index for entry in ordered] != [input_.index for input_ in job.inputs]:
        raise InputError("an input was indexed twice or not at all", found=[entry.index for entry in ordered])
    reads = [read_of(input_, entry) for input_, entry in zip(job.inputs, ordered, strict=True)]
    _check_room(job.output)
    while True:
        latest = _latest(job.output)
        own = next_generation(job, reads, latest)
        if own is None and latest is not None:
            return _nothing_new(job, latest)
        if own is not None:
            plan = _plan(job, reads, own, latest)
            refuse_strangers(plan, latest)
            agreed = claim(job, reads, latest, own)
            if not storage.exists(storage.join(job.output, generations.generation_path(agreed.number))):
                plan = plan if agreed is own else _plan(job, reads, agreed, latest)
                write_down(plan)
                _note_rest(job, agreed)
                publish_totals(plan)
                return plan
            withdraw(job.output, agreed)  # it was added and its claim removed, before this run could see either


def _latest(output: str) -> Manifest | None:
    latest = generations.bring_up_to_date(output)
    if latest is not None and not latest.generations:
        raise DatasetError(
            "the dataset does not say which inputs it was made of, so it cannot grow",
            where=storage.redact(output),
            advice="Choose a new output folder.",
        )
    return latest


def _nothing_new(job: Job, latest: Manifest) -> Plan:
    return Plan(
        job=job,
        generation=len(latest.generations) - 1,
        fingerprint=latest.fingerprint,
        recipe_fingerprint=latest.recipe_fingerprint,
        work=_work(job.output, len(latest.generations) - 1, latest.fingerprint),
        sources=(),
        files=(),
        units=(),
        partitions=(),
        is_done=True,
    )


def _note_rest(job: Job, generation: Generation) -> None:
    """Tell the process that runs this job to run another one, for what this generation leaves."""
    if generation.left:
        name = f"rest-{generation.number:05d}-{job.run}.json"
        storage.publish_text(storage.join(job.output, WORK_FOLDER, name), str(generation.left))


def _plan(job: Job, reads: Sequence[Read], generation: Generation, latest: Manifest | None) -> Plan:
    held_out = [] if latest is None else _as_benchmarks([read for read in reads if read.input.role != "train"])
    chosen = [
        Read(read.input.model_copy(update={"index": index}), read.indexed, read.key)
        for index, read in enumerate([*generation.reads, *held_out])
    ]
    job = job.model_copy(update={"inputs": tuple(read.input for read in chosen)})
    return Plan(
        job=job,
        generation=generation.number,
        fingerprint=generation.fingerprint,
        recipe_fingerprint=generation.recipe_fingerprint,
        work=_work(job.output, generation.number, generation.fingerprint),
        sources=tuple(source_entry(job, read) for read in generation.reads),
        files=tuple(file.model_copy(update={"digests": ()}) for read in chosen for file in read.indexed.files),
        units=tuple(_units(job, [read.indexed for read in chosen])),
        partitions=tuple(_partitions(job, generation.shards, is_first=latest is None)),
        earlier=() if latest is None else tuple(entry.folder for entry in latest.generations),
        tokenizers=None
        if latest is None
        else TokenizersReport(source=latest.source_tokenizer, target=latest.target_tokenizer),
    )


def _as_benchmarks(held_out: Sequence[Read]) -> list[Read]:
    """Held-out sets that the dataset has already, and that new rows are compared with."""
    names = origins([read.input.source.urls[0] for read in held_out])
    return [
        Read(read.input.model_copy(update={"role": "benchmark", "origin": name}), read.indexed, read.key)
        for read, name in zip(held_out, names, strict=True)
    ]


def _work(output: str, number: int, fingerprint: str) -> str:
    return storage.join(output, WORK_FOLDER, work_name(number, fingerprint))


def _check_room(output: str) -> None:
    """Refuse a folder that is no dataset, neither finished nor begun, but has files where one would go (a model)."""
    entries = set(storage.list_folder(output))
    taken = sorted(entries & _DATASET_FOLDERS)
    if taken and not entries & {WORK_FOLDER, MANIFEST_NAME, generations.FOLDER}:
        raise DatasetError(
            "the folder holds something else than a dataset",
            where=storage.redact(output),
            found=", ".join(taken),
            advice="Choose a new output folder.",
        )


def _units(job: Job, indexed: Sequence[IndexedInput]) -> Iterable[Unit]:
    index = 0
    for input_, entry in zip(job.inputs, indexed, strict=True):
        for part in cut(input_.source, entry.files):
            yield Unit(index=index, corpus=input_.corpus, role=input_.role, origin=input_.origin, part=part)
            index += 1


def _partitions(job: Job, train: int, *, is_first: bool) -> Iterable[Partition]:
    """The training shards, and those of the other splits, which never change after the first generation."""
    counts: dict[Split, int] = {"train": train}
    if is_first:
        counts |= {split: math.ceil(train * share) for split, share in sorted(job.shares.items())}
    slot = 0
    for split, count in counts.items():
        for index in range(count):
            yield Partition(split=split, index=index, count=count, slot=slot)
            slot += 1
    given = {input_.role for input_ in job.inputs}
    for split in (split for split in SPLITS if split != "train" and split in given):
        yield Partition(split=split, index=0, count=1, slot=None)
