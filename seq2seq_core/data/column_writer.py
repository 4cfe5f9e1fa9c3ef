"""Row groups of one column of a shard in; its values and offsets, at their place in flat files, and digests out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from seq2seq_core.data.column_layout import OFFSET, Kept, files_of, position_bytes
from seq2seq_core.errors import DatasetError


class ColumnWriter:
    """Writes one column of one shard, row group after row group.

    Args:
        kept: The column.
        place: The rows, and the positions, before the shard in the flat files.
        positions: Those of the shard, as the manifest says.
        files: The files, by name.
        where: Names the shard in errors.
    """

    def __init__(
        self, kept: Kept, place: tuple[int, int], positions: int, files: Mapping[str, IO[bytes]], where: str
    ) -> None:
        values_name, offsets_name = files_of(kept)
        row, self._begin = place
        self._kept, self._where = kept, where
        self._end, self._expected = self._begin, positions
        self._values = _Section(files[values_name], self._begin * position_bytes(kept))
        self._offsets = _Section(files[offsets_name], row * OFFSET.itemsize)
        self._offsets.write(np.array([self._begin], OFFSET))

    def write(self, column: pa.ChunkedArray) -> None:
        """Append rows.

        Raises:
            DatasetError: The values are of another type, or more than the manifest says.
        """
        element, flat = self._kept.element, self._kept.flat(column)
        found = _kind(flat.dtype, flat.shape[1] if flat.ndim > 1 else 1)
        expect(f"type of {self._kept.name}", found, _kind(element.dtype, element.width), self._where)
        ends = np.cumsum(self._kept.lengths(column), dtype=OFFSET) + self._end
        self._end += len(flat)
        if self._end - self._begin > self._expected:  # the bytes behind them may be those of another shard
            self._expect_count()
        self._values.write(flat)
        self._offsets.write(ends)

    def finish(self) -> tuple[str, str]:
        """Give the bytes to the system; xxh3-128 of what was written into both files.

        Raises:
            DatasetError: There were fewer positions than the manifest says.
        """
        self._expect_count()
        return self._values.finish(), self._offsets.finish()

    def _expect_count(self) -> None:
        expect(f"number of {self._kept.name} tokens", self._end - self._begin, self._expected, self._where)


class _Section:
    """A place in a file; bytes are hashed on their way there."""

    def __init__(self, file: IO[bytes], begin: int) -> None:
        self._file = file
        self._file.seek(begin)
        self._state = xxhash.xxh3_128()

    def write(self, numbers: npt.NDArray[Any]) -> None:
        data = np.ascontiguousarray(numbers).reshape(-1).view(np.uint8).data
        self._state.update(data)
        self._file.write(data)

    def finish(self) -> str:
        self._file.flush()
        return self._state.hexdigest()


def _kind(dtype: np.dtype[Any], width: int) -> str:
    return dtype.name if width == 1 else f"{width} x {dtype.name}"


def expect(what: str, found: object, expected: object, where: str) -> None:
    """Raise a DatasetError when a shard is not what the manifest says."""
    if found != expected:
        advice = "Restore the file, or prepare the dataset again."
        raise DatasetError(f"wrong {what}", where=where, found=found, expected=expected, advice=advice)
