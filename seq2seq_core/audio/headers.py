"""A file in, a source out whose length can be believed.

Programs that write into a pipe cannot know the length: they leave 0 or the largest number where it belongs. Other
headers tell more than is there, because the file was cut, or less. libsndfile believes what is there, and says nothing.
FLAC files are opened in a module of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from seq2seq_core.audio.source import SoundFileSource, truncated
from seq2seq_core.audio.spliced import Part, Spliced, read_at, size_of
from seq2seq_core.audio.terms import AudioError

_UNTOLD = 0x7FFF0000  # sox and ffmpeg write this or more where they do not know
_MOST_CHUNKS = 10_000
_LEFT_OVER = 4096
_LONGEST_PAGE = 27 + 255 + 255 * 255
_LAST_PAGE = 4


class _Chunk(NamedTuple):
    name: bytes
    begin: int
    length: int


def open_wav(stream: BinaryIO, begin: int) -> SoundFileSource:
    """RIFF, RIFX and RF64 (EBU Tech 3306) files."""
    order = ">" if read_at(stream, begin, 4) == b"RIFX" else "<"
    size = size_of(stream)
    found = list(_chunks(stream, begin + 12, size, order, stop=b"data"))
    by_name = {chunk.name: chunk for chunk in found}
    if b"fmt " not in by_name or b"data" not in by_name:
        raise AudioError("truncated", found="no samples", expected="chunks named fmt and data")
    data = by_name[b"data"]
    declared = _declared(stream, data, by_name.get(b"ds64"))
    there = size - data.begin
    untold = (declared >= _UNTOLD and declared > there) or (not declared and not _ends_well(stream, data, size, order))
    if untold:
        length = struct.pack(f"{order}I", min(there, 0xFFFFFFFF))
        parts: list[Part | bytes] = [Part(begin, data.begin - 4 - begin), length, Part(data.begin, there)]
        return SoundFileSource(Spliced(stream, parts), "wav")
    align = max(1, struct.unpack(f"{order}H", read_at(stream, by_name[b"fmt "].begin + 12, 2))[0])
    if declared // align > there // align:
        raise truncated(there // align, declared // align)
    if not _ends_well(stream, data._replace(length=declared), size, order):
        more = there - declared
        raise AudioError("damaged", found=f"{more} bytes after the samples", expected=f"{declared} bytes of samples")
    return SoundFileSource(Spliced(stream, [Part(begin, size - begin)]), "wav")


def _declared(stream: BinaryIO, data: _Chunk, wide: _Chunk | None) -> int:
    """The length of the samples in bytes; of files above 4 GiB it stands in a chunk of its own."""
    if wide is None or data.length != 0xFFFFFFFF:
        return data.length
    return int(struct.unpack("<Q", read_at(stream, wide.begin + 8, 8))[0])


def _ends_well(stream: BinaryIO, data: _Chunk, size: int, order: str) -> bool:
    """Whether what follows the samples are chunks, or too little to be samples."""
    end = data.begin + data.length
    if size - end <= (_LEFT_OVER if data.length else 0):
        return True
    last = end
    for chunk in _chunks(stream, end + data.length % 2, size, order):
        last = chunk.begin + chunk.length
    return last <= size and size - last <= _LEFT_OVER


def _chunks(stream: BinaryIO, place: int, size: int, order: str, stop: bytes = b"") -> Iterator[_Chunk]:
    for _ in range(_MOST_CHUNKS):
        head = read_at(stream, place, 8)
        if len(head) < 8 or not head[:4].isascii() or b"\0" in head[:4]:
            return
        chunk = _Chunk(head[:4], place + 8, struct.unpack(f"{order}I", head[4:])[0])
        yield chunk
        place = chunk.begin + chunk.length + chunk.length % 2
        if chunk.name == stop or place >= size:
            return


def open_aiff(stream: BinaryIO, begin: int) -> SoundFileSource:
    """AIFF and AIFC files: the chunk COMM tells the samples."""
    size = size_of(stream)
    comm = next((chunk for chunk in _chunks(stream, begin + 12, size, ">") if chunk.name == b"COMM"), None)
    if comm is None:
        raise AudioError("truncated", found="no samples", expected="a chunk named COMM")
    declared = struct.unpack(">I", read_at(stream, comm.begin + 2, 4))[0]
    return SoundFileSource(Spliced(stream, [Part(begin, size - begin)]), "aiff", declared)


def open_nist(stream: BinaryIO, begin: int) -> SoundFileSource:
    """NIST SPHERE files, as TIMIT and WSJ have them: a line of the header tells the samples."""
    size = size_of(stream)
    lines = (line.split() for line in read_at(stream, begin, 1024).splitlines())
    told = {line[0]: line[2] for line in lines if len(line) == 3}
    count = told.get(b"sample_count", b"")
    declared = int(count) if count.isdigit() else None
    return SoundFileSource(Spliced(stream, [Part(begin, size - begin)]), "nist", declared)


def open_au(stream: BinaryIO, begin: int) -> SoundFileSource:
    """AU files: the header tells where the samples begin, and their bytes."""
    first, declared = struct.unpack(">II", read_at(stream, begin + 4, 8).ljust(8, b"\0"))
    there = size_of(stream) - begin - first
    if there < declared < _UNTOLD:
        raise AudioError("truncated", found=f"{max(0, there)} bytes of samples", expected=declared)
    return open_plain("au", stream, begin)


def open_plain(container: str, stream: BinaryIO, begin: int) -> SoundFileSource:
    """A file whose header libsndfile is right to believe."""
    return SoundFileSource(Spliced(stream, [Part(begin, size_of(stream) - begin)]), container)


def open_ogg(stream: BinaryIO, begin: int) -> SoundFileSource:
    """OGG files (Vorbis, Opus, FLAC; RFC 3533).

    libsndfile knows the length by the last page, whose number of samples holds for the file if it is one stream."""
    size = size_of(stream)
    place = max(begin, size - 2 * _LONGEST_PAGE)
    data = read_at(stream, place, size - place)
    found = len(data)
    while (found := data.rfind(b"OggS", 0, found)) >= 0:
        end = _page_end(data, found)
        if end is not None:
            break
    else:
        raise AudioError("truncated", found="no page at the end", expected="OGG")
    if end > len(data) or not data[found + 5] & _LAST_PAGE:
        raise AudioError("truncated", found="a stream that does not end", expected="a page marked as the last")
    if data[found + 14 : found + 18] != read_at(stream, begin + 14, 4):
        raise AudioError("damaged", found="several streams one after the other", expected="one stream")
    return SoundFileSource(Spliced(stream, [Part(begin, size - begin)]), "ogg")


def _page_end(data: bytes, begin: int) -> int | None:
    """Where the page that begins here ends; None where not even its header is there."""
    if begin + 27 > len(data) or data[begin + 4]:
        return None
    segments = data[begin + 26]
    table = data[begin + 27 : begin + 27 + segments]
    return begin + 27 + segments + sum(table) if len(table) == segments else None
