"""The first bytes of a file in, the encoding of its text out; and a stream of text in, the same text in UTF-8 out.

Text is UTF-8 unless a byte order mark at its start says otherwise. UTF-16 and UTF-32 without a mark are known by where
their zero bytes stand, and refused, for they would pass as other letters. So are archives and tables whose names say
that they are text, and files whose lines have no ends.
"""

from __future__ import annotations

import codecs
import contextlib
import unicodedata
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import READ_AHEAD_BYTES, ByteStream, open_plain, suffix_of, unpacked
from seq2seq_core.files.seal import Stored
from seq2seq_core.files.unpacking import begins_packed

UTF8 = "utf-8"
HEAD_BYTES = 1 << 12

_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_KINDS = (  # of files that are no text: the place of the mark, the mark, what it is, what helps
    (0, b"PK\x03\x04", "a zip archive or an office document", "Unpack it, or save its text as UTF-8."),
    (0, b"\xd0\xcf\x11\xe0", "an office document", "Save its text as UTF-8."),
    (0, b"%PDF-", "a PDF document", "Save its text as UTF-8."),
    (0, b"\x04\x22\x4d\x18", "an lz4 archive", "Unpack it."),
    (0, b"\x1f\x9d", "an archive of compress", "Unpack it."),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it."),
    (257, b"ustar", "a tar archive", "Unpack it."),
    (0, b"PAR1", "a Parquet file", "Set format to parquet, or give it a name that ends in .parquet."),
    (0, b"ARROW1", "an Arrow file", "Set format to arrow, or give it a name that ends in .arrow."),
)
_LEAST_BYTES = 8
_LEAST_LOW = 0.8
_MOST_ASCII, _MOST_ODD = 0.5, 0.05


def encoding_of(url: str) -> str:
    """The encoding of a file of text (compressed or not), as `codecs` calls it; `UTF8` where no mark tells another.

    Raises:
        InputError: It is UTF-16 or UTF-32 without a mark, or no text at all, or an archive that is damaged.
    """
    with open_plain(url) as stream:
        return encoding_of_head(stream.read(HEAD_BYTES), url)


def encoding_of_head(head: bytes, url: str) -> str:
    """As `encoding_of`, of the first bytes of the text: `HEAD_BYTES`, or all there are."""
    marked = encoding_by_mark(head)
    if marked:
        return marked
    refuse_other_kinds(head, url)
    unmarked = encoding_by_zeros(head)
    if unmarked:
        name = "".join(unmarked.upper().rsplit("-", 1))
        raise InputError(
            f"the text is {name[:6]} without a byte order mark",
            where=storage.redact(url),
            found=f"zero bytes as in {name}",
            expected="UTF-8, or a byte order mark",
            advice=f"Convert it: iconv -f {name} -t UTF-8 FILE.",
        )
    return UTF8


