"""Parts of a stream and bytes of our own in, one stream out: what a library reads instead of a file whose header lies.

It also keeps what a store says when it fails: libraries in C know only that no more bytes came, which would look like
the end of the audio.
"""

from __future__ import annotations

import bisect
import io
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from typing_extensions import Buffer


class Part(NamedTuple):
    """Bytes [begin, begin + length) of the stream."""

    begin: int
    length: int


class Spliced(io.RawIOBase):
    """The parts one after the other, seekable.

    Attributes:
        failure: The first exception of the stream below; after it, nothing more is read.
    """

    def __init__(self, stream: BinaryIO, parts: Sequence[Part | bytes]) -> None:
        self.failure: Exception | None = None
        self._stream = stream
        self._parts = [part for part in parts if (len(part) if isinstance(part, bytes) else part.length)]
        self._begins = [0]
        for part in self._parts:
            self._begins.append(self._begins[-1] + (len(part) if isinstance(part, bytes) else part.length))
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = (0, self._place, self._begins[-1])[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Buffer, /) -> int:
        """As many bytes as fit, fewer only at the end or where the stream fails."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._place < self._begins[-1]:
            found = self._piece(len(view) - done)
            if not found:
                break
            view[done : done + len(found)] = found
            done += len(found)
            self._place += len(found)
        return done

    def check(self) -> None:
        """Raise what the stream below has raised."""
        if self.failure is not None:
            raise self.failure

    def _piece(self, most: int) -> bytes:
        """Bytes of the part at the place where reading stands."""
        number = bisect.bisect_right(self._begins, self._place) - 1
        part, inner = self._parts[number], self._place - self._begins[number]
        if isinstance(part, bytes):
            return part[inner : inner + most]
        try:
            return read_at(self._stream, part.begin + inner, min(most, part.length - inner))
        except Exception as error:  # noqa: BLE001  # raised again by `check`, once the library in C has returned
            self.failure = self.failure or error
            return b""


def read_at(stream: BinaryIO, begin: int, count: int) -> bytes:
    """So many bytes from a place on; fewer only at the end."""
    stream.seek(begin)
    data = stream.read(count)
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            break
        data += more
    return data


def size_of(stream: BinaryIO) -> int:
    """The length of a stream in bytes."""
    return stream.seek(0, io.SEEK_END)
