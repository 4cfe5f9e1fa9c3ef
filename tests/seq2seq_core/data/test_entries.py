"""Rows that enter a stream under way: which epoch has them, and how the stream is made again of what is known."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.data import stream
from seq2seq_core.data.epoch_order import OrderMaker
from seq2seq_core.data.stream import BatchStream, EpochStart
from seq2seq_core.dataset.reader import Weights, joined_weights
from tests.row_lengths import ArrayLengths, weights_of
from tests.seq2seq_core.data.test_stream import CONFIG, lengths_of


class Entry(NamedTuple):
    """Where rows enter: position, epoch, and how many rows there are with them."""

    position: int
    epoch: int
    rows: int


def begun(lengths: ArrayLengths, rows: int, seed: int, cache: Path | None = None) -> BatchStream:
    return BatchStream(some(lengths, rows), CONFIG, seed, cache=cache)


def some(lengths: ArrayLengths, rows: int) -> ArrayLengths:
    return ArrayLengths(lengths.source[:rows], lengths.target[:rows])


def enter(plan: BatchStream, lengths: ArrayLengths, entry: Entry) -> None:
    grown = some(lengths, entry.rows)
    plan.enter(plan.survey(grown, (plan.rows, entry.rows), None), grown, entry.position, entry.epoch)


class Course(NamedTuple):
    """A run's data: batches and the starts of their epochs, and what entered."""

    batches: list[list[int]]
    starts: list[EpochStart]
    entries: list[Entry]


def lived(lengths: ArrayLengths, first: int, seed: int, arrivals: dict[int, tuple[int, bool]], steps: int) -> Course:
    """What a run sees: rows come at some positions; where an epoch has just ended, they may join that one yet."""
    plan, course, rows = begun(lengths, first, seed), Course([], [], []), first
    for position in range(steps):
        plan.batch(position + 1)  # as reading ahead does
        if position in arrivals:
            more, waits = arrivals[position]
            rows = min(rows + more, lengths.rows)
            epoch = plan.start(position).epoch
            is_first = position > 0 and plan.start(position - 1).epoch < epoch
            course.entries.append(Entry(position, epoch - 1 if waits and is_first else epoch, rows))
            enter(plan, lengths, course.entries[-1])
        course.batches.append(plan.batch(position).tolist())
        course.starts.append(plan.start(position))
    return course


arrivals = st.dictionaries(st.integers(0, 40), st.tuples(st.integers(0, 60), st.booleans()), max_size=6)
lives = st.tuples(st.integers(1, 60), st.integers(0, 99), arrivals)


@settings(max_examples=30, deadline=None)
@given(lives)
def test_an_epoch_has_every_row_once_from_where_it_entered_on(
    life: tuple[int, int, dict[int, tuple[int, bool]]],
) -> None:
    first, seed, arriving = life
    lengths = lengths_of(first + 400, seed, most=20)
    course = lived(lengths, first, seed, dict(sorted(arriving.items())), 60)
    last = course.starts[-1].epoch  # may not be whole
    for epoch in range(last):
        found = [
            row
            for rows, start in zip(course.batches, course.starts, strict=True)
            if start.epoch == epoch
            for row in rows
        ]
        expected = max([first, *(entry.rows for entry in course.entries if entry.epoch <= epoch)])
        assert sorted(found) == list(range(expected))


@settings(max_examples=20, deadline=None)
@given(lives, st.integers(0, 59))
def test_a_stream_follows_from_its_entries(life: tuple[int, int, dict[int, tuple[int, bool]]], place: int) -> None:
    """Told all at once, and from any position on with the start of its epoch, as a resumed run does."""
    first, seed, arriving = life
    lengths = lengths_of(first + 400, seed, most=20)
    course = lived(lengths, first, seed, dict(sorted(arriving.items())), 60)
    again, resumed = begun(lengths, first, seed), begun(lengths, first, seed)
    for entry in course.entries:
        enter(again, lengths, entry)
    assert [again.batch(position).tolist() for position in range(60)] == course.batches
    for entry in (entry for entry in course.entries if entry.position <= place):
        enter(resumed, lengths, entry)
    resumed.know(course.starts[place])
    until = min([60, *(entry.position for entry in course.entries if entry.position > place)])
    assert [resumed.batch(position).tolist() for position in range(place, until)] == course.batches[place:until]
    assert resumed.start(place) == course.starts[place]


def test_batches_before_an_entry_stay_and_new_rows_are_spread_over_the_rest() -> None:
    lengths = lengths_of(3000, most=20)
    plain, plan = begun(lengths, 2000, 1), begun(lengths, 2000, 1)
    end = plan.start(10**4).position and next(p for p in itertools.count() if plan.start(p).epoch == 1)
    middle = end // 2
    enter(plan, lengths, Entry(middle, 0, 3000))
    for position in range(middle):
        assert plan.batch(position).tolist() == plain.batch(position).tolist()
    following = next(p for p in itertools.count(middle) if plan.start(p).epoch == 1)
    assert following - middle == pytest.approx(end - middle + end / 2, rel=0.1)
    shares = [np.mean(plan.batch(p) >= 2000) for p in range(middle, following)]
    thirds = np.array_split(shares, 3)
    assert all(0.3 < np.mean(third) < 0.7 for third in thirds)


