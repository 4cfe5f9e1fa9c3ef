"""An opened audio file: what it is, and its samples, a range at a time; what libsndfile reads is read here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.spliced import Spliced
from seq2seq_core.audio.terms import AudioError
from seq2seq_core.stopping import interrupts_wait

Block = npt.NDArray[np.float32]
"""Samples x channels."""

# A library call for each second would cost more than the second: it seeks after every read.
_LEAST_READ = 1 << 19


class Info(NamedTuple):
    """What an audio file is: samples a second, channels, samples of each channel, and the kind of file."""

    rate: int
    channels: int
    samples: int
    container: str


class Source(Protocol):
    """An opened file."""

    @property
    def damage(self) -> AudioError | None:
        """Why it must not be taken for whole, though its samples can be read."""
        ...

    def info(self, *, sees_end: bool = True) -> Info:
        """What it is; the samples are counted where nothing tells them.

        Args:
            sees_end: Look whether the last of them is there; whoever reads them all anyway need not.
        """
        ...

    def blocks(self, start: int, count: int | None, block: int) -> Iterator[Block]:
        """The samples from `start` on, `count` or all, at most `block` at a time; fewer only where they end."""
        ...

    def close(self) -> None:
        """Let go of what a library holds; the stream stays open."""
        ...


class SoundFileSource:
    """A file that libsndfile reads.

    Args:
        stream: The file.
        container: What it is called.
        declared: Samples that its header tells; None where libsndfile believes the same header.
    """

    def __init__(self, stream: Spliced, container: str, declared: int | None = None) -> None:
        self.damage: AudioError | None = None
        self._stream, self._container = stream, container
        self._file = self._open()
        self._samples = self._file.frames
        self._checked = False
        if declared is not None and self._file.frames < declared:
            raise truncated(self._file.frames, declared)

    def info(self, *, sees_end: bool = True) -> Info:
        """See `Source`; the end is looked at once."""
        if sees_end and not self._checked and self._samples:
            self._checked = all(len(block) for block in self.blocks(self._samples - 1, 1, 1))
        return Info(self._file.samplerate, self._file.channels, self._samples, self._container)

    def blocks(self, start: int, count: int | None, block: int) -> Iterator[Block]:
        """See `Source`."""
        left = self._samples - start if count is None else min(count, self._samples - start)
        if left <= 0:
            return
        self._seek(start)
        sees_last = start + left == self._samples
        while left:
            found = self._read(min(left, max(block, _LEAST_READ)))
            if not len(found):
                raise truncated(self._samples - left, self._samples)
            left -= len(found)
            yield from (found[begin : begin + block] for begin in range(0, len(found), block))
        self._checked |= sees_last

    def close(self) -> None:
        """See `Source`."""
        self._file.close()

    def complaint(self, said: str) -> AudioError:
        """What to tell where libsndfile gives up in the middle."""
        return AudioError("damaged", found=said)

    def _open(self) -> Any:
        import soundfile

        try:
            with interrupts_wait():
                file = soundfile.SoundFile(self._stream)
        except soundfile.SoundFileError as error:
            self._stream.check()
            raise AudioError("undecodable", found=_said(error), expected=self._container) from None
        self._stream.check()
        return file

    def _seek(self, sample: int) -> None:
        import soundfile

        if not sample and not self._file.tell():
            return
        try:
            with interrupts_wait():
                self._file.seek(sample)
        except soundfile.SoundFileError as error:
            self._stream.check()
            raise self.complaint(_said(error)) from None

    def _read(self, count: int) -> Block:
        import soundfile

        try:
            with interrupts_wait():
                found: Block = self._file.read(count, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            self._stream.check()
            raise self.complaint(_said(error)) from None
        self._stream.check()
        return found


def truncated(found: int, expected: int) -> AudioError:
    """The complaint about a file with fewer samples than it should have."""
    return AudioError("truncated", found=f"{found} samples", expected=expected)


def _said(error: Exception) -> str:
    return str(error).rpartition(": ")[2].removeprefix("Error : ").rstrip(".")
