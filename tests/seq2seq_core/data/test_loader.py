from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.data import loader as data_loader
from seq2seq_core.data.batch import Batch
from seq2seq_core.data.column_cache import Flat
from seq2seq_core.data.column_layout import Runs, Section
from seq2seq_core.data.columns import Column, Columns
from seq2seq_core.data.epoch_order import OrderMaker, StreamConfig
from seq2seq_core.data.loader import (
    GlobalStep,
    Loader,
    LoaderConfig,
    evaluation_batches,
    read_ahead,
)
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.text import Text
from seq2seq_core.tokenizer.vocabulary import EOS_ID, PAD_ID

PLAN = StreamConfig(batch_tokens=120, bins_per_batch=3, window_rows=32, max_source_tokens=20, max_target_tokens=20)
LOADER = LoaderConfig(max_tokens_per_device=50, prefetch_batches=0)


def columns_of(rows: int, seed: int = 0, most: int = 20) -> Columns:
    """Row i of both sides starts with token 10 + i, so that rows are known again in batches."""
    random = np.random.default_rng(seed)
    sides = []
    for _ in range(2):
        lengths = random.integers(1, most + 1, rows)
        tokens = random.integers(4, 10, int(lengths.sum())).astype(np.uint16)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        tokens[offsets[:-1]] = 10 + np.arange(rows)
        sides.append(Column(Flat(tokens, offsets), Runs([Section("", rows, (), 0, ())])))
    return Columns(sides[0], sides[1], digest=f"{rows} {seed}", modality=Text())


def loader_of(columns: Columns, rank: int = 0, world: int = 1, config: LoaderConfig = LOADER, seed: int = 1) -> Loader:
    return Loader(columns, BatchStream(columns.lengths, PLAN, seed), config, rank=rank, world=world)


def rows_of(batches: list[Batch]) -> list[int]:
    """The numbers of the rows in batches; source and target must be those of one row."""
    sources = [row for batch in batches for row in (batch.source_BS[:, 0] - 10).tolist()]
    targets = [row for batch in batches for row in (batch.target_out_BT[:, 0] - 10).tolist()]
    assert sources == targets
    return sources


def take(loader: Loader, count: int, position: int = 0) -> list[GlobalStep]:
    steps = loader.steps(position)
    taken = list(itertools.islice(steps, count))
    steps.close()
    return taken


def plain(step: GlobalStep) -> tuple[object, ...]:
    """A step as values that compare."""
    tensors = [
        [tensor.tolist() for tensor in (b.source_BS, b.source_lengths_B, b.target_in_BT, b.target_out_BT)]
        for b in step.micro_batches
    ]
    return (step.position, step.epoch, step.rows, step.source_tokens, step.target_tokens, tensors)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_the_ranks_together_compute_the_global_batch(world: int) -> None:
    columns = columns_of(100)
    plan = BatchStream(columns.lengths, PLAN, seed=1)
    loaders = [loader_of(columns, rank, world) for rank in range(world)]
    for position in range(20):
        steps = [loader.step(position) for loader in loaders]
        rows = plan.batch(position)
        assert sorted(rows_of([b for step in steps for b in step.micro_batches])) == sorted(rows.tolist())
        own = sum(batch.target_tokens for step in steps for batch in step.micro_batches)
        real = sum(int((b.source_BS != PAD_ID).sum()) for step in steps for b in step.micro_batches)
        assert {step.target_tokens for step in steps} == {own}
        assert {step.source_tokens for step in steps} == {real}
        assert {(step.rows, step.epoch) for step in steps} == {(len(rows), plan.start(position).epoch)}


def test_a_batch_holds_the_rows_whole() -> None:
    columns = columns_of(100)
    for batch in loader_of(columns).step(0).micro_batches:
        for row, number in enumerate(rows_of([batch])):
            ids = columns.source.gather(np.array([number])).flat.tolist()
            length = int(batch.source_lengths_B[row])
            assert batch.source_BS[row, :length].tolist() == [*ids, EOS_ID]


def test_a_rank_without_rows_has_no_batches() -> None:
    columns = columns_of(2)
    steps = [loader_of(columns, rank, world=8).step(0) for rank in range(8)]
    assert [step.micro_batches for step in steps].count([]) >= 6
    assert {step.target_tokens for step in steps} == {steps[0].target_tokens}


@pytest.mark.parametrize("limit", [21, 50, 1000])
def test_micro_batches_fit_the_device_and_never_move_rows(limit: int) -> None:
    columns = columns_of(100)
    config = LOADER.model_copy(update={"max_tokens_per_device": limit})
    whole = loader_of(columns).step(3)
    step = loader_of(columns, config=config).step(3)
    assert rows_of(step.micro_batches) == rows_of(whole.micro_batches)
    for batch in step.micro_batches:
        assert max(batch.source_BS.numel(), batch.target_out_BT.numel()) <= limit


def test_micro_batches_follow_the_bins_so_that_little_is_padding() -> None:
    columns = columns_of(2000, most=60)
    config = StreamConfig(
        batch_tokens=4000, bins_per_batch=4, window_rows=2000, max_source_tokens=60, max_target_tokens=60
    )
    for world in (1, 2, 4):
        loader = Loader(columns, BatchStream(columns.lengths, config, 1), LoaderConfig(), rank=0, world=world)
        batches = [batch for step in take(loader, 10) for batch in step.micro_batches]
        widest = sum(len(b) * max(b.source_BS.shape[1], b.target_out_BT.shape[1]) for b in batches)
        longest = sum(int(torch.maximum(b.source_lengths_B, (b.target_out_BT != PAD_ID).sum(1)).sum()) for b in batches)
        assert longest / widest > 0.9
        assert len(batches) <= 10 * 5