def encoding_by_mark(head: bytes) -> str | None:
    """UTF-16 or UTF-32 with its byte order, where a mark says so."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def encoding_by_zeros(head: bytes) -> str | None:
    """UTF-16 or UTF-32 with its byte order, where zero bytes stand as they do in text of theirs and in no other."""
    if b"\0" not in head or len(head) < _LEAST_BYTES:
        return None
    octets = np.frombuffer(head, np.uint8)
    fours = octets[: len(octets) // 4 * 4].reshape(-1, 4)
    pairs = octets[: len(octets) // 2 * 2].reshape(-1, 2)
    for order, fours_up, pairs_up in (("le", fours, pairs), ("be", fours[:, ::-1], pairs[:, ::-1])):
        if _is_utf32(fours_up):
            return f"utf-32-{order}"
        if _is_utf16(pairs_up, head, f"utf-16-{order}"):
            return f"utf-16-{order}"
    return None


def refuse_other_kinds(head: bytes, url: str) -> None:
    """Raise an InputError where the first bytes of a file are those of an archive or a table, and not of text."""
    if b"\0" not in head and _decodes(head, UTF8):
        return
    packed = begins_packed(head)
    kinds = [(kind, advice) for place, mark, kind, advice in _KINDS if head.startswith(mark, place)]
    if packed:
        kinds.append((f"a {packed} archive", f"Give it a name that ends in {suffix_of(packed)}, or unpack it."))
    if kinds:
        kind, advice = kinds[0]
        raise InputError(f"the file is {kind}", where=storage.redact(url), expected="text", advice=advice)


@contextlib.contextmanager
def open_text(url: str, start: int = 0, end: int | None = None) -> Iterator[ByteStream]:
    """The text of a file as UTF-8, uncompressed; see `open_plain`. Half a surrogate pair comes out as three bytes that
    are not UTF-8, and a byte order mark of UTF-8 stays.

    Args:
        url: The file.
        start: Where a part of the file begins; it must be known to be plain UTF-8, then.
        end: Where the part ends.

    Raises:
        InputError: On reading, when the file is no text, or not all of it can be read.
    """
    with storage.open_input(url, block_bytes=READ_AHEAD_BYTES) as file:
        yield text_of(file, url, start, end)


def text_of(file: Stored, url: str, start: int = 0, end: int | None = None) -> ByteStream:
    """As `open_text`, of a file that is open already."""
    stream = unpacked(file, url, start, end)
    return _Text(stream, url) if (start, end) == (0, None) else stream


class Decoded:
    """A stream of text in another encoding, as UTF-8; a mark at its start is dropped."""

    def __init__(self, stream: ByteStream, encoding: str, url: str, errors: str = "strict") -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._encoding = encoding
        self._errors = errors
        self._url = url
        self._read = 0
        self._waiting = b""
        self._is_new = True
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while not self._waiting and not self._ended:
            self._waiting = self._decode(self._stream.read(size))
        block, self._waiting = self._waiting[:size], self._waiting[size:]
        return block

    def _decode(self, block: bytes) -> bytes:
        self._ended = not block
        self._read += len(block)
        try:
            text = self._decoder.decode(block, final=self._ended)
        except UnicodeDecodeError as error:
            place = self._read - len(error.object) + error.start
            found = f"{error.reason}: byte 0x{error.object[error.start]:02x} at {place + 1:,}"
            raise self._undecodable(found) from None
        except UnicodeError as error:
            raise self._undecodable(f"{error!s:.300}") from None
        if text and self._is_new:
            self._is_new, text = False, text.removeprefix("\ufeff")
        return text.encode(UTF8, self._errors)

    def _undecodable(self, found: str) -> InputError:
        return InputError(
            f"the text is not {self._encoding.upper()}",
            where=storage.redact(self._url),
            found=found,
            advice="Fetch the file again, or convert it to UTF-8 (iconv).",
        )


class _Text:
    """A stream of text from its start, as UTF-8, with a look at whether there are line ends."""

    def __init__(self, stream: ByteStream, url: str) -> None:
        self._stream = stream
        self._url = url
        self._is_new = True
        self._has_lines = False
        self._returns = 0
        self._last = b""

    def read(self, size: int, /) -> bytes:
        if self._is_new:
            self._is_new = False
            self._begin(size)
        block = self._stream.read(size)
        if not self._has_lines:
            self._look(block)
        return block

    def _begin(self, size: int) -> None:
        head = self._stream.read(max(size, HEAD_BYTES))
        encoding = encoding_of_head(head[:HEAD_BYTES], self._url)
        self._stream = Rejoined(head, self._stream)
        if encoding != UTF8:
            self._stream = Decoded(self._stream, encoding, self._url, "surrogatepass")

    def _look(self, block: bytes) -> None:
        self._has_lines = b"\n" in block
        self._returns += block.count(b"\r")
        if not block and self._returns > (self._last == b"\r"):
            raise InputError(
                "the lines end in carriage returns alone",
                where=storage.redact(self._url),
                found=f"{self._returns} carriage returns and no line feed",
                expected="a line feed at the end of each line",
                advice="Convert it: tr '\\r' '\\n' < FILE.",
            )
        self._last = block[-1:] or self._last


class Rejoined:
    """Bytes that were read of a stream, and the rest of it."""

    def __init__(self, head: bytes, stream: ByteStream) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._stream.read(size)
        block, self._head = self._head[:size], self._head[size:]
        return block


def _is_utf32(fours: npt.NDArray[np.uint8]) -> bool:
    """Whether all are code points, the lowest byte first."""
    return bool(np.all(fours[:, 3] == 0) and np.all(fours[:, 2] <= 0x10) and np.all(fours.any(axis=1)))


def _is_utf16(pairs: npt.NDArray[np.uint8], head: bytes, encoding: str) -> bool:
    """Whether the pairs (the lower byte first) are those of text.

    Of nearly all scripts every second byte is below 0x20. Text of the others (Chinese, Korean) is hardly ever UTF-8,
    and has line ends, few letters and spaces of ASCII and no private characters.
    """
    low, high = pairs[:, 0], pairs[:, 1]
    if not np.any(high == 0) or not np.all(pairs.any(axis=1)):
        return False
    if np.mean(high < 0x20) >= _LEAST_LOW:
        return True
    ends = int(np.count_nonzero((low == 0x0A) & (high == 0)))
    of_ascii = np.count_nonzero((((pairs | 0x20) >= 0x61) & ((pairs | 0x20) <= 0x7A)) | (pairs == 0x20))
    if not ends or 2 * ends < head.count(b"\n") or of_ascii > _MOST_ASCII * pairs.size or _decodes(head, UTF8):
        return False
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    return sum(map(_is_odd, text)) <= _MOST_ODD * len(text)


def _is_odd(character: str) -> bool:
    return character not in "\t\r\n" and (
        unicodedata.category(character) in ("Co", "Cn", "Cc") or character == "\ufffd"
    )


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return True
