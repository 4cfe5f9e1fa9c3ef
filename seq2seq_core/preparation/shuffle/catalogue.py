"""The reports of all units in, one file out that says where in their staged files the rows of each slot stand.

It is made once, so that who builds a shard is told of one file instead of all units, and asks all staged files for the
bytes it needs at the same time. It is a batch file with a batch for each slot that corpus rows are dealt to, and then
for each role of sets that are given as files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.shuffle.batch_file import read_batch, read_positions, write_batches
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.corpus import GIVEN_ROLES, Role
from seq2seq_core.preparation.terms.messages import Head, Plan, Staged, Unit, UnitReport
from seq2seq_core.storage import Range

PLACES = pa.schema(
    [
        pa.field("unit", pa.int32(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("corpus", pa.int32(), nullable=False),
        pa.field("begin", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
    ]
)
"""Where the rows of a slot stand, in corpus order: a range of bytes in the staged file of a unit."""


def catalogue(plan: Plan, reports: Sequence[UnitReport]) -> Staged:
    """Look once into all staged files, and publish where everything stands.

    Memory is some 24 bytes for each slot and run of a unit.

    Raises:
        DatasetError: A unit is missing or there twice, or a staged file is damaged.
    """
    head = plan.head
    reports = sorted(reports, key=lambda report: report.index)
    check_once(plan, plan.units, reports)
    positions = read_positions([positions_of(head, report) for report in reports])
    url = layout.catalogue(head)
    with write_batches(url, PLACES, durable=False) as out:
        for role in ("train", *GIVEN_ROLES):
            chosen = [number for number, unit in enumerate(plan.units) if unit.role == role]
            pieces = _Pieces([plan.units[i] for i in chosen], [positions[i] for i in chosen], head.slots_of(role))
            for slot in range(head.slots_of(role)):
                out.add(pieces.of(slot))
    rejected: Counter[str] = Counter()
    for report in reports:
        rejected.update(report.rejected)
    read = sum(report.read for report in reports)
    return Staged(path=url, positions=out.positions_at, read=read, rejected=dict(sorted(rejected.items())))


def positions_of(head: Head, report: UnitReport) -> Range:
    """Where the positions of the batches of a staged file stand."""
    return Range(layout.staged(head, report.index), report.positions, report.bytes)


def places_of(head: Head, staged: Staged, role: Role, slot: int = 0) -> pa.RecordBatch | None:
    """The rows of the catalogue for a slot of the corpora or, of another role than theirs, all of its rows."""
    number = slot if role == "train" else head.slots + GIVEN_ROLES.index(role)
    return read_batch(staged.path, staged.positions, number, PLACES)


def ranges_of(head: Head, places: pa.RecordBatch) -> list[Range]:
    """Where some places are to be read."""
    columns = (places.column(name).to_pylist() for name in ("unit", "begin", "end"))
    return [Range(layout.staged(head, unit), begin, end) for unit, begin, end in zip(*columns, strict=True)]


def check_once(plan: Plan, units: Sequence[Unit], reports: Sequence[UnitReport]) -> None:
    """Make sure that every unit is reported exactly once."""
    found, expected = sorted(report.index for report in reports), [unit.index for unit in units]
    if found != expected:
        different = sorted({*found, *expected} - {*found} & {*expected})
        raise DatasetError(
            "a unit is missing or there twice",
            where=storage.redact(plan.head.output),
            found=f"{len(found)} reports, {len(different)} units of {len(expected)} missing or unknown",
            expected="each once",
        )


class _Pieces:
    """The runs of some units: where in them each slot begins and ends."""

    def __init__(self, units: Sequence[Unit], positions: Sequence[npt.NDArray[np.int64]], slots: int) -> None:
        runs = [(len(found) - 1) // slots for found in positions]
        nothing = np.zeros((0, slots), np.int64)
        self._begins = np.concatenate([nothing, *(found[:-1].reshape(-1, slots) for found in positions)])
        self._ends = np.concatenate([nothing, *(found[1:].reshape(-1, slots) for found in positions)])
        self._units = np.repeat(np.array([unit.index for unit in units], np.int32), runs)
        self._corpora = np.repeat(np.array([unit.corpus for unit in units], np.int32), runs)
        self._origins = pa.array([unit.origin for unit in units], pa.string()).take(
            pa.array(np.repeat(np.arange(len(units)), runs))
        )

    def of(self, slot: int) -> pa.RecordBatch:
        """What the catalogue says of a slot."""
        begins, ends = self._begins[:, slot], self._ends[:, slot]
        there = pa.array(np.flatnonzero(begins != ends))
        columns = [self._units, self._origins, self._corpora, np.ascontiguousarray(begins), np.ascontiguousarray(ends)]
        return pa.record_batch([pa.array(column) for column in columns], schema=PLACES).take(there)
