"""A stream that is a tar archive in, its members in order out, by headers as POSIX, GNU and pax have them.

Nothing is unpacked to a disk. Members are read one after the other, so that memory stays at what the caller asks for.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import NamedTuple

from seq2seq_core.files.compression import ByteStream

BLOCK = 512
_STEP_BYTES = 1 << 18
_MOST_HEADER_BYTES = 1 << 20
_LONG_NAME, _LONG_LINK, _PAX, _GLOBAL = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
)
_EXTENDED = (_LONG_NAME, _LONG_LINK, _PAX, tarfile.SOLARIS_XHDTYPE, _GLOBAL)


class Member(NamedTuple):
    """What a header says: the name, whether it is a plain file, its size, and all bytes of the header itself."""

    name: str
    is_file: bool
    size: int
    header: bytes


class TarError(EOFError):
    """The archive is truncated or corrupt."""


class TarReader:
    """Reads members in order: for each its header, and then its content, all of it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._left = 0

    def members(self) -> Iterator[Member]:
        """The headers; a content that nobody took must have been skipped before the next.

        Raises:
            TarError: A header cannot be read, or bytes stand behind the mark of the end.
        """
        name, size, head = None, None, b""
        while (block := self._block()) is not None:
            info = _parsed(block)
            head += block
            if info.type not in _EXTENDED:
                length = 0 if not info.isreg() else info.size if size is None else size
                self._left = _padded(length)
                yield Member(name or info.name, info.isreg(), length, head)
                name, size, head = None, None, b""
                continue
            if info.size > _MOST_HEADER_BYTES:
                raise TarError(f"a header of {info.size} bytes")
            content = self._exactly(_padded(info.size))
            head += content
            if info.type == _LONG_NAME:
                name = content[: info.size].rstrip(b"\0").decode("utf-8", "replace")
            elif info.type not in (_LONG_LINK, _GLOBAL):
                name, size = _pax(content[: info.size], name, size)

    def content(self) -> Iterator[bytes]:
        """The bytes of the member whose header came last, with the padding behind them."""
        while self._left:
            block = self._stream.read(min(self._left, _STEP_BYTES))
            if not block:
                raise TarError("the file ends within a member")
            self._left -= len(block)
            yield block

    def _block(self) -> bytes | None:
        """The next header; None at the end."""
        if self._left:
            raise TypeError("a member was not read to its end")
        block = _read(self._stream, BLOCK)
        if not block:
            return None
        if len(block) < BLOCK:
            raise TarError("the file ends within a header")
        if block.strip(b"\0"):
            return block
        self._refuse_rest()
        return None

    def _refuse_rest(self) -> None:
        while rest := self._stream.read(_STEP_BYTES):
            if rest.strip(b"\0"):
                raise TarError("something stands behind the mark of the end")

    def _exactly(self, size: int) -> bytes:
        block = _read(self._stream, size)
        if len(block) < size:
            raise TarError("the file ends within a header")
        return block


def _read(stream: ByteStream, size: int) -> bytes:
    blocks = []
    while size and (block := stream.read(size)):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _parsed(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.TarError as error:
        raise TarError(f"no header of a member: {error}") from None
    if info.size < 0:
        raise TarError(f"a member of {info.size} bytes")
    if info.type == tarfile.GNUTYPE_SPARSE:
        raise TarError(f"the member {info.name} is stored with gaps (tar --sparse)")
    return info


def _pax(content: bytes, name: str | None, size: int | None) -> tuple[str | None, int | None]:
    """The name and size that records of pax give, `LENGTH KEY=VALUE` a line."""
    while content:
        length, space, _ = content.partition(b" ")
        if not space or not length.isdigit() or not 0 < int(length) <= len(content):
            raise TarError("a header of pax that cannot be read")
        key, _, value = content[len(length) + 1 : int(length) - 1].partition(b"=")
        content = content[int(length) :]
        if key == b"path":
            name = value.decode("utf-8", "replace")
        if key == b"size":
            if not value.isdigit() or len(value) > 20:
                raise TarError("a header of pax with no size")
            size = int(value)
    return name, size
