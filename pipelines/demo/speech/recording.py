"""Pieces of speech in, one recording with pauses and noise, and where in it each piece stands, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.demo.speech.noise import with_noise
from seq2seq_core.audio import flac
from seq2seq_core.audio.signal import pcm16
from seq2seq_core.audio.terms import Samples


class Span(NamedTuple):
    """From where to where in seconds."""

    begin: float
    end: float


class Recording(NamedTuple):
    """Samples, and the place of each piece in them."""

    samples: Samples
    rate: int
    spans: tuple[Span, ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate

    def flac(self) -> bytes:
        """It as a file: 16 bits, one channel."""
        return flac.encode(pcm16(self.samples), self.rate)


def joined(pieces: Sequence[Samples], pauses: Sequence[float], rate: int) -> Recording:
    """Pieces one after the other, with digital silence before each and after the last.

    Args:
        pieces: What is said.
        pauses: Seconds of silence: one more than pieces.
        rate: Samples a second.
    """
    silences = [np.zeros(round(seconds * rate), np.float32) for seconds in pauses]
    parts = [silences[0]]
    for piece, silence in zip(pieces, silences[1:], strict=True):
        parts += [piece, silence]
    ends = np.cumsum([len(part) for part in parts])
    spans = tuple(Span(begin / rate, end / rate) for begin, end in zip(ends[0::2], ends[1::2], strict=False))
    return Recording(np.concatenate(parts), rate, spans)


def noisy(recording: Recording, decibels: float, draw: np.random.Generator) -> Recording:
    """The same with noise behind all of it, so many decibels below what is said.

    The ratio is that to the pieces alone: pauses do not make the noise quieter.
    """
    said = sum(span.end - span.begin for span in recording.spans)
    share = said / recording.seconds if said else 1.0
    of_whole = decibels + 10 * np.log10(share)  # the mean square of the whole is less than that of what is said
    return recording._replace(samples=with_noise(recording.samples, of_whole, draw))
