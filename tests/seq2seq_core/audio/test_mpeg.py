"""MP3 files: their length, ranges of them, and what stands between their frames."""

from __future__ import annotations

import io

import numpy as np
import pytest

from seq2seq_core.audio import decode
from seq2seq_core.audio.terms import AudioError
from tests.conftest import real_data
from tests.seq2seq_core.audio.test_decode import RATE, encoded, ranges, speech_like


def mp3(seconds: float = 10.0, rate: int = RATE, channels: int = 1) -> bytes:
    return encoded(speech_like(seconds, rate, channels), "MP3", rate=rate)


def first_frame(data: bytes) -> int:
    """Where the first frame of sound begins: behind the one that tells the length."""
    return data.index(data[:2], 200)


def middle_frame(data: bytes) -> int:
    """Where a frame in the middle begins, of MPEG-2 at 16 kHz."""
    kbits = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    place = first_frame(data)
    while place < len(data) // 2:
        place += 72 * kbits[data[place + 2] >> 4] * 1000 // RATE + (data[place + 2] >> 1 & 1)
    return place


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (16_000, 2), (22_050, 1), (44_100, 2), (48_000, 1)])
def test_samples_are_those_that_were_encoded(rate: int, channels: int) -> None:
    data = mp3(5.0, rate, channels)
    assert decode.probe(io.BytesIO(data)) == (rate, channels, 5 * rate, "mp3")
    x = speech_like(5.0, rate, channels)
    assert np.corrcoef(decode.decode(data).samples.ravel(), x.ravel())[0, 1] > 0.8
    ranges(data, 5 * rate)


def test_any_range_is_what_the_whole_has_there(capfd: pytest.CaptureFixture[str]) -> None:
    data = mp3(5.0, 22_050)
    whole = decode.decode(data).samples
    for begin in range(0, len(whole) - 3000, 1777):
        found = np.concatenate(list(decode.blocks(io.BytesIO(data), begin, 3000, 1000)))
        assert np.abs(found - whole[begin : begin + 3000]).max() < 1e-6
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""  # nor does the decoder complain


def test_a_file_that_does_not_tell_its_length_is_counted() -> None:
    data = mp3(40.0)
    bare = data[first_frame(data) :]
    info = decode.probe(io.BytesIO(bare))
    assert 40 * RATE <= info.samples <= 40 * RATE + 3000
    assert len(decode.decode(bare).samples) == info.samples
    ranges(bare, info.samples)


def test_tags_before_and_after_are_no_frames() -> None:
    data = mp3()
    tagged = b"ID3\3\0\0\0\0\x0f\x76" + b"\xff\xfb\x90" + bytes(2035) + data + b"TAG" + bytes(125)
    assert np.array_equal(decode.decode(tagged).samples, decode.decode(data).samples)


def test_files_in_a_row_are_read_to_the_end() -> None:
    data = mp3()
    twice = data + b"ID3\3\0\0\0\0\x0f\x76" + bytes(2038) + data
    assert decode.probe(io.BytesIO(twice)).samples >= 2 * 10 * RATE
    assert len(decode.decode(twice).samples) >= 2 * 10 * RATE


@pytest.mark.parametrize("length", [30, 300, 3_000])
def test_broken_frames_in_the_middle_refuse_the_whole_and_are_passed_over_in_ranges(
    length: int, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(mp3())
    middle = middle_frame(bytes(data))
    data[middle : middle + length] = bytes(length)
    with pytest.raises(AudioError, match=f"bytes that are no frame, from byte {middle} on") as refused:
        decode.decode(bytes(data))
    assert refused.value.reason == "damaged"
    info = decode.probe(io.BytesIO(bytes(data)))
    assert 10 * RATE - 576 * (length // 144 + 2) <= info.samples < 10 * RATE
    found = np.concatenate(list(decode.blocks(io.BytesIO(bytes(data)), 0, info.samples, 5_000)))
    whole = decode.decode(mp3()).samples
    assert len(found) == info.samples
    assert np.array_equal(found[: RATE * 3], whole[: RATE * 3])
    assert np.abs(found[-RATE * 3 :] - whole[-RATE * 3 :]).max() < 1e-6
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_cut_frame_at_the_end_refuses_the_whole() -> None:
    data = mp3()
    bare = data[first_frame(data) : -50]
    with pytest.raises(AudioError, match="bytes of a frame") as refused:
        decode.decode(bare)
    assert refused.value.reason == "truncated"
    assert decode.probe(io.BytesIO(bare)).samples > 10 * RATE - 576


def test_real_files_are_as_long_as_their_originals() -> None:
    for path in sorted((real_data("ljspeech") / "wavs").glob("*.mp3")):
        samples = decode.probe(io.BytesIO(path.read_bytes())).samples
        assert abs(samples - decode.probe(io.BytesIO(path.with_suffix(".wav").read_bytes())).samples) <= 32
        assert len(decode.decode(path.read_bytes()).samples) == samples
