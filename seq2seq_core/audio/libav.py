"""A file that libsndfile does not read in (MP4, AAC, WebM, ASF, AMR), a source out, by PyAV.

Frames tell their time: it places them after a jump, and says where some are missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from seq2seq_core.audio.source import Block, Info
from seq2seq_core.audio.spliced import Part, Spliced, size_of
from seq2seq_core.audio.terms import AudioError

_BEFORE = 1.0  # seconds that a decoder is given to settle after a jump
_SHORTER = 0.1  # seconds that a file may be shorter than it tells: some containers round, some count what is cut away
_IN_MILLISECONDS = frozenset({"opus", "libopus"})
_UNTIMED = frozenset({"aac", "amr"})  # bare frames: their times are guessed from bytes


class LibavSource:
    """See the module.

    Args:
        stream: The file.
        container: What it is called.
    """

    def __init__(self, container: str, stream: BinaryIO, begin: int) -> None:
        self._name = container
        self._parts = [Part(begin, size_of(stream) - begin)]
        self._stream = stream
        self.damage: AudioError | None = None
        self._info: Info | None = None
        self._told = 0.0
        self._reference: tuple[int, int] | None = None

    def info(self, *, sees_end: bool = True) -> Info:
        """What it is; it is decoded to the end, as no container tells the samples exactly."""
        del sees_end
        if self._info is None:
            for _ in self.blocks(0, None, 1 << 20):
                pass
        if self._info is None:
            raise AudioError("empty", found=self._name)
        return self._info

    def blocks(self, start: int, count: int | None, block: int) -> Iterator[Block]:
        """See `Source`; after a jump, samples are placed by the time of their frame."""
        place = -1
        end = None if count is None else start + count
        last = None
        for last, samples in self._decoded(start):
            place = self._place(last) if place < 0 else place
            wanted = samples[max(0, start - place) : None if end is None else max(0, end - place)]
            place += len(samples)
            yield from (wanted[begin : begin + block] for begin in range(0, len(wanted), block))
            if end is not None and place >= end:
                return
        if last is not None:
            self._note(last, place)

    def close(self) -> None:
        """Nothing is held between calls."""

    def _decoded(self, start: int) -> Iterator[tuple[Any, Block]]:
        """Frames from one before a sample on, with their samples."""
        import av

        spliced = Spliced(self._stream, self._parts)
        try:
            with av.open(spliced) as container:
                yield from self._frames(container, start)
        except av.FFmpegError as error:
            spliced.check()
            raise AudioError("damaged", found=error.strerror, expected=self._name) from None
        spliced.check()

    def _frames(self, container: Any, start: int) -> Iterator[tuple[Any, Block]]:
        if not container.streams.audio:
            raise AudioError("undecodable", found=f"{self._name} without sound")
        stream = container.streams.audio[0]
        self._told, self._reference = _seconds(container, stream), None
        frames = container.decode(stream)
        first, second = next(frames, None), next(frames, None)
        jump = 0.0 if first is None else start / first.sample_rate - _BEFORE
        if first is not None and second is not None and jump > _BEFORE and _tells_places(container, stream, second):
            self._reference = second.pts, first.samples
            container.seek(int(second.pts + jump / second.time_base), stream=stream)
            first = second = None
            frames = container.decode(stream)
        for frame in itertools.chain((first, second), frames):
            if frame is not None:
                yield frame, _samples(frame)

    def _note(self, last: Any, samples: int) -> None:
        """What the file is, now that it was decoded to the end."""
        if samples < (self._told - _SHORTER) * last.sample_rate:
            raise AudioError(
                "truncated", found=f"{samples / last.sample_rate:.2f} seconds", expected=f"{self._told:.2f}"
            )
        self._info = Info(last.sample_rate, len(last.layout.channels), samples, self._name)

    def _place(self, frame: Any) -> int:
        """The number of a frame's first sample, by where the second of all frames stands: the first may be cut."""
        if self._reference is None:
            return 0
        pts, place = self._reference
        after: int = round((frame.pts - pts) * frame.time_base * frame.sample_rate)
        return place + after


def _tells_places(container: Any, stream: Any, frame: Any) -> bool:
    """Whether the time of a frame is that of a sample; Opus has frames of whole thousandths of a second."""
    if container.format.name in _UNTIMED or frame.pts is None:
        return False
    return bool(stream.codec_context.name in _IN_MILLISECONDS or frame.time_base * frame.sample_rate <= 1)


def _seconds(container: Any, stream: Any) -> float:
    """What the container tells; 0 where it tells nothing, or guesses."""
    if container.format.name in _UNTIMED:
        return 0.0
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else 0.0


def _samples(frame: Any) -> Block:
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(-1, len(frame.layout.channels))
    if values.dtype == np.uint8:
        values = values.astype(np.int16) - 128
        scale = 128
    else:
        scale = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max + 1
    scaled: Block = np.ascontiguousarray(values, np.float32) / np.float32(scale)
    return scaled
