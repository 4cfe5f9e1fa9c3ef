"""Row lengths, a configuration, a seed and an epoch's number in; the order of that epoch's rows, cut into bins, out.

An epoch is made so: a permutation of the rows -> windows -> rows of a window sorted by length -> bins of a limited
number of padded tokens -> bins in random order. All of it is a function of (lengths, configuration, seed, number).

Whoever makes an order holds some 16 bytes a row meanwhile, and nothing of it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import xxhash
from pydantic import Field, model_validator

from seq2seq_core.config import Config, build
from seq2seq_core.data.bins import Keys, LengthOrder, RowLengths, cut
from seq2seq_core.data.column_layout import Rows
from seq2seq_core.data.drawing.chance import chances, low, random_bits, random_order, shuffled
from seq2seq_core.data.drawing.walks import Walk
from seq2seq_core.dataset.reader import Lengths, Weights
from seq2seq_core.errors import TrainingError
from seq2seq_core.modalities.table import DEFAULT

RowNumbers = npt.NDArray[np.uint32]

MOST_ROWS = 1 << 32
"""Numbers of rows are kept, and sorted, in 32 bits; the order of so many takes 70 GB of memory to make."""

USUAL_SOURCE_TOKENS = DEFAULT.longest

_EPOCH = "an epoch, by the weights of its corpora,"
_CHUNK_ROWS = 1 << 17


class StreamConfig(Config):
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
    max_source_tokens: int | None = Field(
        None,
        ge=1,
        le=1 << 24,
        description="rows with a longer source are left out of training; default: 256, of audio 3000 frames",
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
        return max(self.most_source_tokens, self.max_target_tokens) + 1

    @property
    def most_source_tokens(self) -> int:
        """The longest source that is trained on; where nothing was said, that of text."""
        return self.max_source_tokens or USUAL_SOURCE_TOKENS

    def settled(self, usual: int = USUAL_SOURCE_TOKENS) -> Self:
        """The same with the longest source written out: `usual` where nothing was said.

        Raises:
            ConfigError: A bin cannot hold such a row.
        """
        longest = self.max_source_tokens or usual
        return build(type(self), self.model_dump() | {"max_source_tokens": longest}, where="data")

    def keeps(self, lengths: Lengths) -> npt.NDArray[np.bool_]:
        """Which rows are trained on."""
        kept: npt.NDArray[np.bool_] = (lengths.source <= self.most_source_tokens) & (
            lengths.target <= self.max_target_tokens
        )
        return kept

    @model_validator(mode="after")
    def _longest_row_fits(self) -> StreamConfig:
        """The longest source counts where it is known: `settled` looks again."""
        longest = {"max_source_tokens": self.max_source_tokens, "max_target_tokens": self.max_target_tokens}
        known = {name: length for name, length in longest.items() if length is not None}
        width, rows = max(known.values()) + 1, " or ".join(f"{name} ({length})" for name, length in known.items())
        if width > self.bin_tokens:
            raise ValueError(
                f"a bin of batch_tokens / bins_per_batch ({self.batch_tokens} / {self.bins_per_batch} = "
                f"{self.bin_tokens}) tokens cannot hold a row of {rows} and its EOS: raise batch_tokens to "
                f"{width * self.bins_per_batch} or more, or lower one of the others"
            )
        return self


@dataclass(frozen=True)
class EpochOrder:
    """One epoch: its rows bin after bin, where bins begin and end in them, and the random order of the bins."""

    rows: RowNumbers
    cuts: Rows
    order: Rows


@dataclass(frozen=True)
class Survey:
    """What the lengths and weights of all rows say.

    Attributes:
        rows: Rows that are trained on.
        rows_per_epoch: Each of them as often as an epoch has it, as its weight says.
        lengths_digest: Names the lengths of all rows.
        fingerprint: xxh3-128 of the prefix, then the weight (float64) of each row that is trained on, if there are any.
    """

    rows: int
    rows_per_epoch: float
    lengths_digest: str
    fingerprint: str


class OrderMaker:
    """Makes the order of any epoch.

    A row of weight w stands floor(w) times in every epoch, and once more in a share w - floor(w) of them, drawn anew
    for each epoch.

    Args:
        lengths: Tokens of the rows.
        config: How rows become bins.
        seed: Of every random choice.
        weights: How often an epoch has each row; None: every row once.
        entry: Another number makes other random choices, for rows that join an epoch under way.
        walk: How much an epoch has of each of several datasets; None: there is one.
    """

    def __init__(
        self,
        lengths: RowLengths,
        config: StreamConfig,
        seed: int,
        weights: Weights | None,
        entry: int = 0,
        walk: Walk | None = None,
    ) -> None:
        self._lengths, self._config, self._seed, self._weights = lengths, config, seed, weights
        self._entry, self._walk = entry, walk
        self._by_length = LengthOrder(config.max_width)

    def survey(self, prefix: bytes) -> Survey:
        """Look at all rows once; `prefix` names what decides an epoch beside them."""
        counts = np.zeros(1 if self._weights is None else len(self._weights.values), np.int64)
        by_lengths, by_weights = xxhash.xxh3_128(), xxhash.xxh3_128(prefix)
        for begin, lengths in self._chunks():
            by_lengths.update(np.stack(lengths).data)
            kept = np.flatnonzero(self._config.keeps(lengths))
            if self._weights is None:
                counts += len(kept)
            else:
                codes = self._weights.codes[begin : begin + len(lengths.source)][kept]
                counts += np.bincount(codes, minlength=len(counts))
                by_weights.update(self._weights.values[codes].tobytes())
        weights = [1.0] if self._weights is None else self._weights.values.tolist()
        rows_per_epoch = sum(count * weight for count, weight in zip(counts.tolist(), weights, strict=True) if count)
        return Survey(int(counts.sum()), float(rows_per_epoch), by_lengths.hexdigest(), by_weights.hexdigest())

    def make(self, number: int, put: Callable[[RowNumbers], None]) -> tuple[Rows, Rows]:
        """Give the rows of an epoch to `put`, window after window; where bins begin and end, and their order."""
        bits = random_bits(self._seed, number, self._entry)
        keys, kept = self._read()
        drawn = self._drawn(number, bits, kept)
        permutation = shuffled(bits, len(drawn))
        cuts = [np.zeros(1, np.int64)]
        for begin in range(0, len(drawn), self._config.window_rows):
            window = drawn[low(permutation[begin : begin + self._config.window_rows])]
            window_keys = keys[window]
            order = self._by_length.sorted(window_keys)
            put(window[order])
            cuts.append(begin + cut(self._by_length.widths(window_keys[order]), self._config.bin_tokens))
        edges = np.concatenate(cuts)
        return edges, random_order(bits, len(edges) - 1)

    def _chunks(self) -> Iterator[tuple[int, Lengths]]:
        """The lengths of all rows, some at a time, and the number of the first of them."""
        for begin in range(0, self._lengths.rows, _CHUNK_ROWS):
            yield begin, self._lengths.between(begin, min(begin + _CHUNK_ROWS, self._lengths.rows))

    def _read(self) -> tuple[Keys, RowNumbers]:
        """The keys by which rows are sorted, of all of them, and the numbers of those that are trained on."""
        keys: Keys = np.zeros(self._lengths.rows, self._by_length.dtype)
        numbers: RowNumbers = np.empty(self._lengths.rows, np.uint32)
        count = 0
        for begin, lengths in self._chunks():
            kept = np.flatnonzero(self._config.keeps(lengths))
            keys[begin + kept] = self._by_length.keys(Lengths(lengths.source[kept], lengths.target[kept]))
            numbers[count : count + len(kept)] = begin + kept
            count += len(kept)
        return keys, numbers[:count]

    def _drawn(self, number: int, bits: np.random.Philox, kept: RowNumbers) -> RowNumbers:
        """Each row as often as it stands in an epoch."""
        if self._walk is not None:
            return self._walk.drawn(self._seed, number, kept, self._weights)
        return kept if self._weights is None else self._repeated(bits, kept, self._weights)

    def _repeated(self, bits: np.random.Philox, kept: RowNumbers, by: Weights) -> RowNumbers:
        """Rows as often as their weights say; at least one row is there."""
        drawn: list[RowNumbers] = [np.zeros(0, np.uint32)]
        total, likeliest = 0, (-np.inf, 0)
        for begin in range(0, len(kept), _CHUNK_ROWS):
            rows = kept[begin : begin + _CHUNK_ROWS]
            weights = by.of(rows)
            whole = np.floor(weights)
            drawn_chances = chances(bits, len(rows))
            repeats = (whole + (drawn_chances < weights - whole)).astype(np.int64)
            total += int(repeats.sum())
            check_rows(_EPOCH, total)
            drawn.append(np.repeat(rows, repeats))
            best = int(np.argmax(weights - drawn_chances))
            likeliest = max(likeliest, (float(weights[best] - drawn_chances[best]), -(begin + best)))
        return np.concatenate(drawn) if total else kept[[-likeliest[1]]]


def check_rows(what: str, rows: float) -> None:
    """Refuse more rows than their numbers can tell apart."""
    if not rows <= MOST_ROWS:
        raise TrainingError(
            f"{what} has too many rows",
            found=f"{rows:,.0f}",
            expected=f"at most {MOST_ROWS:,}",
            advice="Lower the weights or max_rows of its corpora, or prepare parts of them as datasets of their own.",
        )


def check_epoch(rows: float) -> None:
    """Refuse weights by which an epoch has too many rows."""
    check_rows(_EPOCH, rows)
