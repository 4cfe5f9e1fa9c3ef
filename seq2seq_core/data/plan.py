"""Row lengths, a configuration and a seed in; the stream of global batches, batch by batch at any position, out.

An epoch is made so: a permutation of the rows -> windows -> rows of a window sorted by length -> bins of a limited
number of padded tokens -> bins in random order -> a few bins together are one global batch. All of it is a function
of (lengths, configuration, seed, position): the number of processes and their memory decide who computes what, never
what is computed.

The width of a row is the larger of its source and target length with EOS. `k` rows padded to a width `w` count as
`k * w` padded tokens.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from seq2seq_core import storage
from seq2seq_core.config import Config
from seq2seq_core.dataset.reader import Lengths
from seq2seq_core.errors import TrainingError

Rows = npt.NDArray[np.int64]
"""Numbers of rows of a split, counted from 0 over its shards in order."""

Weights = npt.NDArray[np.float64]
"""How often an epoch passes over each row."""

MOST_ROWS = 1 << 32
"""Numbers of rows are kept, and sorted, in 32 bits; so many rows take 100 GB of memory in every process."""

_EPOCH = "an epoch, by the weights of its corpora,"

STREAM_VERSION = 1
"""Counts changes of the algorithm below: positions of one version mean nothing in another."""


class PlanConfig(Config):
    """How rows become global batches."""

    batch_tokens: int = Field(
        16_384,
        ge=1,
        le=1 << 31,
        description="tokens of a global batch, on all processes together: rows times the longest side",
    )
    bins_per_batch: int = Field(
        4,
        ge=1,
        le=1 << 20,
        description="groups of rows of similar length that make up a global batch; more mix lengths better",
    )
    window_rows: int = Field(1 << 17, ge=1, le=1 << 31, description="rows that are sorted by length together")
    max_source_tokens: int = Field(
        256, ge=1, le=1 << 24, description="rows with a longer source are left out of training"
    )
    max_target_tokens: int = Field(
        256, ge=1, le=1 << 24, description="rows with a longer target are left out of training"
    )

    @property
    def bin_tokens(self) -> int:
        """Padded tokens a bin may have."""
        return self.batch_tokens // self.bins_per_batch

    @property
    def max_width(self) -> int:
        """Width of the longest row that is trained on."""
        return max(self.max_source_tokens, self.max_target_tokens) + 1

    @model_validator(mode="after")
    def _longest_row_fits(self) -> PlanConfig:
        if self.max_width > self.bin_tokens:
            raise ValueError(
                f"a bin of batch_tokens / bins_per_batch ({self.batch_tokens} / {self.bins_per_batch} = "
                f"{self.bin_tokens}) tokens cannot hold a row of max_source_tokens ({self.max_source_tokens}) or "
                f"max_target_tokens ({self.max_target_tokens}) and its EOS"
            )
        return self


@dataclass(frozen=True)
class _Epoch:
    """One epoch: its rows bin after bin, where bins end, and their random order."""

    number: int
    rows: npt.NDArray[np.uint32]
    cuts: Rows
    order: Rows

    def rows_of(self, bins: slice) -> Rows:
        pieces = [self.rows[self.cuts[b] : self.cuts[b + 1]] for b in self.order[bins]]
        return np.concatenate(pieces).astype(np.int64)


class BatchPlan:
    """The endless stream of global batches of a split.

    It holds one epoch at a time; to locate a position in a later epoch the epochs before it are planned once.

    Attributes:
        lengths: Tokens of every row, without BOS and EOS.
        config: How rows become global batches.
        dropped_rows: Rows that are longer than the configuration allows; they are in no batch.
        rows_per_epoch: All other rows, each as often as an epoch has it: once, or (rounded) as its weight says.

    A row of weight w stands floor(w) times in every epoch, and once more in a share w - floor(w) of them, drawn anew
    for each epoch.

    Args:
        lengths: Tokens of every row.
        config: How rows become global batches.
        seed: Of every random choice.
        weights: float64, one a row; None: every row once an epoch.

    Raises:
        TrainingError: No row is left to train on, or there are more than `MOST_ROWS`.
    """

    def __init__(self, lengths: Lengths, config: PlanConfig, seed: int, weights: Weights | None = None) -> None:
        _check_rows("the split", len(lengths.source))
        self.lengths = lengths
        self.config = config
        self._seed = seed
        kept = (lengths.source <= config.max_source_tokens) & (lengths.target <= config.max_target_tokens)
        self._kept = np.flatnonzero(kept).astype(np.uint32)
        self._weights = None if weights is None else weights[self._kept]
        rows_per_epoch = len(self._kept) if self._weights is None else float(self._weights.sum())
        _check_rows(_EPOCH, rows_per_epoch)
        self.rows_per_epoch = round(rows_per_epoch)
        self.dropped_rows = len(kept) - len(self._kept)
        if not len(self._kept):
            raise TrainingError(
                "no row is left to train on",
                found=f"{self.dropped_rows} rows, all with more than {config.max_source_tokens} source or "
                f"{config.max_target_tokens} target tokens",
                advice="Raise max_source_tokens and max_target_tokens, or check what preparation kept.",
            )
        self._lock = threading.Lock()
        self._starts = [0]
        self._current: _Epoch | None = None

    @property
    def fingerprint(self) -> str:
        """Names the stream as far as configuration and seed decide it."""
        named = f"{STREAM_VERSION}\n{self._seed}\n{self.config.model_dump_json()}".encode()
        return storage.digest_bytes(named if self._weights is None else named + self._weights.tobytes())

    def batch(self, position: int) -> Rows:
        """The rows of the global batch at a position (from 0), ordered by length."""
        with self._lock:
            number = self._locate(position)
            epoch = self._epoch(number)
            begin, end = self._starts[number], self._starts[number + 1]
        edges = _even_edges(len(epoch.order), end - begin, position - begin)
        rows = epoch.rows_of(slice(*edges))
        return rows[by_length(self.lengths, rows)]

    def epoch_of(self, position: int) -> int:
        """The epoch (from 0) a position lies in."""
        with self._lock:
            return self._locate(position)

    def epoch_start(self, epoch: int) -> int:
        """The position of an epoch's first batch."""
        with self._lock:
            while len(self._starts) <= epoch:
                self._count_next()
            return self._starts[epoch]

    def batches_in_epoch(self, epoch: int) -> int:
        """The number of global batches of an epoch; it differs a little between epochs."""
        return self.epoch_start(epoch + 1) - self.epoch_start(epoch)

    def _locate(self, position: int) -> int:
        while self._starts[-1] <= position:
            self._count_next()
        return int(np.searchsorted(self._starts, position, side="right")) - 1

    def _count_next(self) -> None:
        bins = len(self._epoch(len(self._starts) - 1).order)
        self._starts.append(self._starts[-1] - (-bins // self.config.bins_per_batch))

    def _epoch(self, number: int) -> _Epoch:
        if self._current is None or self._current.number != number:
            self._current = None
            self._current = self._planned(number)
        return self._current

    def _planned(self, number: int) -> _Epoch:
        # The raw bits of Philox are fixed by its definition; NumPy may change what its distributions make of them.
        bits = np.random.Philox(key=np.array([self._seed, number], np.uint64))
        drawn = self._kept if self._weights is None else np.repeat(self._kept, _repeats(bits, self._weights))
        rows = drawn[_shuffled(bits, len(drawn))]
        cuts = [np.zeros(1, np.int64)]
        for begin in range(0, len(rows), self.config.window_rows):
            window = rows[begin : begin + self.config.window_rows]
            window[:] = window[by_length(self.lengths, window)]
            cuts.append(begin + _cut(_widths(self.lengths, window), self.config.bin_tokens))
        edges = np.concatenate(cuts)
        return _Epoch(number, rows, edges, _shuffled(bits, len(edges) - 1))


def rank_rows(rows: Rows, rank: int, world: int) -> Rows:
    """The part of a global batch that one of `world` processes computes: every world-th row, so lengths are alike."""
    return rows[rank::world]


def micro_batches(rows: Rows, lengths: Lengths, max_tokens: int) -> list[Rows]:
    """Cut rows that are ordered by length into batches of at most `max_tokens` padded tokens, or one row."""
    edges = [0, *_cut(_widths(lengths, rows), max_tokens).tolist()]
    return [rows[begin:end] for begin, end in itertools.pairwise(edges)]


def _check_rows(what: str, rows: float) -> None:
    if not rows <= MOST_ROWS:
        raise TrainingError(
            f"{what} has too many rows",
            found=f"{rows:,.0f}",
            expected=f"at most {MOST_ROWS:,}",
            advice="Lower the weights or max_rows of its corpora, or prepare parts of them as datasets of their own.",
        )


def _widths(lengths: Lengths, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    widths: npt.NDArray[np.int32] = np.maximum(lengths.source[rows], lengths.target[rows]) + np.int32(1)
    return widths


def by_length(lengths: Lengths, rows: npt.NDArray[np.integer]) -> Rows:
    """The order of rows by width; in one width by source minus target length, up and down in turn; then as they stand.

    Rows of one width differ in which side is the shorter and by how much, so the difference groups them best; up and
    down in turn (as an ox ploughs), because then a batch that spans two widths spans few differences. Measured on
    log-normal lengths, 95 to 99.6 % of the positions of a bin are real tokens, against 93 to 97 % by width alone.
    """
    widths = _widths(lengths, rows).astype(np.int64)
    differences = lengths.source[rows].astype(np.int64) - lengths.target[rows]
    differences[widths % 2 == 1] *= -1
    return np.argsort((widths << 32) + differences, kind="stable")


def _shuffled(bits: np.random.Philox, count: int) -> Rows:
    """A random permutation of 0 .. count - 1: the order of as many random 32-bit numbers.

    The position is packed below the number: plain sorting is then a stable argsort, several times as fast as one.
    """
    low = np.uint64(0xFFFF_FFFF)
    packed: npt.NDArray[np.uint64] = (bits.random_raw(count) & ~low) | np.arange(count, dtype=np.uint64)
    packed.sort()
    return (packed & low).astype(np.int64)


def _repeats(bits: np.random.Philox, weights: Weights) -> Rows:
    """How often each row stands in an epoch; at least one row does."""
    whole = np.floor(weights)
    chances = (bits.random_raw(len(weights)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    repeats = (whole + (chances < weights - whole)).astype(np.int64)
    if not repeats.any():
        repeats[np.argmax(weights - chances)] = 1
    _check_rows(_EPOCH, int(repeats.sum()))
    return repeats


def _cut(widths: npt.NDArray[np.int32], limit: int) -> Rows:
    """Where bins end: greedily, `rows * last width <= limit`, at least one row each; `widths` ascend.

    The loop is over distinct widths: within one width all bins but the first have the same number of rows.
    """
    if not len(widths):
        return np.zeros(0, np.int64)
    values, firsts = np.unique(widths, return_index=True)
    edges: list[npt.NDArray[np.int64]] = []
    opened = 0
    for width, first, last in zip(values.tolist(), firsts.tolist(), [*firsts[1:].tolist(), len(widths)], strict=True):
        capacity = max(1, limit // width)
        if first - opened >= capacity:
            edges.append(np.array([first], np.int64))
            opened = first
        inside = np.arange(opened + capacity, last, capacity, dtype=np.int64)
        if inside.size:
            edges.append(inside)
            opened = int(inside[-1])
    return np.concatenate([*edges, np.array([len(widths)], np.int64)])


def _even_edges(count: int, parts: int, index: int) -> tuple[int, int]:
    """Begin and end of part `index` of `count` things cut into parts that differ by one at most."""
    return index * count // parts, (index + 1) * count // parts
