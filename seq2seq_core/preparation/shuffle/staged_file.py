"""Cleaned rows in, one staged file a unit, from which the rows of any one slot can be read alone.

A staged file is a batch file. Rows are collected into runs of bounded size, and each run is written as one batch a
slot, in the order of the slots: batch i belongs to slot i mod slots.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.dataset.schema import ALIGNMENT, ID_BYTES
from seq2seq_core.preparation.shuffle.batch_file import BatchWriter, write_batches
from seq2seq_core.preparation.terms.recipe import Recipe

SCORE = pa.field("score", pa.float64(), nullable=False)
"""One column more where rows are chosen by it or keep it: minus infinity where a corpus has no scores."""

_RUN_BYTES = 128 << 20


def staged_schema(recipe: Recipe) -> pa.Schema:
    """The columns of a staged file: id, line, both sides as their modalities stage them, score and alignment."""
    sides = [pa.field(side, modality.staged_type(), nullable=False) for side, modality in recipe.sides.items()]
    id_, line = pa.field("id", pa.binary(ID_BYTES), nullable=False), pa.field("line", pa.int64(), nullable=False)
    more = [SCORE] * recipe.reads_scores + [ALIGNMENT] * recipe.keep_alignments
    return pa.schema([id_, line, *sides, *more])


class StagedWriter:
    """Collects rows and writes them run by run."""

    def __init__(self, batches: BatchWriter, slots: int, run_bytes: int) -> None:
        self._out = batches
        self._slots = slots
        self._run_bytes = run_bytes
        self._batches: list[pa.RecordBatch] = []
        self._ends: list[npt.NDArray[np.int64]] = []
        self._bytes = 0

    @property
    def positions_at(self) -> int:
        """Where the positions of the batches stand, once the file is whole."""
        return self._out.positions_at

    def add(self, rows: pa.RecordBatch, slots: npt.NDArray[np.int64]) -> None:
        """Take rows and the slot of each; they are sorted here, where they still are in the processor's cache."""
        short = slots.astype(np.uint16 if self._slots <= 1 << 16 else np.int64)  # which sorts faster
        self._batches.append(rows.take(pa.array(np.argsort(short, kind="stable"))))
        self._ends.append(np.cumsum(np.bincount(short, minlength=self._slots)))
        self._bytes += rows.nbytes
        if self._bytes >= self._run_bytes:
            self.flush()

    def flush(self) -> None:
        """Write the rows collected so far as one run."""
        if not self._batches:
            return
        ends = np.stack(self._ends, axis=1)
        begins = np.vstack([np.zeros((1, len(self._batches)), np.int64), ends[:-1]])
        for slot_begins, slot_ends in zip(begins.tolist(), ends.tolist(), strict=True):
            places = zip(self._batches, slot_begins, slot_ends, strict=True)
            parts = [batch.slice(begin, end - begin) for batch, begin, end in places if end > begin]
            self._out.add(pa.concat_batches(parts) if parts else None)
        self._batches, self._ends, self._bytes = [], [], 0


@contextlib.contextmanager
def write_staged(url: str, slots: int, schema: pa.Schema, run_bytes: int = _RUN_BYTES) -> Iterator[StagedWriter]:
    """A staged file that appears whole when the block ends well; its columns are those of a `staged_schema`.

    It is as durable as the machine's power: what it holds can be staged again.
    """
    with write_batches(url, schema, durable=False) as batches:
        writer = StagedWriter(batches, slots, run_bytes)
        yield writer
        writer.flush()
