"""What makes the order of an epoch in; that order, made by one process of the machine and mapped by all, out.

    <cache>/epochs-1/<stream>/00000003.order   its name says all that it depends on: the stream (row lengths, weights,
                              lock             configuration, seed, version), and the number of the epoch

A file holds the numbers of rows and bins and the xxh3-128 of all that follows (and of the numbers); then the rows
(uint32, filled up to whole 8 bytes), where bins begin and end, and their order (int64). Who opens it compares them.
Files of earlier epochs go when one is made, and so does a folder that nobody has used for a day: whoever has a file
mapped keeps it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import xxhash

from seq2seq_core.data.cache_folder import alone, mapped
from seq2seq_core.data.column_layout import OFFSET, Rows
from seq2seq_core.data.epoch_order import EpochOrder, RowNumbers

Make = Callable[[Callable[[RowNumbers], None]], tuple[Rows, Rows]]
"""Gives the rows of an epoch away, some at a time; gives back where bins begin and end, and their order."""

_FORMAT = "epochs-1"
_ROW = np.dtype("<u4")
_HEADER_BYTES = 32
_UNUSED_SECONDS = 86_400

_log = logging.getLogger(__name__)


class OrderFiles:
    """The orders of a stream's epochs, in a folder of the cache; several processes may ask for one at once."""

    def __init__(self, cache: Path, stream: str) -> None:
        self._folder = cache / _FORMAT / stream

    def order(self, number: int, make: Make) -> EpochOrder | None:
        """The order of an epoch; None where files cannot be locked, written or mapped."""
        path = self._folder / f"{number:08d}.order"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            os.utime(self._folder)
            found = _read(path)
            if found is None:
                with alone(self._folder) as is_alone:
                    found = _read(path) or (self._made(path, make) if is_alone else None)
        except OSError as error:
            _log.info("the order of an epoch is kept in memory: %s: %s", path, error)
            return None
        return found

    def _made(self, path: Path, make: Make) -> EpochOrder | None:
        self._remove_unused(path)
        written = path.with_suffix(".tmp")
        try:
            with written.open("wb") as out:
                _write(out, make)
            written.replace(path)
        finally:
            written.unlink(missing_ok=True)
        return _read(path)

    def _remove_unused(self, path: Path) -> None:
        for earlier in self._folder.glob("*.order"):
            if earlier.name < path.name:
                earlier.unlink(missing_ok=True)
        for other in self._folder.parent.iterdir():
            with contextlib.suppress(OSError):
                if other != self._folder and time.time() - other.stat().st_mtime > _UNUSED_SECONDS:
                    shutil.rmtree(other, ignore_errors=True)


def _write(out: IO[bytes], make: Make) -> None:
    state, rows = xxhash.xxh3_128(), 0

    def put(numbers: npt.NDArray[Any]) -> None:
        data = np.ascontiguousarray(numbers).view(np.uint8).data
        state.update(data)
        out.write(data)

    def put_rows(numbers: RowNumbers) -> None:
        nonlocal rows
        rows += len(numbers)
        put(numbers.astype(_ROW, copy=False))

    out.seek(_HEADER_BYTES)
    cuts, order = make(put_rows)
    put(np.zeros(rows % 2, _ROW))
    put(cuts.astype(OFFSET, copy=False))
    put(order.astype(OFFSET, copy=False))
    counts = np.array([rows, len(order)], OFFSET).tobytes()
    state.update(counts)
    out.seek(0)
    out.write(counts + state.digest())


def _read(path: Path) -> EpochOrder | None:
    """The order that a file holds; None when there is none, or it is damaged."""
    try:
        data = mapped(path)
    except FileNotFoundError:
        return None
    view = memoryview(data)
    state = xxhash.xxh3_128(view[_HEADER_BYTES:])
    state.update(view[:16])
    if data.size < _HEADER_BYTES or state.digest() != bytes(view[16:_HEADER_BYTES]):
        _log.warning("%s is damaged and made again", path)
        return None
    rows, bins = np.frombuffer(data, OFFSET, 2).tolist()
    begin = _HEADER_BYTES + (rows + rows % 2) * _ROW.itemsize
    edges = np.frombuffer(data, OFFSET, 2 * bins + 1, begin)
    return EpochOrder(np.frombuffer(data, _ROW, rows, _HEADER_BYTES), edges[: bins + 1], edges[bins + 1 :])
