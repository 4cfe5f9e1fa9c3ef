"""Files of all kinds, whole and in ranges, and what is said of those that are broken."""

from __future__ import annotations

import io
import signal as signals
import struct
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from seq2seq_core.audio import decode, signal
from seq2seq_core.audio.terms import AudioError, Samples

RATE = 16_000


def speech_like(seconds: float = 4.0, rate: int = RATE, channels: int = 1) -> Samples:
    """Noise whose level and colour change, so that no two places are alike; n x channels."""
    random = np.random.default_rng(7)
    x = random.standard_normal((round(seconds * rate), channels))
    x[1:] += 0.9 * x[:-1]
    x *= 0.05 * (1.5 + np.sin(np.arange(len(x)) / rate * 7))[:, None]
    return x.astype(np.float32)


def encoded(x: Samples, kind: str = "WAV", subtype: str | None = None, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, x.shape[1], subtype, format=kind) as writer:
        for begin in range(0, len(x), 100_000):  # Vorbis written at once overflows the stack of libsndfile
            writer.write(x[begin : begin + 100_000])
    return file.getvalue()


def ranges(data: bytes, count: int, within: float = 1e-6) -> None:
    """Ranges are what the whole has there."""
    whole = decode.decode(data).samples
    for start, length in [(0, count), (0, 1), (count - 1, 1), (count // 3, count // 2), (count // 2 + 17, 4000)]:
        found = np.concatenate(list(decode.blocks(io.BytesIO(data), start, length, 1000)))
        assert found.dtype == np.float32
        assert len(found) == length
        assert np.abs(found - whole[start : start + length]).max() < within


KINDS = [
    ("WAV", "PCM_16", "wav"),
    ("WAV", "PCM_U8", "wav"),
    ("WAV", "PCM_24", "wav"),
    ("WAV", "PCM_32", "wav"),
    ("WAV", "FLOAT", "wav"),
    ("WAV", "DOUBLE", "wav"),
    ("WAV", "ULAW", "wav"),
    ("WAVEX", "PCM_16", "wav"),
    ("RF64", "PCM_16", "wav"),
    ("FLAC", "PCM_16", "flac"),
    ("FLAC", "PCM_24", "flac"),
    ("OGG", "VORBIS", "ogg"),
    ("OGG", "OPUS", "ogg"),
    ("MP3", "MPEG_LAYER_III", "mp3"),
    ("AIFF", "PCM_16", "aiff"),
    ("AU", "PCM_16", "au"),
    ("CAF", "PCM_16", "caf"),
    ("NIST", "PCM_16", "nist"),
]
LOSSY = {"VORBIS", "OPUS", "MPEG_LAYER_III", "ULAW", "PCM_U8"}


@pytest.mark.parametrize(("kind", "subtype", "container"), KINDS)
def test_every_kind_gives_its_samples_whole_and_in_ranges(kind: str, subtype: str, container: str) -> None:
    x = speech_like()
    data = encoded(x, kind, subtype)
    found = decode.decode(data)
    assert found.samples.shape == x.shape
    assert found.samples.dtype == np.float32
    assert np.abs(found.samples - x).mean() < (0.05 if subtype in LOSSY else 1 / 32768)
    assert decode.probe(io.BytesIO(data)) == (RATE, 1, len(x), container)
    assert found.rate == RATE
    ranges(data, len(x), 2e-3 if subtype == "OPUS" else 1e-6)  # Opus forgets what was before, but slowly


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_eight_channels_at_96_khz(kind: str) -> None:
    x = speech_like(0.5, 96_000, 8)
    data = encoded(x, kind, "PCM_24", 96_000)
    assert decode.probe(io.BytesIO(data)) == (96_000, 8, 48_000, kind.lower())
    found = decode.decode(data)
    assert np.abs(found.samples - x).max() < 2e-7
    assert len(signal.resample(signal.mono(found, 7), 96_000, RATE)) == 8_000


def with_sizes(data: bytes, riff: int, samples: int) -> bytes:
    place = data.index(b"data") + 4
    return data[:4] + struct.pack("<I", riff) + data[8:place] + struct.pack("<I", samples) + data[place + 4 :]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF])
def test_a_wav_written_into_a_pipe_is_read_to_its_end(size: int) -> None:
    x = speech_like()
    data = with_sizes(encoded(x), size, size)
    assert decode.probe(io.BytesIO(data)).samples == len(x)
    assert np.abs(decode.decode(data).samples - x).max() < 1 / 32768
    ranges(data, len(x))


