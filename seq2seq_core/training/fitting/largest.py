"""The rows of a split and a number of padded tokens in; the largest batch of so many that there could be out.

It has the longest source and the longest target of those rows that are trained on, which need not be of one row: no
batch of a training has more positions, and none more pairs of them that look at one another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.data.batch import Batch, Gathered, collate
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.errors import TrainingError

_CHUNK_ROWS = 1 << 17


@dataclass(frozen=True)
class Largest:
    """The longest of each side, of those rows that are trained on.

    Attributes:
        columns: All rows.
        source, target: Numbers of rows.
        length: Positions of the longer of both, with EOS.
    """

    columns: Columns
    source: int
    target: int
    length: int

    @classmethod
    def of(cls, columns: Columns, data: StreamConfig) -> Largest:
        """Look at the lengths of all rows.

        Raises:
            TrainingError: None is trained on.
        """
        source, target = (-1, 0), (-1, 0)
        for begin in range(0, len(columns), _CHUNK_ROWS):
            lengths = columns.lengths.between(begin, min(begin + _CHUNK_ROWS, len(columns)))
            kept = np.flatnonzero(data.keeps(lengths))
            if len(kept):
                source = max(source, _longest(lengths.source, kept, begin))
                target = max(target, _longest(lengths.target, kept, begin))
        if source[0] < 0:
            raise TrainingError("no row is left to train on", advice="Raise max_source_tokens and max_target_tokens.")
        return cls(columns, source[1], target[1], max(source[0], target[0]) + 1)

    def rows(self, tokens: int) -> int:
        """Rows that a batch of so many padded tokens has, one at least."""
        return max(1, tokens // self.length)

    def batch(self, tokens: int) -> Batch:
        """A batch of so many padded tokens."""
        count = self.rows(tokens)
        source = self.columns.source.gather(np.full(count, self.source))
        target = self.columns.target.gather(np.full(count, self.target))
        return collate(self.columns.modality, Gathered(source, target))


def _longest(lengths: npt.NDArray[np.int32], kept: npt.NDArray[np.int64], begin: int) -> tuple[int, int]:
    """The greatest of some lengths, and the number of its row."""
    row = int(kept[np.argmax(lengths[kept])])
    return int(lengths[row]), begin + row