def test_ranks_take_whole_bins_where_these_are_even() -> None:
    columns = columns_of(2000, most=60)
    config = StreamConfig(
        batch_tokens=4000, bins_per_batch=4, window_rows=2000, max_source_tokens=60, max_target_tokens=60
    )
    plan = BatchStream(columns.lengths, config, 1)
    counts = [
        [len(step.micro_batches) for step in take(Loader(columns, plan, LoaderConfig(), rank=rank, world=2), 10)]
        for rank in range(2)
    ]
    assert counts[0] == counts[1]
    assert sorted(counts[0])[5] == 2  # a share of each of the four bins would be four


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 60), st.integers(0, 3))
def test_the_stream_resumes_at_any_position(position: int, prefetch: int) -> None:
    columns = columns_of(60)
    config = LOADER.model_copy(update={"prefetch_batches": prefetch})
    undisturbed = loader_of(columns)
    found = take(loader_of(columns, config=config), 3, position)
    assert [plain(step) for step in found] == [plain(undisturbed.step(position + i)) for i in range(3)]


def test_a_resume_makes_the_order_of_one_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_loader, "_GATHER_TOKENS", 1)  # a gather reaches beyond the end of a small epoch
    columns = columns_of(60)
    step = next(s for s in take(loader_of(columns), 60) if s.epoch == 3)
    numbers: list[int] = []
    inner = OrderMaker.make
    monkeypatch.setattr(OrderMaker, "make", lambda *a: numbers.append(a[1]) or inner(*a))  # type: ignore[func-returns-value]
    following = loader_of(columns).steps(step.position, step.start)
    assert plain(next(following)) == plain(step)
    assert numbers == [3]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_how_long_steps_were_waited_for_is_known(prefetch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = loader_of(columns_of(90), config=LOADER.model_copy(update={"prefetch_batches": prefetch}))
    made = Loader._made

    def slowly(self: Loader, planned: list[tuple[int, np.ndarray]]) -> Iterator[GlobalStep]:
        time.sleep(0.2)
        return made(self, planned)

    monkeypatch.setattr(Loader, "_made", slowly)
    assert loader.waited() == 0
    steps = loader.steps()
    next(steps)
    waited = loader.waited()
    assert waited >= 0.2
    time.sleep(0.3)
    assert loader.waited() == waited  # who takes the steps did not wait meanwhile
    steps.close()
    assert not any(thread.name == "read-ahead" for thread in threading.enumerate())


def test_the_fingerprint_names_rows_configuration_and_seed() -> None:
    columns = columns_of(60)
    ours = loader_of(columns).fingerprint
    assert loader_of(columns, rank=1, world=2).fingerprint == ours
    assert len({ours, loader_of(columns_of(60, seed=1)).fingerprint, loader_of(columns, seed=2).fingerprint}) == 3


def test_a_device_too_small_for_the_longest_row_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"max_tokens_per_device \(20\) cannot hold a row of max_source_tokens \(20\)"
    ):
        loader_of(columns_of(10), config=LoaderConfig(max_tokens_per_device=20))


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_evaluation_sees_every_row_once(world: int) -> None:
    columns = columns_of(50)
    items = [item for rank in range(world) for item in evaluation_batches(columns, 15, rank=rank, world=world)]
    assert sorted(np.concatenate([item.rows for item in items]).tolist()) == list(range(50))
    for item in items:
        assert rows_of([item.batch]) == item.rows.tolist()
        assert item.batch.source_BS.numel() <= 15 or len(item.rows) == 1
    assert sorted(row for item in evaluation_batches(columns, 60, limit=7) for row in item.rows) == list(range(7))


def count(stop_at: int | None = None) -> Iterator[int]:
    for number in itertools.count():
        if number == stop_at:
            raise ValueError("no more")
        yield number


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_reading_ahead_gives_the_same_values(depth: int) -> None:
    assert list(read_ahead(iter(range(20)), depth)) == list(range(20))
    assert list(read_ahead(iter(()), depth)) == []


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_errors_come_after_the_values_before_them(depth: int) -> None:
    values = read_ahead(count(stop_at=4), depth)
    assert [next(values) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="no more"):
        next(values)
    assert background_threads() == []


def background_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def test_the_thread_ends_with_the_generator() -> None:
    values = read_ahead(count(), 2)
    assert next(values) == 0
    assert len(background_threads()) == 1
    values.close()
    assert background_threads() == []
    unread = read_ahead(count(), 2)
    next(unread)
    del unread
    assert background_threads() == []


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made = []

    def source() -> Iterator[int]:
        for number in itertools.count():
            made.append(number)
            yield number

    values = read_ahead(source(), 3)
    next(values)
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert len(made) == 4
    values.close()


def test_steps_are_made_by_the_background_thread() -> None:
    config = LOADER.model_copy(update={"prefetch_batches": 2})
    columns = columns_of(60)
    assert [plain(s) for s in take(loader_of(columns, config=config), 9)] == [
        plain(s) for s in take(loader_of(columns), 9)
    ]
    assert background_threads() == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs a CUDA device")
def test_pinned_batches() -> None:
    columns = columns_of(60)
    loader = Loader(columns, BatchStream(columns.lengths, PLAN, 1), LOADER, rank=0, world=1, pin=True)
    assert all(batch.source_BS.is_pinned() for batch in loader.step(0).micro_batches)
