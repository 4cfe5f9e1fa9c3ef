"""Which runs of known entries stand, are merged and are added in, as workers are told it, and what they report, out."""

from __future__ import annotations

import math

from seq2seq_core.dataset.manifest import KnownKind, RunEntry
from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.preparation.terms.corpus import Message

WIDTHS: dict[KnownKind, int] = {
    "rows": ID_BYTES,
    "bands": 8 + ID_BYTES + 4,
    "kept": 2 * (ID_BYTES + 4),
    "gone": ID_BYTES,
}
"""Bytes of an entry: an id; a hash of a band, the id of its row and its generation; id and generation of a row, and of
the one that stays in its place; an id."""

_RANGE_ROWS = 1 << 12
_PART_ROWS = 1 << 24


class Cut(Message):
    """How the keys of a run are cut: into files of equal ranges, and each file into equal ranges."""

    path: str
    parts: int
    ranges: int

    @property
    def total(self) -> int:
        """Ranges of all files."""
        return self.parts * self.ranges


class Merge(Message):
    """Runs that are to become one."""

    kind: KnownKind
    runs: tuple[RunEntry, ...]
    into: Cut


class MergePart(Message):
    """A file of what some runs become."""

    kind: KnownKind
    index: int


class KnownPart(Message):
    """A finished file of a run."""

    index: int
    rows: int
    bytes: int
    digest: str


class MergedPart(KnownPart):
    """A finished file of what some runs become."""

    kind: KnownKind


class Known(Message):
    """What is known of earlier generations, and what a generation adds to it.

    Attributes:
        runs: The runs that stand, the oldest first.
        merges: Those of them that become one meanwhile.
        adds: How the generation's own runs are cut.
    """

    runs: dict[KnownKind, tuple[RunEntry, ...]] = {}
    merges: tuple[Merge, ...] = ()
    adds: dict[KnownKind, Cut] = {}

    def of(self, kind: KnownKind) -> tuple[RunEntry, ...]:
        """The runs of a kind that stand."""
        return self.runs.get(kind, ())

    def merge(self, kind: KnownKind) -> Merge:
        """What is merged of a kind."""
        return next(merge for merge in self.merges if merge.kind == kind)


def cut_of(path: str, rows: int, parts: int | None = None) -> Cut:
    """How a run of about so many entries is cut.

    Args:
        path: What the names of its files begin with.
        rows: About how many entries there are.
        parts: The number of files; default: as many as hold them well.
    """
    parts = parts or max(1, math.ceil(rows / _PART_ROWS))
    return Cut(path=path, parts=parts, ranges=max(1, math.ceil(rows / parts / _RANGE_ROWS)))
