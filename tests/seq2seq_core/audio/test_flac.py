"""16-bit samples to FLAC bytes and back, and their counts without decoding."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
import soundfile
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


@settings(max_examples=30)
@given(st.integers(1, 9000), st.lists(st.tuples(st.integers(1, 6), st.binary(max_size=60)), max_size=4))
def test_a_file_of_somebody_s_is_kept_without_its_tags(samples: int, blocks: list[tuple[int, bytes]]) -> None:
    data = flac.encode(noise(samples), 8_000)
    bare = flac.without_tags(data, 8_000)
    assert bare is not None
    assert len(bare) <= len(data)
    tags = b"".join(bytes([kind]) + len(held).to_bytes(3, "big") + held for kind, held in blocks)
    end = bytes([0x81, 0, 0, 0])  # padding of no bytes
    assert flac.without_tags(data[:4] + bytes([0]) + data[5:42] + tags + end + bare[42:], 8_000) == bare
    assert np.array_equal(flac.decode(bare), noise(samples))
    assert flac.sample_counts(pa.array([bare], pa.binary())).tolist() == [samples]


def test_a_file_that_is_something_else_is_not_kept() -> None:
    data = flac.encode(noise(500), 8_000)
    untold = data[:21] + bytes([data[21] & 0xF0, 0, 0, 0, 0]) + data[26:]
    found = [flac.without_tags(other, 8_000) for other in (untold, data[:30], data[:44], b"RIFF" + data[4:], b"")]
    assert found == [None] * 5
    assert flac.without_tags(data, 16_000) is None
    for kind, channels in (("PCM_24", 1), ("PCM_S8", 1), ("PCM_16", 2)):
        file = io.BytesIO()
        soundfile.write(file, np.zeros((500, channels)), 8_000, format="FLAC", subtype=kind)
        assert flac.without_tags(file.getvalue(), 8_000) is None
