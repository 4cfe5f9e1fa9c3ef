"""Record batches in, one file out, of which any batch can be read alone by its range of bytes, on any store.

A batch file is an Arrow IPC stream, which begins with the schema and a batch without rows. Behind it stand positions,
little-endian numbers of 64 bits: batch i begins at the i-th and ends at the next one. A batch without rows takes no
bytes. Where the positions stand is told by whoever wrote the file: a reader asks for the bytes it wants and no more,
however many batches there are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.storage import Range

Positions = npt.NDArray[np.int64]

_NUMBER_BYTES = 8
_ADVICE = "Remove it and run the same command again, which makes it anew."


class BatchWriter:
    """Takes batches one after another.

    Attributes:
        positions_at: Where the positions stand, once the file is whole.
    """

    positions_at = 0

    def __init__(self, out: IO[bytes], schema: pa.Schema, options: pa.ipc.IpcWriteOptions) -> None:
        self._out = out
        self._sink = pa.ipc.new_stream(out, schema, options=options)
        self._sink.write_batch(pa.RecordBatch.from_pylist([], schema))  # the schema is written with the first batch
        self._positions = [out.tell()]

    def add(self, batch: pa.RecordBatch | None) -> None:
        """Write the next batch; None has no rows."""
        if batch is not None and batch.num_rows:
            self._sink.write_batch(batch)
        self._positions.append(self._out.tell())

    def end(self) -> None:
        """Write the positions."""
        self._sink.close()
        self.positions_at = self._out.tell()
        self._out.write(np.array(self._positions, "<i8").tobytes())


@contextlib.contextmanager
def write_batches(url: str, schema: pa.Schema, *, durable: bool = True) -> Iterator[BatchWriter]:
    """A batch file that appears whole when the block ends well; see `storage.publish`."""
    # Local disks take the bytes faster than they are compressed; what goes to a store crosses a network.
    options = pa.ipc.IpcWriteOptions(compression=None if storage.is_local(url) else "lz4")
    with storage.publish(url, durable=durable) as out:
        writer = BatchWriter(out, schema, options)
        yield writer
        writer.end()


def read_batches(ranges: Sequence[Range], schema: pa.Schema) -> list[pa.RecordBatch]:
    """The batches that stand at some ranges of files, in their order; all of them are in memory.

    Raises:
        DatasetError: A file is damaged.
        StorageError: A file is missing, or the store does not answer.
    """
    found = []
    for part, data in zip(ranges, _read(ranges), strict=True):
        try:
            found.append(pa.ipc.read_record_batch(pa.py_buffer(data), schema))
        except (pa.ArrowException, OSError, EOFError) as error:
            raise _damaged(part.url, " ".join(str(error).split()), "a record batch") from None
    return found


def read_batch(url: str, positions_at: int, number: int, schema: pa.Schema) -> pa.RecordBatch | None:
    """One batch of a file; None when it has no rows. Errors as in `read_batches`."""
    place = positions_at + number * _NUMBER_BYTES
    (data,) = _read([Range(url, place, place + 2 * _NUMBER_BYTES)])
    begin, end = np.frombuffer(data, "<i8").tolist()
    return None if begin == end else read_batches([Range(url, begin, end)], schema)[0]


def read_positions(places: Sequence[Range]) -> list[Positions]:
    """The positions that stand at some ranges of files; errors as in `read_batches`."""
    return [np.frombuffer(data, "<i8").astype(np.int64) for data in _read(places)]


def _read(ranges: Sequence[Range]) -> list[bytes]:
    found = storage.read_ranges(ranges)
    for part, data in zip(ranges, found, strict=True):
        if len(data) != part.end - part.begin:
            raise _damaged(part.url, f"{part.begin + len(data)} bytes", f"at least {part.end}")
    return found


def _damaged(url: str, found: str, expected: str) -> DatasetError:
    return DatasetError(
        "a file of unfinished work is damaged",
        where=storage.redact(url),
        found=found,
        expected=expected,
        advice=_ADVICE,
    )
