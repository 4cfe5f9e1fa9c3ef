"""Tones in, a word for each out: the recogniser without a model, whose words and times are known beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.terms import Samples
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.recognition import Recognized, Word

RATE = 16_000
LONGEST = 10.0
"""Seconds that a chunk may have."""

LOWEST_HZ, STEP_HZ, TONES = 400, 50, 64
"""The word of a tone is its number: of 400 Hz `tone0`, of 450 Hz `tone1`, and so on."""

_FRAME, _SHIFT = 400, 160
_POINTS = 1600  # of a transform: bins of 10 Hz
_QUIETEST = 10 ** (-50 / 20)
_FEWEST_FRAMES = 3
_AT_ONCE = 2000


class ToneRecognizer:
    """Hears a word in each tone of 50 ms and more."""

    rate, longest = RATE, LONGEST

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def recognize(self, chunks: Sequence[Samples], options: SearchConfig) -> list[Recognized]:
        """See `Recognizer.recognize`."""
        del options
        return [_heard(chunk) for chunk in chunks]


def _heard(x: Samples) -> Recognized:
    tones = np.concatenate([[-1], _tones(x), [-1]])
    places = np.flatnonzero(np.diff(tones))
    words = tuple(
        Word(f"tone{tones[begin + 1]}", _time(begin), _time(end), 0.0)
        for begin, end in itertools.pairwise(places.tolist())
        if tones[begin + 1] >= 0 and end - begin >= _FEWEST_FRAMES
    )
    return Recognized(" ".join(word.text for word in words), words, 0.0)


def _time(frame: int) -> float:
    """Where a frame begins to see more of what is in it than of what is before it."""
    return round((frame * _SHIFT + (_FRAME - _SHIFT) / 2) / RATE, 3)


def _tones(x: Samples) -> npt.NDArray[np.int64]:
    """The number of the tone in each frame of 25 ms, 10 ms apart; -1 where there is none."""
    if len(x) < _FRAME:
        return np.zeros(0, np.int64)
    frames = np.lib.stride_tricks.sliding_window_view(x, _FRAME)[::_SHIFT]
    return np.concatenate([_of_frames(frames[at : at + _AT_ONCE]) for at in range(0, len(frames), _AT_ONCE)])


def _of_frames(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(_FRAME), _POINTS))
    peak = spectrum.argmax(1)
    numbers = np.rint((peak * (RATE / _POINTS) - LOWEST_HZ) / STEP_HZ).astype(np.int64)
    loud = np.sqrt(np.square(frames, dtype=np.float64).mean(1)) > _QUIETEST
    # A tone has nearly all its power around one frequency; noise has not.
    around = np.take_along_axis(spectrum, np.clip(peak[:, None] + np.arange(-8, 9), 0, spectrum.shape[1] - 1), 1)
    pure = np.square(around).sum(1) > 0.8 * np.square(spectrum).sum(1)
    return np.where(loud & pure & (numbers >= 0) & (numbers < TONES), numbers, -1)
