"""Row lengths, a configuration and a seed in; the stream of global batches, batch by batch at any position, out.

A few bins of an epoch together (see `epoch_order`) are one global batch. The stream is a function of (lengths,
configuration, seed, position) and of where rows *entered* that were not there from the beginning: the number of
processes and their memory decide who computes what, never what is computed.

Rows enter at a position, and in an epoch: they join it where it has begun (see `mixture`), and are rows like all
others from the next one on. What is told of entries (position, epoch, how many rows there are then) is all that it
takes to make the same stream again. With a curriculum rows enter in the same way at positions that it has planned, and
join whichever epoch is under way there.
"""

from __future__ import annotations

import bisect
import itertools
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from seq2seq_core import storage
from seq2seq_core.data.bins import OrderedLengths, RowLengths, SomeLengths, by_length
from seq2seq_core.data.column_layout import Rows
from seq2seq_core.data.drawing.chance import random_bits
from seq2seq_core.data.drawing.curriculum import Curriculum
from seq2seq_core.data.drawing.shares import Mixed
from seq2seq_core.data.drawing.walks import Walk
from seq2seq_core.data.epoch_order import (
    EpochOrder,
    OrderMaker,
    RowNumbers,
    StreamConfig,
    Survey,
    check_epoch,
    check_rows,
)
from seq2seq_core.data.mixture import Mixture, Stretch
from seq2seq_core.data.order_files import OrderFiles
from seq2seq_core.dataset.reader import Weights, joined_weights
from seq2seq_core.errors import TrainingError

T = TypeVar("T", bound=np.generic)

STREAM_VERSION = 1
"""Counts changes of the algorithm: positions of one version mean nothing in another."""

SHARED_ROWS = 1 << 20
"""Rows from which on an order is worth a file; those of fewer are made in less than a second."""

_MIXING = 1  # the use of random bits by which those who join are spread


@dataclass(frozen=True, order=True)
class EpochStart:
    """An epoch (from 0), and the position of its first batch."""

    epoch: int
    position: int


@dataclass(frozen=True)
class Part:
    """Rows that enter a stream together, and what the look at them has found.

    Attributes:
        rows: How many rows there are before them, and with them.
        weights: How often an epoch has each of them; None: every row once.
        survey: What their lengths and weights say.
        walk: How much an epoch has of each dataset, where they are those of several.
    """

    rows: tuple[int, int]
    weights: Weights | None
    survey: Survey
    walk: Walk | None = None

    @property
    def name(self) -> str:
        """Names the lengths and weights of the rows, the configuration and the seed."""
        return storage.digest_bytes(f"{self.survey.lengths_digest}\n{self.survey.fingerprint}".encode())


class _Entry(NamedTuple):
    """Where a part enters: `epoch` is the first that has its rows; None: the one that is under way there."""

    position: int
    epoch: int | None
    part: Part

    def is_in(self, start: EpochStart) -> bool:
        """Whether an epoch has its rows from the beginning."""
        return (
            self.position <= start.position
            if self.epoch is None
            else (self.epoch, self.position) <= (start.epoch, start.position)
        )

    def joins(self, start: EpochStart, end: int) -> bool:
        """Whether it enters that epoch, which as far as is known ends so, under way."""
        return self.position < end if self.epoch is None else self.epoch == start.epoch


@dataclass
class _Epoch:
    """An epoch, as far as entries are known; `entries` says how many of them are in it."""

    start: EpochStart
    stretches: list[Stretch]
    entries: int

    @property
    def end(self) -> int:
        return self.stretches[-1].end

    def batch(self, position: int) -> Rows:
        place = bisect.bisect_right(self.stretches, position, key=lambda stretch: stretch.begin)
        return self.stretches[place - 1].batch(position)


