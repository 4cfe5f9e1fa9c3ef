from __future__ import annotations

import itertools

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.config import build
from seq2seq_core.data import plan as planning
from seq2seq_core.data.plan import BatchPlan, PlanConfig, by_length, micro_batches, rank_rows
from seq2seq_core.dataset.reader import Lengths
from seq2seq_core.errors import ConfigError, TrainingError

CONFIG = PlanConfig(batch_tokens=120, bins_per_batch=3, window_rows=32, max_source_tokens=20, max_target_tokens=25)


def lengths_of(rows: int, seed: int = 0, most: int = 30) -> Lengths:
    random = np.random.default_rng(seed)
    source, target = random.integers(0, most + 1, (2, rows), dtype=np.int32)
    return Lengths(source, target)


def widths(lengths: Lengths, rows: np.ndarray) -> np.ndarray:
    return np.maximum(lengths.source[rows], lengths.target[rows]) + 1


def epoch_batches(plan: BatchPlan, epoch: int) -> list[np.ndarray]:
    return [plan.batch(p) for p in range(plan.epoch_start(epoch), plan.epoch_start(epoch + 1))]


cases = st.builds(lengths_of, st.integers(1, 200), st.integers(0, 99), st.integers(0, 20))


@settings(max_examples=50, deadline=None)
@given(cases, st.integers(0, 9), st.integers(1, 5), st.integers(1, 100))
def test_every_row_once_an_epoch(lengths: Lengths, seed: int, bins: int, window: int) -> None:
    config = CONFIG.model_copy(update={"bins_per_batch": bins, "batch_tokens": 40 * bins, "window_rows": window})
    plan = BatchPlan(lengths, config, seed)
    for epoch in range(3):
        rows = np.concatenate(epoch_batches(plan, epoch))
        assert sorted(rows.tolist()) == list(range(len(lengths.source)))


def test_long_rows_are_left_out_and_counted() -> None:
    lengths = lengths_of(500)
    plan = BatchPlan(lengths, CONFIG, seed=1)
    kept = np.flatnonzero((lengths.source <= 20) & (lengths.target <= 25))
    assert 0 < plan.dropped_rows == 500 - len(kept)
    assert plan.rows_per_epoch == len(kept)
    assert sorted(np.concatenate(epoch_batches(plan, 1)).tolist()) == kept.tolist()


@settings(max_examples=25, deadline=None)
@given(cases, st.integers(0, 9), st.lists(st.integers(0, 40), max_size=8))
def test_a_batch_follows_from_its_position_alone(lengths: Lengths, seed: int, positions: list[int]) -> None:
    straight = BatchPlan(lengths, CONFIG, seed)
    stream = [straight.batch(position) for position in range(41)]
    epochs = [straight.epoch_of(position) for position in range(41)]
    jumping = BatchPlan(lengths, CONFIG, seed)
    for position in positions:
        assert jumping.batch(position).tolist() == stream[position].tolist()
        assert jumping.epoch_of(position) == epochs[position]
        assert BatchPlan(lengths, CONFIG, seed).batch(position).tolist() == stream[position].tolist()


def test_the_stream_is_the_same_on_every_machine_and_version() -> None:
    """Frozen values: whoever changes the stream on purpose raises STREAM_VERSION."""
    numbers = np.arange(40, dtype=np.int32)
    plan = BatchPlan(Lengths(numbers * 7 % 20, numbers * 11 % 23), CONFIG, seed=7)
    digest = planning.storage.digest_bytes(np.concatenate([plan.batch(p) for p in range(12)]).tobytes())
    assert (planning.STREAM_VERSION, digest) == (1, "a4afdc3c152352087bd7e159e292d99a")


def test_seeds_and_epochs_give_different_orders() -> None:
    lengths = lengths_of(300, most=20)
    batches = [
        np.concatenate(epoch_batches(BatchPlan(lengths, CONFIG, seed), epoch))
        for seed, epoch in ((1, 0), (1, 1), (2, 0))
    ]
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(batches, 2))


def test_epochs_are_located() -> None:
    plan = BatchPlan(lengths_of(300, most=20), CONFIG, seed=1)
    assert plan.epoch_start(0) == 0
    for epoch in range(4):
        begin, count = plan.epoch_start(epoch), plan.batches_in_epoch(epoch)
        assert plan.epoch_of(begin) == plan.epoch_of(begin + count - 1) == epoch
        assert plan.epoch_start(epoch + 1) == begin + count


