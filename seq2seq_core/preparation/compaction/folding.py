"""Records of neighbouring generations in, one record of the same rows in fewer files out; nothing is committed here.

Rows keep their order: small files that follow one another are put together, large ones stay as they are. So the number
of a row in its split, its place in the stream of training batches, and what names the data are what they were.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.generations import joined
from seq2seq_core.dataset.manifest import (
    FoldedInputs,
    GenerationEntry,
    Manifest,
    RejectedEntry,
    ShardEntry,
    SourceEntry,
    looks_path,
    run_part,
)
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.dataset.writer import write_rejected, write_shard
from seq2seq_core.preparation.compaction.packing import packed
from seq2seq_core.preparation.known.runs import share, write_run
from seq2seq_core.preparation.planning.remembered import remember_together
from seq2seq_core.preparation.planning.seen import names_of, octets_of
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.known import cut_of

FILE_BYTES = 32 << 20
"""Files are put together up to this size."""


class Fold(NamedTuple):
    """What is to become one.

    Attributes:
        dataset: The dataset as it stands.
        whole: What the records say together.
        entries: The entry of each, as it was made.
    """

    dataset: Dataset
    whole: Manifest
    entries: tuple[GenerationEntry, ...]

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last generation."""
        return self.entries[0].span[0], self.entries[-1].index

    @property
    def name(self) -> str:
        """What its files and folders are called: it follows from the generations alone."""
        return layout.folded_name(*self.span, self.entries[-1].fingerprint)


def fold_of(dataset: Dataset, records: Sequence[Manifest]) -> Fold:
    """What the generations of some records, which follow one another, come to."""
    entries = tuple(entry for record in records for entry in record.generations)
    return Fold(dataset, functools.reduce(joined, records), entries)


def files_of(fold: Fold) -> list[str]:
    """The files that a fold may write, below the dataset folder."""
    shards, rejected = _shard_groups(fold), _rejected_groups(fold)
    files = [layout.folded_shard(fold.name, i, len(shards)) for i, group in enumerate(shards) if len(group) > 1]
    files += [layout.folded_rejects(fold.name, i, len(rejected)) for i, group in enumerate(rejected) if len(group) > 1]
    names = cut_of(layout.folded_names(fold.name), _names(fold))
    return [
        *files,
        layout.folded_inputs(fold.name),
        looks_path(fold.span, fold.whole.fingerprint),
        *(run_part(names.path, i, names.parts) for i in range(names.parts)),
    ]


def write(fold: Fold) -> Manifest:
    """Write the files of a fold; the record that stands in the place of those of its generations."""
    (first, last), whole = fold.span, fold.whole
    entry = GenerationEntry(
        index=last,
        first=first,
        fingerprint=whole.fingerprint,
        ledger=whole.ledger,
        inputs=(),
        folded=_write_inputs(fold),
        replaced=tuple(sorted(_replaced(fold) - {source.origin for source in _sources(fold)})),
        digest=whole.digest,
    )
    remember_together(fold.dataset.root, entry, fold.entries)
    splits = {
        name: split.model_copy(update={"shards": tuple(_as_of(shard, last) for shard in split.shards)})
        for name, split in whole.splits.items()
    }
    if "train" in splits:
        splits["train"] = splits["train"].model_copy(update={"shards": _write_shards(fold)})
    return whole.model_copy(
        update={
            "splits": splits,
            "rejected": _write_rejected(fold),
            "corpora": tuple(corpus.model_copy(update={"origins": ()}) for corpus in whole.corpora),
            "inputs": (),
            "generations": (entry,),
        }
    )


def _shard_groups(fold: Fold) -> list[range]:
    split = fold.whole.splits.get("train")
    return packed([shard.bytes for shard in split.shards], FILE_BYTES) if split else []


def _rejected_groups(fold: Fold) -> list[range]:
    return packed([entry.bytes for entry in fold.whole.rejected], FILE_BYTES)


def _write_shards(fold: Fold) -> tuple[ShardEntry, ...]:
    """The training shards, small neighbours as one; the rows of one file are in memory."""
    dataset, shards, groups = fold.dataset, fold.whole.splits["train"].shards, _shard_groups(fold)
    found: list[ShardEntry] = []
    for index, group in enumerate(groups):
        chosen = [shards[place] for place in group]
        if len(chosen) == 1:
            found.append(_as_of(chosen[0], fold.span[1]))
            continue
        table = pa.concat_tables([dataset.read_shard(shard) for shard in chosen])
        path = layout.folded_shard(fold.name, index, len(groups))
        found.append(write_shard(dataset.root, path, table, dataset.manifest.sides, generation=fold.span[1]))
    return tuple(found)


def _write_rejected(fold: Fold) -> tuple[RejectedEntry, ...]:
    dataset, entries, groups = fold.dataset, fold.whole.rejected, _rejected_groups(fold)
    found: list[RejectedEntry] = []
    for index, group in enumerate(groups):
        chosen = [entries[place] for place in group]
        if len(chosen) == 1:
            found.append(chosen[0].model_copy(update={"generation": fold.span[1]}))
            continue
        table = pa.concat_tables([dataset.read_shard(entry) for entry in chosen])
        path = layout.folded_rejects(fold.name, index, len(groups))
        found.append(write_rejected(dataset.root, path, table, generation=fold.span[1]))
    return tuple(found)


def _write_inputs(fold: Fold) -> FoldedInputs:
    """What all generations have read, and by what names that is known."""
    root, gone = fold.dataset.root, _replaced(fold)
    inline = [name for entry in fold.entries for name in names_of(entry)]
    names = [octets_of(sorted(set(inline)))]
    names += [share(root, entry.folded.names, ID_BYTES, 0, 1) for entry in fold.entries if entry.folded is not None]
    lines = [f"{source.model_dump_json()}\n".encode() for source in _sources(fold) if source.origin not in gone]
    data = b"".join(lines)
    path = layout.folded_inputs(fold.name)
    storage.publish_bytes(storage.join(root, path), data)
    return FoldedInputs(
        path=path,
        sources=len(lines),
        bytes=len(data),
        digest=storage.digest_bytes(data),
        names=write_run(root, cut_of(layout.folded_names(fold.name), _names(fold)), np.concatenate(names)),
    )


def _sources(fold: Fold) -> Iterator[SourceEntry]:
    """All that the generations have read, in order."""
    for entry in fold.entries:
        yield from entry.inputs
        yield from fold.dataset.inputs_of(entry)


def _replaced(fold: Fold) -> set[str]:
    """What its rows were taken out of by a generation of the fold."""
    return {origin for entry in fold.entries for origin in entry.replaced}


def _names(fold: Fold) -> int:
    """About how many names there are."""
    return 3 * sum(entry.sources for entry in fold.entries)


def _as_of(shard: ShardEntry, generation: int) -> ShardEntry:
    return shard.model_copy(update={"generation": generation})
