"""Ranges of long files: the samples that stand there, and what is said of ranges that do not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.audio.terms import AudioError
from seq2seq_core.corpora.formats.audio import cuts
from seq2seq_core.corpora.formats.audio.cuts import LongFile, Span
from seq2seq_core.records import Problem
from tests.speech_corpora import RATE, decoded, encoded, samples, soundfile

WHOLE = samples(3.0, channels=2)
FILES = {kind: encoded(WHOLE, kind=kind) for kind in ("WAV", "FLAC")}


def cut(data: bytes, begin: float, seconds: float | None = None) -> bytes | Problem:
    return LongFile(io.BytesIO(data)).cut(Span(begin, seconds))


@settings(max_examples=30)
@given(kind=st.sampled_from(sorted(FILES)), begin=st.floats(0, 2.9), seconds=st.floats(0.001, 2))
def test_the_samples_of_a_range(kind: str, begin: float, seconds: float) -> None:
    found = cut(FILES[kind], begin, seconds)
    if begin + seconds > 3.5:
        assert isinstance(found, Problem)
        return
    assert isinstance(found, bytes)
    start = round(begin * RATE)
    expected = WHOLE[start : start + round(seconds * RATE)]
    if len(expected):
        signal, rate = decoded(found)
        assert (rate, signal.tolist()) == (RATE, expected.tolist())


def test_a_range_to_the_end() -> None:
    found = cut(FILES["FLAC"], 2.0)
    assert isinstance(found, bytes)
    assert decoded(found)[0].tolist() == WHOLE[2 * RATE :].tolist()


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_what_16_bits_cannot_hold_stays_as_it_is(subtype: str) -> None:
    signal = np.linspace(-0.9, 0.9, RATE, dtype=np.float32)
    found = cut(encoded(signal, subtype=subtype), 0.25, 0.5)
    assert isinstance(found, bytes)
    about = soundfile.info(io.BytesIO(found))
    assert (about.subtype, about.frames, about.channels) == ("FLOAT", RATE // 2, 1)
    exact = soundfile.read(io.BytesIO(encoded(signal, subtype=subtype)), dtype="float32")[0]
    assert np.array_equal(
        soundfile.read(io.BytesIO(found), dtype="float32")[0], exact[RATE // 4 : RATE // 4 + RATE // 2]
    )


@pytest.mark.parametrize(
    ("begin", "seconds", "found", "expected"),
    [
        (3.0, 1.0, "3.00 s to 4.00 s", "a range of a file of 3.00 s"),
        (1.0, 2.6, "1.00 s to 3.60 s", "a range of a file of 3.00 s"),
        (-1.0, 2.0, "a begin of -1.0 s", "0 s or more"),
        (float("nan"), None, "a begin of nan s", "0 s or more"),
        (0.0, 0.0, "a duration of 0.0 s", "more than 0 s"),
        (0.0, float("inf"), "a duration of inf s", "more than 0 s"),
        (9.0, None, "9.00 s to 9.00 s", "a range of a file of 3.00 s"),
    ],
)
def test_ranges_that_are_none(begin: float, seconds: float | None, found: str, expected: str) -> None:
    assert cut(FILES["WAV"], begin, seconds) == Problem(0, "wrong_duration", found, expected)


def test_an_end_that_overshoots_a_little_is_cut_off() -> None:
    found = cut(FILES["WAV"], 2.5, 0.9)
    assert isinstance(found, bytes)
    assert len(decoded(found)[0]) == RATE // 2


def test_a_range_that_is_no_utterance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "MOST_BYTES", 1000)
    assert cut(FILES["WAV"], 0.0, 1.0) == Problem(0, "too_many_bytes", "64000 bytes of audio", "at most 1000 bytes")


def test_a_file_that_is_no_audio() -> None:
    with pytest.raises(AudioError):
        LongFile(io.BytesIO(b"this is text"))


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_file_that_breaks_off(kind: str) -> None:
    """Whatever its range: nobody knows how long the rest of it was."""
    data = encoded(np.random.default_rng(0).integers(-9000, 9000, 3 * RATE, np.int16), kind=kind)
    with pytest.raises(AudioError, match="ends too early"):
        LongFile(io.BytesIO(data[: len(data) // 2]))