@settings(max_examples=50, deadline=None)
@given(cases, st.integers(0, 9))
def test_bins_and_batches_keep_their_budget(lengths: Lengths, seed: int) -> None:
    plan = BatchPlan(lengths, CONFIG, seed)
    epoch = plan._epoch(0)
    for begin, end in itertools.pairwise(epoch.cuts.tolist()):
        bin_widths = widths(lengths, epoch.rows[begin:end])
        assert len(bin_widths) * bin_widths.max() <= CONFIG.bin_tokens
    counts = [len(bins) for bins in np.array_split(epoch.order, plan.batches_in_epoch(0))]
    assert max(counts) <= CONFIG.bins_per_batch
    assert max(counts) - min(counts) <= 1


def test_batches_are_full_and_hold_little_padding() -> None:
    random = np.random.default_rng(0)
    source = np.clip(random.lognormal(3, 0.6, 100_000), 1, 256).astype(np.int32)
    target = np.clip(source * random.lognormal(0, 0.2, 100_000), 1, 256).astype(np.int32)
    lengths = Lengths(source, target)
    plan = BatchPlan(lengths, PlanConfig(), seed=1)
    epoch = plan._epoch(0)
    begins, counts = epoch.cuts[:-1], np.diff(epoch.cuts)
    padded = sum(counts * (np.maximum.reduceat(side[epoch.rows], begins) + 1) for side in lengths).sum()
    real = sum(int(side.sum()) for side in lengths) + 2 * len(source)
    assert real / padded > 0.97
    assert widths(lengths, epoch.rows).sum() / (len(counts) * plan.config.bin_tokens) > 0.97


def test_a_global_batch_mixes_lengths() -> None:
    lengths = lengths_of(3000, most=20)
    plan = BatchPlan(lengths, CONFIG.model_copy(update={"window_rows": 3000}), seed=1)
    spread = [np.ptp(widths(lengths, batch)) for batch in epoch_batches(plan, 0)]
    assert np.mean(spread) > 5


def test_a_window_bounds_what_is_sorted_together() -> None:
    lengths = lengths_of(1000, most=20)
    plan = BatchPlan(lengths, CONFIG.model_copy(update={"window_rows": 100}), seed=1)
    epoch = plan._epoch(0)
    assert set(range(100, 1000, 100)) <= set(epoch.cuts.tolist())
    assert all((np.diff(widths(lengths, epoch.rows[b : b + 100])) >= 0).all() for b in range(0, 1000, 100))


@settings(max_examples=50, deadline=None)
@given(cases, st.sampled_from([1, 2, 3, 8]))
def test_ranks_share_a_batch_evenly(lengths: Lengths, world: int) -> None:
    rows = BatchPlan(lengths, CONFIG, seed=1).batch(0)
    parts = [rank_rows(rows, rank, world) for rank in range(world)]
    assert sorted(np.concatenate(parts).tolist()) == sorted(rows.tolist())
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    tokens = [int(widths(lengths, part).sum()) for part in parts]
    assert max(tokens) - min(tokens) <= widths(lengths, rows).max()


@settings(max_examples=100, deadline=None)
@given(cases, st.integers(1, 80))
def test_micro_batches(lengths: Lengths, limit: int) -> None:
    rows = np.arange(len(lengths.source))
    rows = rows[by_length(lengths, rows)]
    pieces = micro_batches(rows, lengths, limit)
    assert np.concatenate(pieces).tolist() == rows.tolist()
    sizes = [(len(piece), int(widths(lengths, piece).max())) for piece in pieces]
    assert all(count * width <= limit or count == 1 for count, width in sizes)
    following = [int(widths(lengths, piece)[0]) for piece in pieces[1:]]
    assert all((count + 1) * width > limit for (count, _), width in zip(sizes, following, strict=False))


def test_no_rows_are_no_micro_batches() -> None:
    assert micro_batches(np.zeros(0, np.int64), lengths_of(3), 10) == []


def test_a_configuration_whose_longest_row_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\(100 / 4 = 25\) tokens cannot hold a row of max_source_tokens \(25\)"):
        build(PlanConfig, {"batch_tokens": 100, "max_source_tokens": 25, "max_target_tokens": 10})
    with pytest.raises(pydantic.ValidationError):
        PlanConfig(batch_tokens=1000)
    PlanConfig(batch_tokens=104, max_source_tokens=25, max_target_tokens=10)


