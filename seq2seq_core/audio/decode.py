"""The bytes of an audio file in, its samples out: whole, or a range at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.terms import AudioError, Signal


class Info(NamedTuple):
    """What an audio file is: samples a second, channels, samples of each channel, and the kind of file."""

    rate: int
    channels: int
    samples: int
    container: str


def decode(data: bytes) -> Signal:
    """All samples of a file.

    Raises:
        AudioError: The bytes are no audio, or not all of it is there; never fewer samples in silence.
    """
    stream = io.BytesIO(data)
    with _opened(stream) as file:
        samples = _read(file, -1)
        expected = file.frames
        rate = file.samplerate
    if len(samples) < expected:
        raise AudioError("truncated", found=f"{len(samples)} samples", expected=expected)
    if not len(samples):
        raise AudioError("empty")
    return Signal(samples, rate)


def probe(stream: BinaryIO) -> Info:
    """What a file is, without its samples.

    Raises:
        AudioError: It is no audio.
    """
    with _opened(stream) as file:
        return Info(file.samplerate, file.channels, file.frames, file.format.lower())


def blocks(stream: BinaryIO, start: int, count: int, block: int) -> Iterator[npt.NDArray[np.float32]]:
    """The samples [start, start + count) of a file, at most `block` at a time (float32, n x channels).

    Raises:
        AudioError: It is no audio, or ends earlier.
    """
    with _opened(stream) as file:
        file.seek(start)
        while count:
            samples = _read(file, min(block, count))
            if not len(samples):
                raise AudioError("truncated", found="no more samples", expected=f"{count} more")
            count -= len(samples)
            yield samples


def _opened(stream: BinaryIO) -> Any:
    import soundfile

    try:
        return soundfile.SoundFile(stream)
    except soundfile.LibsndfileError as error:
        raise AudioError("undecodable", found=str(error)) from None


def _read(file: Any, count: int) -> npt.NDArray[np.float32]:
    import soundfile

    try:
        samples: npt.NDArray[np.float32] = file.read(count, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError("damaged", found=str(error)) from None
    return samples
