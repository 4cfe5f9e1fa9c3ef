"""A dataset and files that have other content now in; the same dataset without the rows of their old content out.

That is a generation of its own: it adds nothing, and says which shards stand in the place of which, with fewer rows. It
is committed as any other, so readers see the dataset with these rows or without them. Nobody folds meanwhile. What
the files hold now is for the next generation to add, and so are rows of other files that were duplicates of those that
went.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    GenerationEntry,
    KnownKind,
    Manifest,
    RunEntry,
    ShardEntry,
    SourceEntry,
    SplitEntry,
)
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.writer import length_histogram, merge_histograms, write_shard
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.building.copies import ids_of_copies
from seq2seq_core.preparation.compaction import notes
from seq2seq_core.preparation.compaction.compact import alone, standing_dataset
from seq2seq_core.preparation.known.runs import write_run
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.known import cut_of
from seq2seq_core.preparation.terms.octets import from_column, to_column

Urls = tuple[str, ...]
"""The files of a source, redacted."""

_log = logging.getLogger(__name__)


class _Out(NamedTuple):
    """What is taken out, and what names the generation that does it."""

    dataset: Dataset
    sources: list[SourceEntry]
    shards: list[ShardEntry]
    number: int
    fingerprint: str

    @property
    def origins(self) -> list[str]:
        return sorted(source.origin for source in self.sources)

    def path(self, index: int) -> str:
        return layout.rewritten_shard(self.number, self.fingerprint, index, len(self.shards))

    @property
    def run(self) -> str:
        return layout.known_run("gone", self.number, self.fingerprint)


def take_out(root: str, urls: Collection[Urls], grace_seconds: float) -> bool:
    """Take out the training rows that were read of some files when those had other content; whether there are any.

    Args:
        root: The dataset folder; it may be none yet.
        urls: The files of each source, redacted.
        grace_seconds: How long what killed runs were writing is left alone.

    Raises:
        ClaimError: Another run folds generations.
        DatasetError: Another run has added a generation meanwhile, or the dataset is damaged.
        StorageError: A file cannot be read.
    """
    if not urls or not generations.journal(root):
        return False
    with alone(root):
        manifest = standing_dataset(root)
        notes.clear(root, manifest, grace_seconds)
        out = _out_of(Dataset(root, manifest), urls)
        if out is None:
            return False
        files = [out.path(index) for index in range(len(out.shards))] + [f"{out.run}-00000-of-00001.run"]
        notes.announce(root, (out.number, out.number), files)
        if not generations.commit(root, _written(out)):
            raise DatasetError(
                "another run has added a generation meanwhile", where=storage.redact(root), advice="Run again."
            )
        notes.clear(root, generations.bring_up_to_date(root) or manifest, grace_seconds)
    _log.info("%s: rows were taken out of %d files that have other content now", storage.redact(root), len(out.sources))
    return True


def _out_of(dataset: Dataset, urls: Collection[Urls]) -> _Out | None:
    """What there is to take out; None where the dataset has nothing of these files, or what they hold now."""
    found = [(entry, source) for entry, source in dataset.standing_inputs() if _is_other(source, urls)]
    if not found:
        return None
    sources, manifest = [source for _, source in found], dataset.manifest
    train = manifest.splits.get("train", SplitEntry(shards=(), source_lengths=(), target_lengths=()))
    first = min(entry.index for entry, _ in found)
    origins = pa.array(sorted(source.origin for source in sources))
    shards = [shard for shard in train.shards if shard.generation >= first and _has_of(dataset, shard, origins)]
    told = "\n".join([manifest.fingerprint, "taken out", *sorted(source.origin for source in sources)])
    return _Out(dataset, sources, shards, manifest.newest + 1, storage.digest_bytes(told.encode()))


def _is_other(source: SourceEntry, urls: Collection[Urls]) -> bool:
    """Whether a source is one of some files, which hold something else now."""
    return (
        source.role == "train"
        and tuple(file.url for file in source.files) in urls
        and any(storage.digest_file(file.url) != file.fingerprint for file in source.files)
    )


def _has_of(dataset: Dataset, shard: ShardEntry, origins: pa.Array) -> bool:
    return bool(pc.any(_are_of(dataset.read_shard(shard, ["origin"]), origins)).as_py())


def _are_of(table: pa.Table, origins: pa.Array) -> pa.ChunkedArray:
    """Which rows are of some origins."""
    return pc.is_in(table.column("origin").cast(pa.string()), value_set=origins)


class _Part(NamedTuple):
    """A shard without the rows that go, and these."""

    entry: ShardEntry
    gone: pa.Table


def _parts(out: _Out) -> Iterator[_Part]:
    """Every shard written anew; the rows of one are in memory."""
    dataset, origins = out.dataset, pa.array(out.origins)
    for index, shard in enumerate(out.shards):
        table = dataset.read_shard(shard)
        go = _are_of(table, origins)
        left = table.filter(pc.invert(go))
        entry = write_shard(dataset.root, out.path(index), left, dataset.manifest.sides, generation=shard.generation)
        yield _Part(entry, table.filter(go))


def _written(out: _Out) -> Manifest:
    """The files, and the record of the generation."""
    manifest, parts = out.dataset.manifest, list(_parts(out))
    gone = pa.concat_tables([part.gone.select(["id", "source_length", "target_length"]) for part in parts] or [_NONE])
    ids = from_column(pa.concat_arrays([pa.array([], pa.binary(16)), *gone.column("id").chunks]))
    own, copies = _without_copies(ids, list(manifest.ledger.copies))
    entry = GenerationEntry(
        index=out.number,
        fingerprint=out.fingerprint,
        ledger=Ledger(
            read=0,
            kept={"train": -len(own)},
            duplicates=0,
            rejected={},
            copies={sort: -count for sort, count in copies.items()},
            replaced=len(own),
        ),
        inputs=(),
        replaced=tuple(out.origins),
        digest=storage.digest_bytes("\n".join([manifest.digest, *(part.entry.digest for part in parts)]).encode()),
    )
    return manifest.model_copy(
        update={
            "fingerprint": out.fingerprint,
            "splits": {"train": _lengths_less(out.dataset, gone)} if "train" in manifest.splits else {},
            "rejected": (),
            "ledger": entry.ledger,
            "corpora": tuple(corpus.model_copy(update={"origins": ()}) for corpus in manifest.corpora),
            "inputs": (),
            "generations": (entry,),
            "known": _known(out, own),
            "rewritten": {shard.path: part.entry for shard, part in zip(out.shards, parts, strict=True)},
        }
    )


_NONE = pa.table(
    {
        "id": pa.array([], pa.binary(16)),
        "source_length": pa.array([], pa.int32()),
        "target_length": pa.array([], pa.int32()),
    }
)


def _lengths_less(dataset: Dataset, gone: pa.Table) -> SplitEntry:
    """No shards, and histograms of what goes, to be taken off."""
    less = {
        name: tuple(-count for count in length_histogram(gone.column(side.length_name).to_numpy(), side.histogram_bins))
        for name, side in dataset.manifest.sides.items()
    }
    return SplitEntry(
        shards=(),
        source_lengths=merge_histograms([less["source"]]),
        target_lengths=merge_histograms([less["target"]]),
    )


def _without_copies(ids: npt.NDArray[np.uint8], sorts: Sequence[str]) -> tuple[npt.NDArray[np.uint8], dict[str, int]]:
    """The ids of rows that were read, and how many copies of them there are of each sort."""
    column, counts = to_column(ids), dict[str, int]()
    is_copy = np.zeros(len(ids), np.bool_)
    for sort in sorts:
        found = pc.is_in(column, value_set=ids_of_copies(column, sort)).to_numpy(zero_copy_only=False)
        counts[sort] = int(found.sum())
        is_copy |= found
    return ids[~is_copy], counts


def _known(out: _Out, ids: npt.NDArray[np.uint8]) -> dict[KnownKind, tuple[RunEntry, ...]]:
    known = dict(out.dataset.manifest.known)
    if "rows" in known and len(ids):
        run = write_run(out.dataset.root, cut_of(out.run, len(ids), 1), ids)
        known["gone"] = (*known.get("gone", ()), run)
    return known
