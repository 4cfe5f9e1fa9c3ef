"""Frames are brought to mean 0 and deviation 1, those of a row by nothing but themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.modalities.base import Ragged
from seq2seq_core.modalities.frames import Statistics, by_row, by_statistics, statistics_of, sums_of

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=8)


def frames_of(lengths: list[int], seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.normal(draw.normal(size=5) * 20, 3, size=(sum(lengths), 5)).astype(np.float16)


@settings(max_examples=40, deadline=None)
@given(LENGTHS, st.integers(0, 1000))
def test_a_row_stands_to_itself_alone(lengths: list[int], seed: int) -> None:
    flat = frames_of(lengths, seed)
    if not len(flat):
        return
    found = by_row(Ragged(flat, np.array(lengths)))
    assert found.dtype == np.float32
    for length, end in zip(lengths, np.cumsum(lengths).tolist(), strict=True):
        own = flat[end - length : end]
        if length:
            assert np.array_equal(found[end - length : end], by_row(Ragged(own, np.array([length]))))
            np.testing.assert_allclose(found[end - length : end].mean(axis=0), 0, atol=1e-4)
        if length > 10:
            np.testing.assert_allclose(found[end - length : end].std(axis=0), 1, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.lists(LENGTHS, min_size=1, max_size=4), st.integers(0, 1000))
def test_statistics_follow_from_the_sums_of_parts(parts: list[list[int]], seed: int) -> None:
    flat = [frames_of(lengths, seed + number) for number, lengths in enumerate(parts)]
    found = statistics_of([sums_of(frames) for frames in flat])
    whole = np.concatenate(flat).astype(np.float64)
    if not len(whole):
        assert found == Statistics()
        return
    np.testing.assert_allclose(found.mean, whole.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(found.deviation, whole.std(axis=0), atol=1e-5)
    normalised = by_statistics(whole.astype(np.float16), found)
    np.testing.assert_allclose(normalised.mean(axis=0), 0, atol=1e-3)


def test_of_no_frames_nothing_is_known() -> None:
    assert statistics_of([]) == statistics_of([()]) == Statistics()


def test_what_never_changes_becomes_zeros() -> None:
    same = np.full((9, 5), 7, np.float16)
    assert not by_row(Ragged(same, np.array([4, 5]))).any()
