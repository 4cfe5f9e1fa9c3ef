"""Indexed inputs in, the plan of a preparation out: units, shards and the fingerprint that names them.

The plan follows from the corpus and the configuration alone. One dataset folder belongs to one fingerprint: the
first run claims it, and a run with another fingerprint is refused until the first has failed in an orderly way.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Sequence
from typing import Any

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, InputError
from seq2seq_core.preparation.messages import IndexedInput, Input, Job, Partition, Plan, Unit
from seq2seq_core.shards.manifest import MANIFEST_NAME, load_manifest
from seq2seq_core.shards.schema import FORMAT_VERSION, SPLITS, Split
from seq2seq_core.text.reading.compression import codec_of
from seq2seq_core.text.reading.corpus import Part
from seq2seq_core.text.reading.index import FileIndex, index_file
from seq2seq_core.text.reading.moses import unequal

logger = logging.getLogger(__name__)

WORK_FOLDER = "_work"
_CLAIM = "claim.json"
_DATASET_FOLDERS = frozenset({*SPLITS, "rejected", "tokenizer"})
_SHARD_BYTES = 8 << 20
_MOST_DEFAULT_SHARDS = 4096
_COMPRESSION = 3
_LARGE_ARCHIVE_BYTES = 1 << 30


def index_input(job: Job, position: int) -> IndexedInput:
    """Read the files of an input once.

    Raises:
        InputError: A file is empty, lacks a named column, or two plain files differ in their number of lines.
    """
    input_ = job.inputs[position]
    source, recipe = input_.source, job.recipe
    if source.format == "tsv":
        source.columns(recipe.max_line_bytes)
    files = tuple(index_file(url, recipe.unit_rows) for url in source.urls)
    counts = [file.lines for file in files]
    if len(counts) == 2 and counts[0] is not None and counts[1] is not None and counts[0] != counts[1]:
        raise unequal((source.urls[0], source.urls[1]), (counts[0], counts[1]))
    return IndexedInput(index=input_.index, files=files)


def make_plan(job: Job, indexed: Iterable[IndexedInput]) -> Plan:
    """Cut the inputs into units, deal out the shards and claim the output folder.

    Raises:
        DatasetError: The folder holds, or another run is making there, a dataset of another fingerprint.
    """
    ordered = sorted(indexed, key=lambda entry: entry.index)
    if [entry.index for entry in ordered] != [input_.index for input_ in job.inputs]:
        raise InputError("an input was indexed twice or not at all", found=[entry.index for entry in ordered])
    print_ = fingerprint(job, ordered)
    _check_room(job.output)
    is_done = _is_done(job.output, print_) or _claim(job, print_)
    return Plan(
        job=job,
        fingerprint=print_,
        work=work_folder(job.output, print_),
        files=tuple(file for entry in ordered for file in entry.files),
        units=() if is_done else tuple(_units(job, ordered)),
        partitions=() if is_done else tuple(_partitions(job, ordered)),
        is_done=is_done,
    )


def fingerprint(job: Job, indexed: Sequence[IndexedInput]) -> str:
    """xxh3-128 over the recipe and the content of all inputs; where they lie and where the output goes is no part."""
    recipe = job.recipe.model_dump(mode="json", exclude={"tokenizer": {"model", "source_model", "target_model"}})
    inputs = [
        [input_.corpus, input_.origin, input_.source.format, input_.source.fields, [f.fingerprint for f in entry.files]]
        for input_, entry in zip(job.inputs, indexed, strict=True)
    ]
    corpora = [corpus.model_dump(mode="json") for corpus in job.corpora]
    named = [FORMAT_VERSION, recipe, corpora, job.shares, inputs, job.tokenizer_digests]
    return storage.digest_bytes(json.dumps(named, sort_keys=True, ensure_ascii=True).encode())


def work_folder(output: str, print_: str) -> str:
    """Where the unfinished work of a fingerprint lies."""
    return storage.join(output, WORK_FOLDER, print_[:16])


def origins(urls: Sequence[str]) -> list[str]:
    """The shortest ends of the paths that tell the files apart: names that do not depend on where a corpus lies."""
    parts = [url.replace("://", "/").rstrip("/").split("/") for url in urls]
    depth = 1
    while len({tuple(p[-depth:]) for p in parts}) < len({tuple(p) for p in parts}):
        depth += 1
    return ["/".join(p[-depth:]) for p in parts]


def _check_room(output: str) -> None:
    """Refuse a folder that is no dataset, neither finished nor begun, but has files where one would go (a model)."""
    entries = set(storage.list_folder(output))
    taken = sorted(entries & _DATASET_FOLDERS)
    if taken and not entries & {WORK_FOLDER, MANIFEST_NAME}:
        raise DatasetError(
            "the folder holds something else than a dataset",
            where=storage.redact(output),
            found=", ".join(taken),
            advice="Choose a new output folder.",
        )


def _is_done(output: str, print_: str) -> bool:
    if not storage.exists(storage.join(output, MANIFEST_NAME)):
        return False
    finished = load_manifest(output).fingerprint
    if finished != print_:
        raise _refuse(output, "a dataset of another corpus or configuration stands here", finished, print_)
    return True


def release(output: str, configuration: dict[str, Any]) -> None:
    """Give a claimed folder free again, if it was claimed with this configuration: another may be tried there."""
    url = storage.join(output, WORK_FOLDER, _CLAIM)
    if storage.exists(url) and json.loads(storage.read_text(url))["configuration"] == configuration:
        storage.remove(url)


def _claim(job: Job, print_: str) -> bool:
    """Claim the folder; True when another run with the same fingerprint has finished it in the meantime."""
    url = storage.join(job.output, WORK_FOLDER, _CLAIM)
    claim = json.dumps({"fingerprint": print_, "configuration": job.configuration})
    if not storage.create_exclusively(url, claim.encode()):
        claimed = json.loads(storage.read_text(url))["fingerprint"]
        if claimed != print_:
            problem = "a preparation of another corpus or configuration is under way here, or was killed"
            raise _refuse(job.output, problem, claimed, print_)
    return _is_done(job.output, print_)


def _refuse(output: str, problem: str, found: str, expected: str) -> DatasetError:
    return DatasetError(
        problem,
        where=storage.redact(output),
        found=f"fingerprint {found}",
        expected=f"fingerprint {expected}",
        advice="Choose a new output folder, or delete this one.",
    )


def _units(job: Job, indexed: Sequence[IndexedInput]) -> Iterable[Unit]:
    index = 0
    for input_, entry in zip(job.inputs, indexed, strict=True):
        for part in _parts(input_, entry.files, job.recipe.unit_rows):
            yield Unit(index=index, corpus=input_.corpus, role=input_.role, origin=input_.origin, part=part)
            index += 1


def _parts(input_: Input, files: tuple[FileIndex, ...], unit_rows: int) -> Iterable[Part]:
    """Ranges of `unit_rows` lines of plain files; the whole when a file is compressed."""
    source = input_.source
    if not source.can_be_cut:
        size = sum(file.bytes for file in files)
        if size > _LARGE_ARCHIVE_BYTES:
            message = "%s: %.1f GB compressed are read by one worker as one stream; unpacked, or in pieces, by many"
            logger.warning(message, storage.redact(source.urls[0]), size / 1e9)
        yield Part(source=source, ranges=tuple((0, None) for _ in files), first_line=1)
        return
    for i in range(len(files[0].cuts) - 1):
        ranges = tuple((file.cuts[i], file.cuts[i + 1]) for file in files)
        yield Part(source=source, ranges=ranges, first_line=1 + i * unit_rows)


def _partitions(job: Job, indexed: Sequence[IndexedInput]) -> Iterable[Partition]:
    train = job.recipe.shards or _default_shards(job, indexed)
    counts: dict[Split, int] = {"train": train}
    counts |= {split: math.ceil(train * share) for split, share in sorted(job.shares.items())}
    slot = 0
    for split, count in counts.items():
        for index in range(count):
            yield Partition(split=split, index=index, count=count, slot=slot)
            slot += 1
    given = {input_.role for input_ in job.inputs}
    for split in (split for split in SPLITS if split != "train" and split in given):
        yield Partition(split=split, index=0, count=1, slot=None)


def _default_shards(job: Job, indexed: Sequence[IndexedInput]) -> int:
    """One for about 8 MiB of text, up to a number at which each unit still has rows for all of them."""
    total = sum(
        file.bytes * (_COMPRESSION if codec_of(file.url) else 1)
        for input_, entry in zip(job.inputs, indexed, strict=True)
        for file in entry.files
        if input_.role == "train"
    )
    return min(_MOST_DEFAULT_SHARDS, math.ceil(total / _SHARD_BYTES))
