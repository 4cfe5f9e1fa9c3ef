"""Long files on a store: ranges of them without the rest, in bounded memory."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import fsspec
import numpy as np
import pytest

from seq2seq_core.audio import decode, energy
from seq2seq_core.audio.signal import one_channel, resampled
from seq2seq_core.audio.spliced import Part, Spliced
from tests.seq2seq_core.audio.test_decode import RATE, encoded, speech_like

SECONDS = 120


class Counting(io.BytesIO):
    """A stream that knows how many bytes were read from it."""

    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


@pytest.fixture(scope="module")
def long_files() -> dict[str, bytes]:
    """Some minutes of each kind."""
    x = np.tile(speech_like(20.0), (SECONDS // 20, 1))
    return {kind: encoded(x, kind) for kind in ("WAV", "FLAC", "OGG", "MP3")}


@pytest.mark.parametrize(
    ("kind", "of_probe", "of_range"), [("WAV", 0.01, 0.02), ("FLAC", 0.03, 0.15), ("OGG", 0.6, 0.9), ("MP3", 1.2, 0.8)]
)
def test_a_range_needs_no_more_than_its_part(
    kind: str, of_probe: float, of_range: float, long_files: dict[str, bytes]
) -> None:
    """MP3 files have no table of contents that can be believed: their beginning has to be read, all of it to count."""
    data = long_files[kind]
    probed, ranged = Counting(data), Counting(data)
    assert decode.probe(probed).samples == SECONDS * RATE
    assert probed.total <= of_probe * len(data)
    found = list(decode.blocks(ranged, SECONDS // 2 * RATE, RATE, RATE))
    assert sum(map(len, found)) == RATE
    assert ranged.total <= of_range * len(data)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_memory_is_that_of_a_block(kind: str, long_files: dict[str, bytes]) -> None:
    stream = io.BytesIO(long_files[kind])
    tracemalloc.start()
    levels = energy.levels_of(
        resampled((one_channel(block) for block in decode.blocks(stream, 0, SECONDS * RATE, 100_000)), RATE, 8_000),
        8_000,
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(levels) == pytest.approx(100 * SECONDS, abs=2)
    assert peak < 16 << 20


def test_files_of_fsspec_are_read(long_files: dict[str, bytes]) -> None:
    store: Any = fsspec.filesystem("memory")
    for kind, data in long_files.items():
        store.pipe(f"/audio/{kind}", data)
        with store.open(f"/audio/{kind}", "rb") as stream:
            info = decode.probe(stream)
            assert (info.samples, info.container) == (SECONDS * RATE, kind.lower())
            (block,) = decode.blocks(stream, (SECONDS - 1) * RATE, RATE, RATE)
            assert block.shape == (RATE, 1)
    store.rm("/audio", recursive=True)


def test_parts_and_bytes_make_one_stream() -> None:
    spliced = Spliced(io.BytesIO(bytes(range(100))), [Part(10, 5), b"abc", b"", Part(90, 10), Part(50, 0)])
    expected = bytes(range(10, 15)) + b"abc" + bytes(range(90, 100))
    assert spliced.read() == expected
    for place in range(len(expected)):
        assert spliced.seek(place) == place
        assert spliced.read(4) == expected[place : place + 4]
    assert spliced.seek(-2, io.SEEK_END) == len(expected) - 2
    assert spliced.read() == expected[-2:]