def test_who_waits_at_the_end_of_an_epoch_has_new_rows_in_it() -> None:
    lengths = lengths_of(300, most=20)
    plan = begun(lengths, 200, 1)
    end = next(p for p in itertools.count() if plan.start(p).epoch == 1)
    enter(plan, lengths, Entry(end, 0, 300))
    assert plan.start(end) == EpochStart(0, 0)
    following = next(p for p in itertools.count() if plan.start(p).epoch == 1)
    added = [row for position in range(end, following) for row in plan.batch(position).tolist()]
    assert sorted(added) == list(range(200, 300))


def test_rows_that_are_all_too_long_change_nothing() -> None:
    lengths = lengths_of(300, most=20)
    lengths.source[200:] = 99
    plain, plan = begun(lengths, 200, 1), begun(lengths, 200, 1)
    enter(plan, lengths, Entry(2, 0, 300))
    assert plan.dropped_rows == 100
    end = next(p for p in itertools.count() if plain.start(p).epoch == 1)
    assert [plan.batch(p).tolist() for p in range(end)] == [plain.batch(p).tolist() for p in range(end)]
    assert plan.start(end) == EpochStart(1, end)


def test_only_what_joins_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths, made = lengths_of(300, most=20), []
    inner = OrderMaker.make

    def counted(self: OrderMaker, number: int, put: object) -> object:
        made.append((number, self._lengths.rows))
        return inner(self, number, put)  # type: ignore[arg-type]

    monkeypatch.setattr(OrderMaker, "make", counted)
    plan = begun(lengths, 200, 1)
    plan.batch(3)
    for position, rows in ((4, 220), (5, 300)):
        enter(plan, lengths, Entry(position, 0, rows))
        plan.batch(position)
    assert made == [(0, 200), (0, 20), (0, 80)]


def test_the_stream_with_entries_is_the_same_on_every_machine_and_version() -> None:
    """Frozen values: whoever changes the stream on purpose raises STREAM_VERSION."""
    numbers = np.arange(80, dtype=np.int32)
    lengths = ArrayLengths(numbers * 7 % 20, numbers * 11 % 23)
    plan = begun(lengths, 40, 7)
    for entry in (Entry(2, 0, 60), Entry(3, 0, 61), Entry(16, 1, 80)):
        enter(plan, lengths, entry)
    digest = storage.digest_bytes(np.concatenate([plan.batch(p) for p in range(40)]).tobytes())
    assert (stream.STREAM_VERSION, digest) == (1, "faba7b46a4a9a72ee36ac2276a2a7a9b")


def test_orders_in_files_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths, entries = lengths_of(300, most=20), (Entry(2, 0, 250), Entry(5, 0, 300))
    monkeypatch.setattr(stream, "SHARED_ROWS", 0)
    plans = [begun(lengths, 200, 1, cache) for cache in (None, tmp_path, tmp_path)]
    for plan, entry in itertools.product(plans, entries):
        enter(plan, lengths, entry)
    batches = [[plan.batch(p).tolist() for p in range(60)] for plan in plans]
    assert batches[0] == batches[1] == batches[2]
    assert list(tmp_path.rglob("*.order"))


def test_entries_come_in_order() -> None:
    lengths = lengths_of(300, most=20)
    plan = begun(lengths, 200, 1)
    enter(plan, lengths, Entry(5, 0, 250))
    with pytest.raises(ValueError, match="rows enter at 4 in epoch 0, after others that did so later"):
        enter(plan, lengths, Entry(4, 0, 300))


def test_rows_that_join_stand_in_an_epoch_as_often_as_their_weight_says() -> None:
    lengths = lengths_of(300, most=20)
    plan = BatchStream(some(lengths, 200), CONFIG, 1)
    part = plan.survey(lengths, (200, 300), weights_of(np.full(100, 2.0)))
    plan.enter(part, lengths, 3, 0)
    for epoch in range(2):
        positions = [p for p in range(200) if plan.start(p).epoch == epoch]
        counts = np.bincount(np.concatenate([plan.batch(p) for p in positions]))
        assert counts.tolist() == [1] * 200 + [2] * 100


def test_weights_of_parts_are_joined() -> None:
    one = Weights(np.array([0.5, 3.0]), np.array([1, 0], np.uint8))
    other = Weights(np.array([2.0]), np.array([0], np.uint8))
    assert joined_weights([(None, 3), (None, 2)]) is None
    assert joined_weights([(one, 2)]) is one
    joined = joined_weights([(one, 2), (None, 2), (other, 1)])
    assert joined is not None
    assert joined.of(np.arange(5)).tolist() == [3.0, 0.5, 1.0, 1.0, 2.0]
