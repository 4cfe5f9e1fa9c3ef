"""The plan of a generation in, written down: every file it may leave in the dataset folder; and what was left out.

The note stands in the folder of the generation's work before any of its files is made, so whatever a killed run left
is known by a record of ours, and a file that no record names is somebody else's, whatever it is called.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

import pydantic

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import NEAR_FOLDER, REPORT_NAME, Manifest
from seq2seq_core.dataset.schema import shard_name
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.terms.layout import WORK_FOLDER
from seq2seq_core.preparation.terms.messages import Message, Plan

TRACES_NAME = "files.json"
REPORT_MARKS = (b'name="generator" content="seq2seq"', b'name="made-from"')
TOKENIZERS = tuple(f"tokenizer/{side}.model" for side in ("joint", "source", "target"))

_HEAD_BYTES = 1 << 12


class Traces(Message):
    """The files one generation may leave, relative to the dataset folder, and the folder of its work."""

    generation: int
    work: str
    files: tuple[str, ...]


def work_name(number: int, fingerprint: str) -> str:
    """What the folder of a generation's unfinished work is called."""
    return f"{number:05d}-{fingerprint[:16]}"


def traces_of(plan: Plan) -> Traces:
    """All a generation may publish: shards, rejected rows, tokenizers, and the bands of its rows."""
    shards = [plan.place(p.split, name=shard_name(p.index, p.count)) for p in plan.partitions]
    shards += [plan.place("rejected", "shards", name=shard_name(p.index, p.count)) for p in plan.partitions]
    units = [plan.place("rejected", name=shard_name(unit.index, len(plan.units))) for unit in plan.units]
    count = len(plan.training)
    bands = [plan.place(NEAR_FOLDER, name=shard_name(shard, count, suffix=".arrow")) for shard in range(count)]
    wants_bands = plan.job.recipe.near_duplicates is not None
    tokenizers = TOKENIZERS if plan.tokenizers is None else ()
    files = (*shards, *units, *(bands if wants_bands else ()), *tokenizers)
    return Traces(generation=plan.generation, work=storage.name_of(plan.work), files=files)


def write_down(plan: Plan) -> None:
    """Note what a generation may leave, before it leaves anything."""
    storage.publish_text(storage.join(plan.work, TRACES_NAME), traces_of(plan).model_dump_json())


def all_traces(output: str) -> Iterator[Traces]:
    """The notes of all generations that are being made, or were begun and never finished."""
    work = storage.join(output, WORK_FOLDER)
    for name in storage.list_folder(work):
        data = storage.read_if_there(storage.join(work, name, TRACES_NAME))
        if data is not None:
            try:
                found = Traces.model_validate_json(data)
            except pydantic.ValidationError:
                continue  # then it is no note of ours, and names nothing
            if found.work == name:
                yield found


def refuse_strangers(plan: Plan, latest: Manifest | None) -> None:
    """Make sure that nobody else's file stands where a generation puts its own.

    Raises:
        DatasetError: One does; the first is named.
    """
    output = plan.job.output
    ours = {path for traces in all_traces(output) for path in traces.files} | set(files_of(latest))
    wanted = set(traces_of(plan).files) - ours
    taken = sorted(path for path in present(output, wanted) if path in wanted)
    if latest is None and not is_free_for_page(storage.join(output, REPORT_NAME)):
        taken.append(REPORT_NAME)
    if taken:
        raise DatasetError(
            "a file that this program has not written stands where the dataset would go",
            where=storage.redact(storage.join(output, taken[0])),
            found=f"{len(taken)} such files" if len(taken) > 1 else None,
            advice="Choose a new output folder, or move it away.",
        )


def is_free_for_page(url: str) -> bool:
    """Whether nothing stands there, or a page of this program, which says so in its head."""
    if not storage.exists(url):
        return True
    with storage.open_input(url) as file:
        head = file.read(_HEAD_BYTES)
    return any(mark in head for mark in REPORT_MARKS)


def files_of(manifest: Manifest | None) -> Iterator[str]:
    """The files a manifest names."""
    if manifest is not None:
        yield from (entry.path for entry in manifest.tokenizers.values())
        yield from (shard.path for entry in manifest.splits.values() for shard in entry.shards)
        yield from (entry.path for entry in manifest.rejected)


def present(output: str, paths: Iterable[str]) -> Iterator[str]:
    """All that stands in the folders of some files, relative to the dataset folder."""
    for folder in sorted({posixpath.dirname(path) for path in paths}, reverse=True):
        for name in storage.list_folder(storage.join(output, folder)):
            yield storage.join(folder, name)
