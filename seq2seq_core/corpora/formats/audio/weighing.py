"""The seconds of audio of each row of a file in, the places where it is cut into parts of about equal work out."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from seq2seq_core.corpora.formats.audio.named import Named
from seq2seq_core.corpora.terms.index import PartSize

BYTES_A_SECOND = 17_400
"""What a second of speech takes as FLAC of 16 kHz."""

_MOST_SECONDS = 1e6  # of a row: what says more of itself says nothing
_SECONDS_A_BYTE = {".wav": 1 / 32_000, ".flac": 1 / BYTES_A_SECOND, ".mp3": 1 / 8_000}
_OTHER_SECONDS_A_BYTE = 1 / 4_000
_ROUNDING = 1e-9


class Scale:
    """Takes the rows of a file in order, and says in front of which a new part begins.

    A part ends before it would have more rows, seconds or bytes than it may. The largest share of the three counts for
    each row, so that none of them is exceeded.
    """

    def __init__(self, size: PartSize) -> None:
        self.seconds = 0.0
        self._size = size
        self._load = 0.0

    def add(
        self, seconds: npt.NDArray[np.float64], stored: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.int64]:
        """Those of some rows that begin a part, the first row of all left out.

        Args:
            seconds: Of each row, positive.
            stored: Bytes of the file of each row, 0 where nobody knows.
        """
        shares = np.maximum(seconds / self._size.seconds, 1 / self._size.rows)
        if stored is not None:
            shares = np.maximum(shares, stored / self._size.bytes)
        self.seconds += float(seconds.sum())
        totals = np.cumsum(shares)
        found, before, least = list[int](), -self._load, 0 if self._load else 1
        while (row := max(least, int(np.searchsorted(totals, before + 1 + _ROUNDING, side="right")))) < len(totals):
            found.append(row)
            before, least = float(totals[row - 1]) if row else 0.0, row + 1
        self._load = float(totals[-1]) - before if len(totals) else self._load
        return np.array(found, np.int64)

    @property
    def data_bytes(self) -> int:
        """About how many bytes all rows come to."""
        return round(self.seconds * BYTES_A_SECOND)


def weights_of(
    named: Named, sizes: Mapping[str, int], usual: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The seconds of each row, and the bytes of its file, 0 where nobody knows.

    Args:
        named: What the rows say of their audio.
        sizes: Of the files, by path, where they are known.
        usual: The seconds of a row that does not say any, or none that can be, and whose file is not known.
    """
    paths = named.paths.to_pylist() if sizes else ()
    stored = np.array([sizes.get(path or "", 0) for path in paths] or [0] * len(named), np.int64)
    seconds = pc.fill_null(named.seconds, 0.0).to_numpy(zero_copy_only=False).copy()
    for row in np.flatnonzero(stored):
        if not seconds[row]:
            seconds[row] = seconds_by_size(paths[row] or "", int(stored[row]))
    possible = (seconds > 0) & (seconds < _MOST_SECONDS)
    return np.where(possible, seconds, usual), stored


def seconds_by_size(name: str, size: int) -> float:
    """About how many seconds of speech a file of a name and size holds."""
    suffix = posixpath.splitext(name)[1].lower()
    return max(size, 1) * _SECONDS_A_BYTE.get(suffix, _OTHER_SECONDS_A_BYTE)
