"""Row groups of one side of a shard in; its tokens and offsets, at their place in the flat files, and digests out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from seq2seq_core.data.column_layout import OFFSET, Layout
from seq2seq_core.errors import DatasetError


class SideWriter:
    """Writes one side of one shard, row group after row group.

    Args:
        layout: Of the files.
        shard: Its place in the layout.
        side: `source` or `target`.
        files: The files, by name.
        where: Names the shard in errors.
    """

    def __init__(self, layout: Layout, shard: int, side: str, files: Mapping[str, IO[bytes]], where: str) -> None:
        names = f"{side}.tokens", f"{side}.offsets"
        self._side = side
        self._where = where
        self._dtype = layout.dtype(names[0])
        self._begin = self._end = layout.first_token(shard, side)
        begin, end = layout.span(shard, names[0])
        self._expected = (end - begin) // self._dtype.itemsize
        self._tokens, self._offsets = (_Section(files[name], layout.span(shard, name)[0]) for name in names)
        if shard == 0:
            self._offsets.write(np.zeros(1, OFFSET))

    def write(self, column: pa.ChunkedArray) -> None:
        """Append rows.

        Raises:
            DatasetError: The ids are of another type, or more than the manifest says.
        """
        flat = pc.list_flatten(column).to_numpy()
        expect("type of token ids", str(flat.dtype), self._dtype.name, self._where)
        ends = np.cumsum(pc.list_value_length(column).to_numpy(), dtype=OFFSET) + self._end
        self._end += len(flat)
        if self._end - self._begin > self._expected:  # the bytes behind them are those of the next shard
            self._expect_count()
        self._tokens.write(flat)
        self._offsets.write(ends)

    def finish(self) -> tuple[str, str]:
        """Give the bytes to the system; xxh3-128 of what was written into both files.

        Raises:
            DatasetError: There were fewer tokens than the manifest says.
        """
        self._expect_count()
        return self._tokens.finish(), self._offsets.finish()

    def _expect_count(self) -> None:
        expect(f"number of {self._side} tokens", self._end - self._begin, self._expected, self._where)


class _Section:
    """A place in a file; bytes are hashed on their way there."""

    def __init__(self, file: IO[bytes], begin: int) -> None:
        self._file = file
        self._file.seek(begin)
        self._state = xxhash.xxh3_128()

    def write(self, numbers: npt.NDArray[np.generic]) -> None:
        data = np.ascontiguousarray(numbers).view(np.uint8).data
        self._state.update(data)
        self._file.write(data)

    def finish(self) -> str:
        self._file.flush()
        return self._state.hexdigest()


def expect(what: str, found: object, expected: object, where: str) -> None:
    """Raise a DatasetError when a shard is not what the manifest says."""
    if found != expected:
        advice = "Restore the file, or prepare the dataset again."
        raise DatasetError(f"wrong {what}", where=where, found=found, expected=expected, advice=advice)
