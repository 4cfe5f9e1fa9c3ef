"""An open audio file in, the bytes of a range of it out, as a WAV file of the same rate and channels.

What 16 bits can hold stays 16 bits; all else becomes float32, so that nothing is lost. Only the range is decoded.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.decode import Ranges
from seq2seq_core.audio.problems import WRONG_DURATION, problem_of
from seq2seq_core.audio.terms import AudioError
from seq2seq_core.files.lines import TOO_LONG
from seq2seq_core.files.seal import Stored
from seq2seq_core.records import Problem

MOST_BYTES = 64 << 20
"""More encoded bytes are no utterance."""

_OVERSHOOT_SECONDS = 0.5  # of the end of a range, which is cut off then: what Kaldi's extract-segments allows
_BLOCK_SAMPLES = 1 << 18
_PCM, _FLOAT = 1, 3
_INT16 = 1 << 15


class Span(NamedTuple):
    """A range of a file in seconds; `seconds` of None: to its end."""

    begin: float
    seconds: float | None


class LongFile:
    """A file that utterances are cut from; it is looked at once, and closed with the block that it is opened for."""

    def __init__(self, stream: Stored) -> None:
        """Raises AudioError where it is no audio."""
        self._file = Ranges(cast(BinaryIO, stream))

    def __enter__(self) -> LongFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def cut(self, span: Span) -> bytes | Problem:
        """The bytes of a range, or what is wrong with it (of row 0)."""
        info, wrong = self._file.info, _impossible(span)
        if wrong is not None:
            return wrong
        total = info.samples / info.rate
        seconds = total - span.begin if span.seconds is None else span.seconds
        if span.begin >= total or span.begin + seconds > total + _OVERSHOOT_SECONDS:
            found = f"{span.begin:.2f} s to {span.begin + max(0.0, seconds):.2f} s"
            return Problem(0, WRONG_DURATION, found, f"a range of a file of {total:.2f} s")
        start = round(span.begin * info.rate)
        count = min(round(seconds * info.rate), info.samples - start)
        size = count * info.channels * 4
        if size > MOST_BYTES:
            return too_large(size)
        try:
            return _wav(self._samples(start, count), info.rate)
        except AudioError as error:
            return problem_of(0, error)

    def _samples(self, start: int, count: int) -> npt.NDArray[np.float32]:
        found = list(self._file.blocks(start, count, _BLOCK_SAMPLES))
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else np.zeros((0, self._file.info.channels), np.float32)


def too_large(size: int) -> Problem:
    """What is said of an utterance that is none for its size (of row 0)."""
    return Problem(0, TOO_LONG, f"{size} bytes of audio", f"at most {MOST_BYTES} bytes")


def _impossible(span: Span) -> Problem | None:
    """A range that stands in no file."""
    if not 0 <= span.begin < float("inf"):
        return Problem(0, WRONG_DURATION, f"a begin of {span.begin} s", "0 s or more")
    if span.seconds is not None and not 0 < span.seconds < float("inf"):
        return Problem(0, WRONG_DURATION, f"a duration of {span.seconds} s", "more than 0 s")
    return None


def _wav(samples: npt.NDArray[np.float32], rate: int) -> bytes:
    """Samples (n x channels, in [-1, 1]) as a file."""
    scaled = samples * np.float32(_INT16)
    whole = np.rint(scaled)
    is_int16 = np.array_equal(scaled, whole) and (not whole.size or -_INT16 <= whole.min() <= whole.max() < _INT16)
    kind = _PCM if is_int16 else _FLOAT
    data = (whole.astype("<i2") if is_int16 else samples.astype("<f4")).tobytes()
    channels, width = samples.shape[1], 2 if is_int16 else 4
    about = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * width, channels * width, width * 8)
    chunks = [(b"fmt ", about), (b"data", data)]
    if not is_int16:
        chunks.insert(1, (b"fact", struct.pack("<I", len(samples))))
    body = b"".join(name + struct.pack("<I", len(content)) + content for name, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body
