"""Row lengths, a configuration and a seed in; the stream of global batches, batch by batch at any position, out.

A few bins of an epoch together (see `epoch_order`) are one global batch. The stream is a function of (lengths,
configuration, seed, position): the number of processes and their memory decide who computes what, never what is
computed.
"""

from __future__ import annotations

import bisect
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from seq2seq_core import storage
from seq2seq_core.data.bins import RowLengths, by_length
from seq2seq_core.data.column_layout import Rows
from seq2seq_core.data.epoch_order import EpochOrder, OrderMaker, RowNumbers, StreamConfig, check_epoch, check_rows
from seq2seq_core.data.order_files import OrderFiles
from seq2seq_core.dataset.reader import Weights
from seq2seq_core.errors import TrainingError

T = TypeVar("T", bound=np.generic)

STREAM_VERSION = 1
"""Counts changes of the algorithm: positions of one version mean nothing in another."""

SHARED_ROWS = 1 << 20
"""Rows from which on an order is worth a file; those of fewer are made in less than a second."""


@dataclass(frozen=True, order=True)
class EpochStart:
    """An epoch (from 0), and the position of its first batch."""

    epoch: int
    position: int


class BatchStream:
    """The endless stream of global batches of a split.

    It holds one epoch at a time; to locate a position, the epochs between it and the last start that is known before
    it are made once.

    Attributes:
        lengths: Tokens of every row, without BOS and EOS.
        config: How rows become global batches.
        dropped_rows: Rows that are longer than the configuration allows; they are in no batch.
        fingerprint: Names the stream as far as configuration, seed and weights decide it.

    Args:
        lengths: Tokens of every row.
        config: How rows become global batches.
        seed: Of every random choice.
        weights: How often an epoch has each row; None: every row once.
        cache: Folder in which the processes of a machine share the order of an epoch; None: each makes its own.

    Raises:
        TrainingError: No row is left to train on, or there are more than `MOST_ROWS`.
    """

    def __init__(
        self,
        lengths: RowLengths,
        config: StreamConfig,
        seed: int,
        weights: Weights | None = None,
        cache: Path | None = None,
    ) -> None:
        check_rows("the split", lengths.rows)
        config = config.settled()
        self.lengths, self.config = lengths, config
        self._maker = OrderMaker(lengths, config, seed, weights)
        found = self._maker.survey(f"{STREAM_VERSION}\n{seed}\n{config.model_dump_json()}".encode())
        check_epoch(found.rows_per_epoch)
        self.dropped_rows = lengths.rows - found.rows
        self.fingerprint = found.fingerprint
        if not found.rows:
            raise TrainingError(
                "no row is left to train on",
                found=f"{self.dropped_rows} rows, all with more than {self.config.max_source_tokens} source or "
                f"{config.max_target_tokens} target tokens",
                advice="Raise max_source_tokens and max_target_tokens, or check what preparation kept.",
            )
        name = storage.digest_bytes(f"{found.lengths_digest}\n{self.fingerprint}".encode())
        is_shared = cache is not None and found.rows_per_epoch >= SHARED_ROWS
        self._files = OrderFiles(cache, name) if cache is not None and is_shared else None
        self._lock = threading.Lock()
        self._starts = [EpochStart(0, 0)]
        self._current: tuple[int, EpochOrder] | None = None

    def know(self, start: EpochStart) -> None:
        """Learn where an epoch starts, from a stream of the same lengths, fingerprint and weights."""
        with self._lock:
            self._add(start)

    def start(self, position: int) -> EpochStart:
        """The epoch a position lies in."""
        with self._lock:
            return self._located(position)[0]

    def batch(self, position: int) -> Rows:
        """The rows of the global batch at a position (from 0), ordered by length."""
        with self._lock:
            start, end = self._located(position)
            order = self._order(start.epoch)
        edges = _even_edges(len(order.order), end - start.position, position - start.position)
        rows = order.rows_of(slice(*edges))
        return rows[by_length(self.lengths.of(rows))]

    def _located(self, position: int) -> tuple[EpochStart, int]:
        """The epoch a position lies in, and the position of the next one's first batch."""
        while True:
            place = bisect.bisect_right(self._starts, position, key=lambda start: start.position)
            start, following = self._starts[place - 1], self._starts[place : place + 1]
            if following and following[0].epoch == start.epoch + 1:
                return start, following[0].position
            bins = len(self._order(start.epoch).order)
            self._add(EpochStart(start.epoch + 1, start.position - (-bins // self.config.bins_per_batch)))

    def _add(self, start: EpochStart) -> None:
        if start not in self._starts:
            bisect.insort(self._starts, start)

    def _order(self, number: int) -> EpochOrder:
        if self._current is None or self._current[0] != number:
            self._current = None
            self._current = number, self._shared(number) or self._made(number)
        return self._current[1]

    def _shared(self, number: int) -> EpochOrder | None:
        if self._files is None:
            return None
        return self._files.order(number, lambda put: self._maker.make(number, put))

    def _made(self, number: int) -> EpochOrder:
        rows: list[RowNumbers] = []
        cuts, order = self._maker.make(number, rows.append)
        return EpochOrder(np.concatenate(rows), cuts, order)


def rank_rows(values: npt.NDArray[T], rank: int, world: int) -> npt.NDArray[T]:
    """What one of `world` processes computes, of a value for each row of a global batch: every world-th row.

    So the lengths of all processes' rows are alike.
    """
    return values[rank::world]


def _even_edges(count: int, parts: int, index: int) -> tuple[int, int]:
    """Begin and end of part `index` of `count` things cut into parts that differ by one at most."""
    return index * count // parts, (index + 1) * count // parts
