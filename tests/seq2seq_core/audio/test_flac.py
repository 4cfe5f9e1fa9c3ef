"""16-bit samples to FLAC bytes and back, and their counts without decoding."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.audio import flac
from seq2seq_core.audio.terms import AudioError


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).integers(-32768, 32768, samples).astype(np.int16)


@pytest.mark.parametrize("samples", [1, 15, 16, 4096, 100_000])
def test_samples_survive(samples: int) -> None:
    assert np.array_equal(flac.decode(flac.encode(noise(samples), 16_000)), noise(samples))
    assert flac.encode(noise(samples), 16_000) == flac.encode(noise(samples), 16_000)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=8), st.booleans(), st.integers(0, 3))
def test_counts_are_read_from_headers(counts: list[int], large: bool, begin: int) -> None:
    files = [flac.encode(noise(count), 8_000) for count in counts]
    column = pa.array(files, pa.large_binary() if large else pa.binary()).slice(begin)
    assert flac.sample_counts(column).tolist() == counts[begin:]


def test_no_flac_is_no_flac() -> None:
    data = flac.encode(noise(5000), 16_000)
    assert flac.sample_counts(pa.array([], pa.binary())).tolist() == []
    with pytest.raises(AudioError, match="expected FLAC"):
        flac.sample_counts(pa.array([data, b"RIFF" + bytes(100)]))
    with pytest.raises(AudioError, match="10 bytes"):
        flac.sample_counts(pa.array([data, data[:10]]))
    with pytest.raises(AudioError):
        flac.decode(data[: len(data) // 2])
    with pytest.raises(AudioError):
        flac.decode(b"")