class BatchStream:
    """The endless stream of global batches of a split.

    It holds one epoch at a time; to locate a position, the epochs between it and the last start that is known before
    it are made once.

    Attributes:
        lengths: Tokens of every row, without BOS and EOS.
        config: How rows become global batches.
        fingerprint: Names the stream as far as configuration, seed and weights of the first rows decide it.
        name: Names the same, and the lengths of the first rows.

    Args:
        lengths: Tokens of every row.
        config: How rows become global batches.
        seed: Of every random choice.
        weights: How often an epoch has each row; None: every row once.
        cache: Folder in which the processes of a machine share the order of an epoch; None: each makes its own.
        mixed: The datasets that the rows are of, where they are several.
        curriculum: Which rows come from where on, where not all are there at first; nothing else enters then.

    Raises:
        TrainingError: No row is left to train on, of one of several datasets neither, or there are more than
            `MOST_ROWS`.
    """

    def __init__(
        self,
        lengths: RowLengths,
        config: StreamConfig,
        seed: int,
        weights: Weights | None = None,
        cache: Path | None = None,
        mixed: Mixed | None = None,
        curriculum: Curriculum | None = None,
    ) -> None:
        self.lengths, self.config = lengths, config.settled()
        self._seed, self._cache = seed, cache
        self._lock = threading.Lock()
        self._numbers = curriculum.order if curriculum else None
        self._entries = (
            self._planned(curriculum, weights) if curriculum else [_Entry(0, 0, self._first(weights, mixed))]
        )
        self._starts = [EpochStart(0, 0)]
        self._current: _Epoch | None = None
        self.fingerprint, self.name = self._entries[0].part.survey.fingerprint, self._entries[0].part.name
        if curriculum:
            self.fingerprint = self.name = self._name_of(curriculum)

    @property
    def parts(self) -> list[Part]:
        """What has entered, in order."""
        return [entry.part for entry in self._entries]

    @property
    def rows(self) -> int:
        """Rows that have entered, those that are left out as well."""
        return self._entries[-1].part.rows[1]

    @property
    def draws(self) -> tuple[int, ...]:
        """How many rows of each of several datasets an epoch has; nothing where there is one."""
        walk = self._entries[0].part.walk
        return walk.draws if walk else ()

    def by_dataset(self, rows: Rows) -> tuple[int, ...]:
        """How many of some rows are of each of several datasets; nothing where there is one."""
        walk = self._entries[0].part.walk
        if walk is None:
            return ()
        places = np.searchsorted(walk.ends, rows, side="right")
        return tuple(np.bincount(places, minlength=len(walk.ends)).tolist())

    @property
    def dropped_rows(self) -> int:
        """Rows that are longer than the configuration allows; they are in no batch."""
        return self.rows - sum(part.survey.rows for part in self.parts)

    def survey(self, lengths: RowLengths, rows: tuple[int, int], weights: Weights | None) -> Part:
        """Look at rows that are to enter: those from one number on up to another, of the lengths of all of them.

        Raises:
            TrainingError: There are more rows than `MOST_ROWS`.
        """
        check_rows("the split", rows[1])
        maker = OrderMaker(SomeLengths(lengths, *rows), self.config, self._seed, weights)
        found = maker.survey(f"{STREAM_VERSION}\n{self._seed}\n{self.config.model_dump_json()}".encode())
        check_epoch(found.rows_per_epoch)
        return Part(rows, weights, found)

    def _first(self, weights: Weights | None, mixed: Mixed | None) -> Part:
        """The rows that are there from the beginning; of each dataset some are trained on."""
        if mixed is None:
            part = self.survey(self.lengths, (0, self.lengths.rows), weights)
            self._check_left(part, "")
            return part
        found = list[Survey]()
        for name, (begin, end) in zip(mixed.names, itertools.pairwise((0, *mixed.ends)), strict=True):
            own = None if weights is None else Weights(weights.values, weights.codes[begin:end])
            part = self.survey(self.lengths, (begin, end), own)
            self._check_left(part, name)
            found.append(part.survey)
        walk = Walk(mixed.ends, mixed.config.draws([survey.rows_per_epoch for survey in found]))
        check_epoch(sum(walk.draws))
        survey = Survey(
            sum(survey.rows for survey in found),
            float(sum(walk.draws)),
            storage.digest_bytes("\n".join(survey.lengths_digest for survey in found).encode()),
            storage.digest_bytes(f"{walk.ends} {walk.draws} {[survey.fingerprint for survey in found]}".encode()),
        )
        return Part((0, self.lengths.rows), weights, survey, walk)

    def _planned(self, curriculum: Curriculum, weights: Weights | None) -> list[_Entry]:
        """The rows of each opening of a curriculum."""
        codes = None if weights is None else weights.codes[curriculum.order]
        entries, begin = list[_Entry](), 0
        for position, end in curriculum.openings:
            own = None if weights is None or codes is None else Weights(weights.values, codes[begin:end])
            entries.append(_Entry(position, None, self.survey(self._counted(self.lengths), (begin, end), own)))
            begin = end
        self._check_left(entries[0].part, "")
        check_epoch(sum(entry.part.survey.rows_per_epoch for entry in entries))
        return entries

    def _name_of(self, curriculum: Curriculum) -> str:
        names = [f"{entry.position} {entry.part.name}" for entry in self._entries]
        return storage.digest_bytes("\n".join([*names, storage.digest_bytes(curriculum.order.tobytes())]).encode())

    def _counted(self, lengths: RowLengths) -> RowLengths:
        """Lengths of rows as they are counted here."""
        return lengths if self._numbers is None else OrderedLengths(lengths, self._numbers)

    def _check_left(self, part: Part, name: str) -> None:
        if not part.survey.rows:
            raise TrainingError(
                "no row is left to train on",
                where=name or None,
                found=f"{part.rows[1] - part.rows[0]} rows, all with more than {self.config.max_source_tokens} source "
                f"or {self.config.max_target_tokens} target tokens",
                advice="Raise max_source_tokens and max_target_tokens, or check what preparation kept.",
            )

    def continues(self, lengths: RowLengths) -> bool:
        """Whether lengths begin with those of the rows that have entered; each of them is looked at."""
        surveys = ((part, self.survey(lengths, part.rows, part.weights)) for part in self.parts)
        return all(part.name == other.name for part, other in surveys)

    def enter(self, part: Part, lengths: RowLengths, position: int, epoch: int) -> None:
        """Let rows enter before the batch at a position.

        Args:
            part: The rows; they follow on those that are here.
            lengths: Those of all rows, these and all before them.
            position: The batches before it stay as they are.
            epoch: That of the batch before the position, or the following one where the position is its first.
        """
        check_epoch(sum(one.survey.rows_per_epoch for one in (*self.parts, part)))
        with self._lock:
            if self._numbers is not None:
                raise ValueError("rows enter where a curriculum has planned it")
            if (epoch, position) < (self._entries[-1].epoch or 0, self._entries[-1].position):
                raise ValueError(f"rows enter at {position} in epoch {epoch}, after others that did so later")
            self.lengths = lengths
            self._entries.append(_Entry(position, epoch, part))
            self._starts = [start for start in self._starts if start.epoch <= epoch]
            if self._current and (self._current.start.epoch != epoch or self._current.start.position >= position):
                self._current = None

    def know(self, start: EpochStart) -> None:
        """Learn where an epoch starts, from a stream of the same entries, lengths, fingerprint and weights."""
        with self._lock:
            self._add(start)

    def start(self, position: int) -> EpochStart:
        """The epoch a position lies in."""
        with self._lock:
            return self._located(position)[0]

    def batch(self, position: int) -> Rows:
        """The rows of the global batch at a position (from 0), ordered by length."""
        with self._lock:
            start, _ = self._located(position)
            epoch = self._epoch(start)
        rows = epoch.batch(position)
        rows = rows if self._numbers is None else self._numbers[rows].astype(np.int64)
        return rows[by_length(self.lengths.of(rows))]

    def _located(self, position: int) -> tuple[EpochStart, int]:
        """The epoch a position lies in, and the position of the next one's first batch."""
        while True:
            place = bisect.bisect_right(self._starts, position, key=lambda start: start.position)
            start, following = self._starts[place - 1], self._starts[place : place + 1]
            if following and following[0].epoch == start.epoch + 1:
                return start, following[0].position
            self._add(EpochStart(start.epoch + 1, self._epoch(start).end))

    def _add(self, start: EpochStart) -> None:
        if start not in self._starts:
            bisect.insort(self._starts, start)

    def _epoch(self, start: EpochStart) -> _Epoch:
        if self._current is None or self._current.start != start:
            self._current = None
            self._current = self._begun(start)
        return self._grown(self._current)

    def _begun(self, start: EpochStart) -> _Epoch:
        """An epoch with the rows that are there when it begins."""
        count = sum(entry.is_in(start) for entry in self._entries)
        parts = self.parts[:count]
        name = parts[0].name if count == 1 else storage.digest_bytes("\n".join(part.name for part in parts).encode())
        weights = joined_weights([(part.weights, part.rows[1] - part.rows[0]) for part in parts])
        order = self._order(start.epoch, parts, weights, name)
        stretch = Stretch.of(start.position, Mixture.of(order), self.config.bins_per_batch)
        return _Epoch(start, [stretch], count)

    def _grown(self, epoch: _Epoch) -> _Epoch:
        """The epoch with those rows in it that entered since it was made."""
        number = epoch.start.epoch
        for index, entry in enumerate(self._entries[epoch.entries :], start=epoch.entries):
            if not entry.joins(epoch.start, epoch.end):
                break
            if entry.part.survey.rows:
                name = storage.digest_bytes(f"{entry.part.name}\n{index}".encode())
                order = self._order(number, [entry.part], entry.part.weights, name, index)
                bits = random_bits(self._seed, number, index, _MIXING)
                last, first_row, bins = epoch.stretches[-1], entry.part.rows[0], self.config.bins_per_batch
                epoch.stretches.append(last.joined(entry.position, order, first_row, bits, bins))
            epoch.entries = index + 1
        return epoch

    def _order(self, number: int, parts: list[Part], weights: Weights | None, name: str, entry: int = 0) -> EpochOrder:
        """The order of the rows of some parts in an epoch; processes of a machine share that of many."""
        lengths = SomeLengths(self._counted(self.lengths), parts[0].rows[0], parts[-1].rows[1])
        maker = OrderMaker(lengths, self.config, self._seed, weights, entry, parts[0].walk)
        if self._cache is not None and sum(part.survey.rows_per_epoch for part in parts) >= SHARED_ROWS:
            shared = OrderFiles(self._cache, name).order(number, lambda put: maker.make(number, put))
            if shared is not None:
                return shared
        rows: list[RowNumbers] = []
        cuts, order = maker.make(number, rows.append)
        return EpochOrder(np.concatenate(rows), cuts, order)


def rank_rows(values: npt.NDArray[T], rank: int, world: int) -> npt.NDArray[T]:
    """What one of `world` processes computes, of a value for each row of a global batch: every world-th row.

    So the lengths of all processes' rows are alike.
    """
    return values[rank::world]
