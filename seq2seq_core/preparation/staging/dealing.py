"""Clean rows in; the rows to be staged, each with its id and slot, and those that are held out of training, out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.dataset.schema import ALIGNMENT
from seq2seq_core.preparation.shuffle.hashing import digests, fractions, pair_digests, ranges
from seq2seq_core.preparation.shuffle.staged_file import staged_schema
from seq2seq_core.preparation.staging.held_out_sources import held_out_keys, load_sources
from seq2seq_core.preparation.terms.corpus import Role
from seq2seq_core.preparation.terms.messages import Head, HeldOutSources
from seq2seq_core.preparation.terms.octets import Digests, to_column
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.records import Records, reject

HELD_OUT = "held_out"
NOT_HELD_OUT = "source only in training"
IN_HELD_OUT_FILES = "source in validation or test"
IN_SHARES = "source in the share of validation or test, which stay as they are"


class Dealt(NamedTuple):
    """Rows (columns of a `staged_schema`) with the slot of each, and those set aside (columns of `REJECTS`)."""

    rows: pa.RecordBatch
    slots: npt.NDArray[np.int64]
    rejected: list[pa.Table]


def deal(head: Head, role: Role, records: Records, held_out: HeldOutSources) -> Dealt:
    """Hash the rows, set aside those whose source is held out, and find the slot of each of the others."""
    rejected: list[pa.Table] = []
    known = digests_of(records, head.recipe)
    for value, is_held in _held_out_rules(head, role, held_out):
        held = is_held(known)
        values = pa.repeat(pa.scalar(value, pa.string()), pc.sum(held).as_py() or 0)
        sifted = reject(records, held, HELD_OUT, values, NOT_HELD_OUT)
        rejected.append(sifted.rejected)
        records, known = sifted.kept, known.only(~held.to_numpy(zero_copy_only=False))
    ids = known.ids(head.recipe)
    slots = _slots(head, ids, known.split) if role == "train" else np.zeros(len(records), np.int64)
    return Dealt(_staged_rows(records, ids, head.recipe), slots, rejected)


class RowDigests(NamedTuple):
    """What rows are known by.

    Attributes:
        source: The digest of each row's source, by which it is held out; the target's where it has none.
        target: That of its target.
        split: That by which it is dealt to a split.
    """

    source: Digests
    target: Digests
    split: Digests

    def only(self, rows: npt.NDArray[np.bool_]) -> RowDigests:
        """Those of some rows."""
        return RowDigests(*(found[rows] for found in self))

    def ids(self, recipe: Recipe) -> Digests:
        """The digests by which duplicates are found."""
        chosen = {"source": self.source, "target": self.target}.get(recipe.deduplicate)
        return pair_digests(self.source, self.target) if chosen is None else chosen


def digests_of(records: Records, recipe: Recipe) -> RowDigests:
    """What each row is known by."""
    columns = [(modality, records.column(side)) for side, modality in recipe.sides.items()]
    source, target = (modality.keys(column) for modality, column in columns)
    known = digests(held_out_keys(source, target))
    modality, column = columns[0]
    dealt_by = modality.split_keys(column)
    split = known if dealt_by is source else digests(held_out_keys(dealt_by, target))
    return RowDigests(known, digests(target), split)


def _held_out_rules(
    head: Head, role: Role, held_out: HeldOutSources
) -> Iterator[tuple[str, Callable[[RowDigests], pa.BooleanArray]]]:
    """What says of rows, by what they are known by, that they are held out of training; and what to call it."""
    if held_out.path is not None and role == "train":
        sources = load_sources(held_out.path)
        yield IN_HELD_OUT_FILES, lambda known: pc.is_in(to_column(known.source), value_set=sources)
    if head.generation and head.shares and role == "train":
        share = np.cumsum([share for _, share in sorted(head.shares.items())])[-1]
        yield IN_SHARES, lambda known: pa.array(fractions(known.split) < share)


def _staged_rows(records: Records, ids: Digests, recipe: Recipe) -> pa.RecordBatch:
    sides = [modality.staged(records.column(side)) for side, modality in recipe.sides.items()]
    columns = [to_column(ids), records.lines, *sides]
    if recipe.reads_scores:
        columns.append(pa.repeat(-math.inf, len(records)) if records.score is None else records.score)
    if recipe.keep_alignments:
        nothing = pa.repeat(pa.scalar([], ALIGNMENT.type), len(records))
        columns.append(nothing if records.alignment is None else records.alignment)
    return pa.record_batch(columns, schema=staged_schema(recipe))


def _slots(head: Head, ids: Digests, split: Digests) -> npt.NDArray[np.int64]:
    """The slot of each row: its split by the digest for that, its shard of the split by range of its id."""
    splits = list(head.dealt)
    counts = np.array([head.dealt[split] for split in splits], np.int64)
    bounds = np.cumsum([head.shares[split] for split in splits if split != "train"])
    chosen = (np.searchsorted(bounds, fractions(split), side="right") + 1) % len(splits)
    begins = np.cumsum(counts) - counts
    slots: npt.NDArray[np.int64] = begins[chosen] + ranges(ids, counts[chosen])
    return slots
