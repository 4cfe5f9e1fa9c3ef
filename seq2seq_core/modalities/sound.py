"""The bytes of a sound file in; samples, then the frames that an encoder reads, out: what a side of sound can do."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import pyarrow as pa

from seq2seq_core.audio.features import Frames
from seq2seq_core.audio.terms import Samples


@runtime_checkable
class Sound(Protocol):
    """What a modality is besides that sound can be given to: ask with `isinstance`, not by its name."""

    @property
    def rate(self) -> int:
        """Samples a second."""

    @property
    def shift(self) -> int:
        """Samples from a frame to the next."""

    @property
    def frame(self) -> int:
        """Samples that a frame sees."""

    def samples_of(self, data: bytes) -> Samples:
        """The samples of a whole sound file of any rate and number of channels, as a model hears them (float32).

        Raises:
            AudioError: The bytes are no sound, or not all of it is there.
        """

    def as_stored(self, x: Samples) -> Samples:
        """One channel at this rate, as shards would have it: at its loudness, with its rounding."""

    def playable(self, content: pa.ChunkedArray) -> list[bytes | None]:
        """A sound file of each row of a content column; None where nothing can be heard of it."""

    def features(self, x: Samples) -> Frames:
        """The frames of such samples (float32, frames x mels), as `Ragged.flat` holds them."""