def test_a_flac_written_into_a_pipe_is_read_to_its_end() -> None:
    x = speech_like()
    data = bytearray(encoded(x, "FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    assert decode.probe(io.BytesIO(data)).samples == len(x)
    ranges(bytes(data), len(x))
    assert refused(bytes(data[:-100])) == "truncated"


def refused(data: bytes) -> str:
    """Why neither `decode` nor those who read in ranges take it, who say the same."""
    with pytest.raises(AudioError) as whole:
        decode.decode(data)
    with pytest.raises(AudioError) as ranged:
        read_in_ranges(data)
    assert whole.value.reason == ranged.value.reason
    return whole.value.reason


def read_in_ranges(data: bytes) -> None:
    info = decode.probe(io.BytesIO(data))
    for _ in decode.blocks(io.BytesIO(data), 0, info.samples, 10_000):
        pass


def halved(kind: str, subtype: str | None = None) -> bytes:
    data = encoded(speech_like(), kind, subtype)
    return data[: len(data) // 2]


BROKEN: list[tuple[str, Callable[[], bytes], str]] = [
    ("no bytes", lambda: b"", "empty"),
    ("text", lambda: b"This is no sound, whatever its name says.\n" * 50, "undecodable"),
    ("noise", lambda: np.random.default_rng(0).bytes(100_000), "undecodable"),
    ("an ID3 tag alone", lambda: b"ID3\3\0\0\0\0\x0f\x76" + bytes(2038), "undecodable"),
    ("a header alone", lambda: encoded(speech_like())[:44], "truncated"),
    ("a WAV without samples", lambda: encoded(np.zeros((0, 1), np.float32)), "empty"),
    ("a WAV cut in half", lambda: halved("WAV"), "truncated"),
    ("a header that tells more", lambda: with_sizes(encoded(speech_like()), 10**6, 10**6), "truncated"),
    ("a header that tells less", lambda: with_sizes(encoded(speech_like()), 1036, 1000), "damaged"),
    ("the name of a WAV alone", lambda: b"RIFF\x24\0\0\0WAVE", "truncated"),
    ("numbers that are none", lambda: encoded(np.full((99, 1), np.nan, np.float32), "WAV", "FLOAT"), "damaged"),
    ("a FLAC cut in half", lambda: halved("FLAC"), "truncated"),
    ("the header of a FLAC", lambda: encoded(speech_like(), "FLAC")[:30], "truncated"),
    ("an Opus cut in half", lambda: halved("OGG", "OPUS"), "truncated"),
    ("a Vorbis cut in half", lambda: halved("OGG", "VORBIS"), "truncated"),
    ("an MP3 cut in half", lambda: halved("MP3"), "truncated"),
    ("an AIFF cut in half", lambda: halved("AIFF"), "truncated"),
    ("a SPHERE file cut in half", lambda: halved("NIST"), "truncated"),
    ("a CAF cut in half", lambda: halved("CAF"), "undecodable"),
    ("an AU cut in half", lambda: halved("AU"), "truncated"),
]


@pytest.mark.parametrize(("make", "reason"), [broken[1:] for broken in BROKEN], ids=[broken[0] for broken in BROKEN])
def test_what_is_broken_is_refused_with_its_reason(make: Callable[[], bytes], reason: str) -> None:
    assert refused(make()) == reason


def test_what_is_broken_in_the_middle_is_refused() -> None:
    data = bytearray(encoded(speech_like(), "FLAC"))
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    assert refused(bytes(data)) == "damaged"


def test_files_of_several_streams_are_refused() -> None:
    assert refused(encoded(speech_like(), "OGG", "OPUS") + encoded(speech_like(1), "OGG", "OPUS")) == "damaged"


@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), b"LIST\4\0\0\0abcd", bytes(2000)])
def test_tags_after_the_samples_are_no_samples(tail: bytes) -> None:
    x = speech_like(1.0)
    assert len(decode.decode(encoded(x) + tail).samples) == len(x)


def test_a_store_that_fails_is_no_end_of_the_audio() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 60_000:
                raise OSError("the store is gone")
            return super().read(size)

    for kind in ("WAV", "FLAC", "OGG", "MP3"):
        data = encoded(speech_like(40.0), kind)
        with pytest.raises(OSError, match="the store is gone"):
            list(decode.blocks(Failing(data), 0, 40 * RATE, 100_000))


class _Interrupted(io.BytesIO):
    """A file in the middle of whose reading somebody presses Ctrl-C."""

    def __init__(self, data: bytes, before: int) -> None:
        super().__init__(data)
        self._left = before

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left == 0:
            signals.raise_signal(signals.SIGINT)
        return super().read(size)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_ctrl_c_while_a_library_reads_is_heard_and_is_no_damage(kind: str) -> None:
    data = encoded(speech_like(), kind)
    heard = 0
    for before in range(1, 1000):
        stream = _Interrupted(data, before)
        try:
            count = decode.probe(stream).samples
            found = sum(map(len, decode.blocks(stream, 0, count, 8_000)))
        except KeyboardInterrupt:
            heard += 1
        else:
            assert found == count
            break
    assert 5 < heard == before - 1