def test_no_row_left_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no row is left to train on; found 3 rows"):
        BatchPlan(Lengths(*np.full((2, 3), 90, np.int32)), CONFIG, seed=1)
    with pytest.raises(TrainingError, match="found 0 rows"):
        BatchPlan(Lengths(*np.zeros((2, 0), np.int32)), CONFIG, seed=1)


def test_more_rows_than_numbers_of_32_bits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one = np.broadcast_to(np.int32(1), (2**32 + 1,))  # takes no memory
    with pytest.raises(TrainingError, match="the split has too many rows; found 4,294,967,297; expected at most"):
        BatchPlan(Lengths(one, one), CONFIG, seed=1)
    for weight in (2.0**31, float("inf"), float("nan")):
        with pytest.raises(TrainingError, match="an epoch, by the weights of its corpora, has too many rows"):
            BatchPlan(lengths_of(3, most=9), CONFIG, 1, np.full(3, weight))
    plan = BatchPlan(lengths_of(8, most=9), CONFIG, 1, np.full(8, 0.25))  # two on average, and now and then more
    monkeypatch.setattr(planning, "MOST_ROWS", plan.rows_per_epoch)
    with pytest.raises(TrainingError, match="an epoch, by the weights of its corpora, has too many rows"):
        plan.batches_in_epoch(50)


def test_the_fingerprint_names_configuration_and_seed() -> None:
    lengths = lengths_of(10)
    other = CONFIG.model_copy(update={"window_rows": 31})
    prints = {BatchPlan(lengths, config, seed).fingerprint for config in (CONFIG, other) for seed in (1, 2)}
    assert len(prints) == 4
    assert BatchPlan(lengths, CONFIG, 1).fingerprint in prints


@settings(max_examples=30, deadline=None)
@given(cases, st.integers(0, 9), st.sampled_from([0.25, 0.5, 1.0, 1.75, 3.0]))
def test_a_weighted_row_stands_in_an_epoch_as_often_as_its_weight_says(
    lengths: Lengths, seed: int, weight: float
) -> None:
    weights = np.where(np.arange(len(lengths.source)) % 2 == 0, 1.0, weight)
    plan = BatchPlan(lengths, CONFIG, seed, weights)
    for epoch in range(2):
        counts = np.bincount(np.concatenate(epoch_batches(plan, epoch)), minlength=len(weights))
        assert (counts[::2] == 1).all()
        assert set(counts[1::2].tolist()) <= {int(np.floor(weight)), int(np.ceil(weight))}


def test_fractions_of_weights_are_drawn_anew_for_each_epoch_and_come_out_on_average() -> None:
    lengths = lengths_of(4000, most=19)
    plan = BatchPlan(lengths, CONFIG, 3, np.full(4000, 0.3))
    epochs = [set(np.concatenate(epoch_batches(plan, epoch)).tolist()) for epoch in range(3)]
    assert all(abs(len(epoch) - 1200) < 120 for epoch in epochs)
    assert plan.rows_per_epoch == 1200
    assert 200 < len(epochs[0] & epochs[1]) < 520  # independent draws share 0.3 x 0.3 of all rows
    again = BatchPlan(lengths, CONFIG, 3, np.full(4000, 0.3))
    assert again.batch(170).tolist() == plan.batch(170).tolist()


def test_the_stream_of_weights_of_one_is_another_only_by_name() -> None:
    lengths = lengths_of(300)
    plain, ones = BatchPlan(lengths, CONFIG, 1), BatchPlan(lengths, CONFIG, 1, np.ones(300))
    assert sorted(np.concatenate(epoch_batches(plain, 0))) == sorted(np.concatenate(epoch_batches(ones, 0)))
    assert BatchPlan(lengths, CONFIG, 1, np.full(300, 2.0)).fingerprint != ones.fingerprint != plain.fingerprint


def test_an_epoch_is_never_empty() -> None:
    plan = BatchPlan(lengths_of(3, most=9), CONFIG, 0, np.full(3, 1e-9))
    assert all(len(np.concatenate(epoch_batches(plan, epoch))) == 1 for epoch in range(3))
