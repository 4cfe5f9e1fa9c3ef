"""What the modules of this room hand one another: encoded audio in, samples and complaints about it out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.errors import InputError

AUDIO_VALUE = pa.struct(
    [("bytes", pa.binary()), ("path", pa.string()), ("speaker", pa.string()), ("seconds", pa.float64())]
)
"""What readers give of an audio side: a whole encoded file, what messages call it, who speaks, and how long it is by
what its row says.
"""

Samples = npt.NDArray[np.float32]
"""One channel in [-1, 1], shape (n,)."""


class Signal(NamedTuple):
    """Decoded audio: `samples` (float32, n x channels, in [-1, 1]) and how many of them make a second."""

    samples: npt.NDArray[np.float32]
    rate: int


class AudioError(InputError):
    """Bytes are no audio, or not all of it.

    Attributes:
        reason: In a word, for ledgers: a key of `REASONS`.
    """

    def __init__(self, reason: str, *, found: object = None, expected: object = None) -> None:
        super().__init__(REASONS[reason], found=found, expected=expected)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.reason, self.found, self.expected)


REASONS = {
    "empty": "the audio has no samples",
    "undecodable": "no known kind of audio",
    "truncated": "the audio ends too early",
    "damaged": "the audio is damaged",
    "channel": "the audio has no such channel",
}


def _rebuild(reason: str, found: object, expected: object) -> AudioError:
    return AudioError(reason, found=found, expected=expected)
