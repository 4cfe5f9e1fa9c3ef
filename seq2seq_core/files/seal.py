"""Stored bytes in as somebody reads them; an error out where they are not those that were counted.

The one pass that counts a file takes the digest of every range that may be read on its own. Whoever reads a range
later reads it through a `Watched` file, which takes the digest of the bytes that it hands out.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import pydantic
import xxhash

from seq2seq_core import storage
from seq2seq_core.errors import InputError

_BLOCK_BYTES = 1 << 20


class Stored(Protocol):
    """What readers need of an open file."""

    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...


class Seal(pydantic.BaseModel):
    """What ties the reading of a range to the pass that counted it.

    Attributes:
        digest: Of the stored bytes of the range and of all else its rows are made with; see `joined`.
        head: Where the header or the schema ends that stands at the start of the file; 0 when there is none.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    digest: str
    head: int = 0


class Extent:
    """A range of bytes (an end of None: all the rest), digested as they are seen: in order, each once."""

    def __init__(self, begin: int, end: int | None = None) -> None:
        self.begin = begin
        self.end = end
        self.place = begin
        self._state = xxhash.xxh3_128()

    def see(self, place: int, block: bytes) -> None:
        """Take what is new of a block that stands at a place of the file."""
        begin = self.place - place
        end = len(block) if self.end is None else min(len(block), self.end - place)
        if 0 <= begin < end:
            self._state.update(memoryview(block)[begin:end])
            self.place = place + end

    def missing(self, most: int) -> int:
        """How many bytes are to be seen yet, of `most`."""
        return most if self.end is None else min(most, self.end - self.place)

    def digest(self) -> bytes:
        """xxh3-128 of what has been seen."""
        return self._state.digest()


class Watched:
    """An open file that remembers what was read of it.

    Only one of several rounds of extents is watched at a time, so that a read costs the same however many there are.
    """

    closed = False

    def __init__(self, file: Stored, url: str, seal: Seal | None = None) -> None:
        self._file = file
        self._url = url
        self._seal = seal
        self._place = 0
        self._now: Sequence[Extent] = ()
        self._later: deque[Sequence[Extent]] = deque()
        self._digests: list[bytes] = []

    def read(self, size: int = -1, /) -> bytes:
        block = self._file.read(size)
        for extent in self._now:
            extent.see(self._place, block)
        self._place += len(block)
        return block

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._place = self._file.seek(offset, whence)
        return self._place

    def tell(self) -> int:
        return self._place

    def note(self, data: bytes) -> None:
        """Take bytes that rows are made with and that stand in no extent."""
        self._digests.append(xxhash.xxh3_128_digest(data))

    def expect(self, *rounds: Sequence[Extent]) -> None:
        """Say what is going to be read; the first round begins."""
        if self._seal is not None:
            self._later.extend(rounds)
            self.next_round()

    def next_round(self) -> None:
        """End a round: what nobody has asked for of its extents is read now."""
        for extent in self._now:
            self._finish(extent)
            self._digests.append(extent.digest())
        self._now = self._later.popleft() if self._later else ()

    def check(self) -> None:
        """Raise an InputError where the bytes of all extents are not those that were counted."""
        if self._seal is None:
            return
        while self._now or self._later:
            self.next_round()
        found = joined(self._digests)
        if found != self._seal.digest:
            raise changed(self._url, f"digest {found}", f"digest {self._seal.digest}")

    def _finish(self, extent: Extent) -> None:
        if not extent.missing(1):
            return
        self._file.seek(extent.place)
        while (count := extent.missing(_BLOCK_BYTES)) and (block := self._file.read(count)):
            extent.see(extent.place, block)
        self._file.seek(self._place)


def joined(digests: Sequence[bytes]) -> str:
    """The digest of several: of one the same, of more that of all in a row; in hexadecimal."""
    return digests[0].hex() if len(digests) == 1 else xxhash.xxh3_128_hexdigest(b"".join(digests))


def changed(url: str, found: str, expected: str) -> InputError:
    """The error of a file that is not what it was when a plan was made of it."""
    return InputError(
        "the file has changed since it was counted",
        where=storage.redact(url),
        found=found,
        expected=expected,
        advice="Run the same command again.",
    )


def size_of(file: Stored) -> int:
    """The size of an open file, which then stands at its beginning."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size
