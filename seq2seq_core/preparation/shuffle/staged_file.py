"""Cleaned rows in, one staged file a unit, from which the rows of any one partition can be read alone.

A staged file is an Arrow IPC file. Rows are collected into runs of bounded size, and each run is written as exactly
one record batch a slot, in the order of the slots: batch i belongs to slot i mod slots.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.schema import ID_BYTES

STAGED = pa.schema(
    [
        pa.field("id", pa.binary(ID_BYTES), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("source", pa.large_string(), nullable=False),
        pa.field("target", pa.large_string(), nullable=False),
    ]
)
SCORE = pa.field("score", pa.float64(), nullable=False)
"""One column more where the best of equal rows is kept: minus infinity where a corpus has no scores."""

_RUN_BYTES = 128 << 20
_READ_AHEAD_BYTES = 1 << 18  # a slot is a small part of the file: object stores would fetch the rest of it too


def staged_schema(*, with_score: bool) -> pa.Schema:
    """The columns of a staged file."""
    return STAGED.append(SCORE) if with_score else STAGED


class StagedWriter:
    """Collects rows and writes them run by run."""

    def __init__(self, sink: pa.ipc.RecordBatchFileWriter, schema: pa.Schema, slots: int, run_bytes: int) -> None:
        self._sink = sink
        self._schema = schema
        self._slots = slots
        self._run_bytes = run_bytes
        self._batches: list[pa.RecordBatch] = []
        self._ends: list[npt.NDArray[np.int64]] = []
        self._bytes = 0

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
        for slot in range(self._slots):
            parts = [_rows_of(batch, ends, slot) for batch, ends in zip(self._batches, self._ends, strict=True)]
            self._sink.write_batch(_one_batch(pa.Table.from_batches(parts, self._schema).combine_chunks()))
        self._batches, self._ends, self._bytes = [], [], 0


@contextlib.contextmanager
def write_staged(
    url: str, slots: int, run_bytes: int = _RUN_BYTES, schema: pa.Schema = STAGED
) -> Iterator[StagedWriter]:
    """A staged file that appears whole when the block ends well; its columns are those of a `staged_schema`.

    It is as durable as the machine's power: what it holds can be staged again.
    """
    # Local disks take the bytes faster than they are compressed; what goes to a store crosses a network.
    options = pa.ipc.IpcWriteOptions(compression=None if storage.is_local(url) else "lz4")
    with storage.publish(url, durable=False) as out, pa.ipc.new_file(out, schema, options=options) as sink:
        writer = StagedWriter(sink, schema, slots, run_bytes)
        yield writer
        writer.flush()


def read_staged(url: str, slot: int, slots: int) -> Iterator[pa.RecordBatch]:
    """The rows of one slot in the order they were added."""
    with storage.open_input(url, block_bytes=_READ_AHEAD_BYTES) as file, pa.ipc.open_file(file) as reader:
        for position in range(slot, reader.num_record_batches, slots):
            yield reader.get_batch(position)


def _rows_of(batch: pa.RecordBatch, ends: npt.NDArray[np.int64], slot: int) -> pa.RecordBatch:
    """The rows of a slot in a sorted batch, given where each slot ends."""
    begin = int(ends[slot - 1]) if slot else 0
    return batch.slice(begin, int(ends[slot]) - begin)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], table.schema)
