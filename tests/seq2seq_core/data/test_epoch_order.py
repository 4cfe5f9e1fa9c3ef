from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.data import epoch_order
from seq2seq_core.data.epoch_order import EpochOrder, OrderMaker, StreamConfig
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.dataset.reader import Weights
from tests.row_lengths import ArrayLengths, weights_of

CONFIG = StreamConfig(batch_tokens=120, bins_per_batch=3, window_rows=32, max_source_tokens=20, max_target_tokens=25)


def lengths_of(rows: int, seed: int = 0, most: int = 30) -> ArrayLengths:
    random = np.random.default_rng(seed)
    source, target = random.integers(0, most + 1, (2, rows), dtype=np.int32)
    return ArrayLengths(source, target)


def widths(lengths: ArrayLengths, rows: np.ndarray) -> np.ndarray:
    return np.maximum(lengths.source[rows], lengths.target[rows]) + 1


def order_of(
    lengths: ArrayLengths, config: StreamConfig, seed: int = 1, weights: Weights | None = None, number: int = 0
) -> EpochOrder:
    rows: list[np.ndarray] = []
    cuts, order = OrderMaker(lengths, config, seed, weights).make(number, rows.append)
    return EpochOrder(np.concatenate(rows), cuts, order)


cases = st.builds(lengths_of, st.integers(1, 200), st.integers(0, 99), st.integers(0, 20))


@settings(max_examples=50, deadline=None)
@given(cases, st.integers(0, 9))
def test_bins_and_batches_keep_their_budget(lengths: ArrayLengths, seed: int) -> None:
    epoch = order_of(lengths, CONFIG, seed)
    for begin, end in itertools.pairwise(epoch.cuts.tolist()):
        bin_widths = widths(lengths, epoch.rows[begin:end])
        assert len(bin_widths) * bin_widths.max() <= CONFIG.bin_tokens
    assert sorted(epoch.order.tolist()) == list(range(len(epoch.cuts) - 1))


def test_batches_are_full_and_hold_little_padding() -> None:
    random = np.random.default_rng(0)
    source = np.clip(random.lognormal(3, 0.6, 100_000), 1, 256).astype(np.int32)
    target = np.clip(source * random.lognormal(0, 0.2, 100_000), 1, 256).astype(np.int32)
    lengths = ArrayLengths(source, target)
    epoch = order_of(lengths, StreamConfig())
    begins, counts = epoch.cuts[:-1], np.diff(epoch.cuts)
    padded = sum(counts * (np.maximum.reduceat(side[epoch.rows], begins) + 1) for side in (source, target)).sum()
    real = int(source.sum() + target.sum()) + 2 * len(source)
    assert real / padded > 0.97
    assert widths(lengths, epoch.rows).sum() / (len(counts) * StreamConfig().bin_tokens) > 0.97


def test_a_global_batch_mixes_lengths() -> None:
    lengths = lengths_of(3000, most=20)
    plan = BatchStream(lengths, CONFIG.model_copy(update={"window_rows": 3000}), seed=1)
    spread = [np.ptp(widths(lengths, plan.batch(position))) for position in range(100)]
    assert np.mean(spread) > 5


def test_a_window_bounds_what_is_sorted_together() -> None:
    lengths = lengths_of(1000, most=20)
    epoch = order_of(lengths, CONFIG.model_copy(update={"window_rows": 100}))
    assert set(range(100, 1000, 100)) <= set(epoch.cuts.tolist())
    assert all((np.diff(widths(lengths, epoch.rows[b : b + 100])) >= 0).all() for b in range(0, 1000, 100))


@settings(max_examples=50, deadline=None)
@given(cases, st.sampled_from([None, 1.0, 0.3, 2.5]), st.integers(1, 70), st.integers(0, 3))
def test_how_much_is_read_at_once_changes_nothing(
    lengths: ArrayLengths, weight: float | None, chunk: int, number: int
) -> None:
    weights = None if weight is None else weights_of(np.where(np.arange(lengths.rows) % 3, weight, 1.0))
    expected = order_of(lengths, CONFIG, 5, weights, number)
    survey = OrderMaker(lengths, CONFIG, 5, weights).survey(b"x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epoch_order, "_CHUNK_ROWS", chunk)
        found = order_of(lengths, CONFIG, 5, weights, number)
        again = OrderMaker(lengths, CONFIG, 5, weights).survey(b"x")
    assert [part.tolist() for part in vars(found).values()] == [part.tolist() for part in vars(expected).values()]
    assert (again.rows, again.rows_per_epoch, again.fingerprint) == (
        survey.rows,
        survey.rows_per_epoch,
        survey.fingerprint,
    )


def test_a_survey_counts_what_is_trained_on_by_its_weight() -> None:
    lengths = ArrayLengths(np.array([1, 99, 3, 4], np.int32), np.array([1, 1, 1, 99], np.int32))
    weights = np.array([0.5, 7.0, 2.0, 7.0])
    found = OrderMaker(lengths, CONFIG, 1, weights_of(weights)).survey(b"prefix")
    assert (found.rows, found.rows_per_epoch) == (2, 2.5)
    assert found.fingerprint == storage.digest_bytes(b"prefix" + weights[[0, 2]].tobytes())
    plain = OrderMaker(lengths, CONFIG, 1, None).survey(b"prefix")
    assert (plain.rows, plain.rows_per_epoch, plain.fingerprint) == (2, 2.0, storage.digest_bytes(b"prefix"))
