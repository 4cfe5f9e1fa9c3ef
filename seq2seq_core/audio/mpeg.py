"""An MP3 file in, a source out that counts its frames: the decoder is given them and nothing else.

An MP3 file is a row of frames, each a few hundredths of a second, among which anything may stand. Its length is the
number of its frames, less what the encoder says it added at both ends; the number that its first frame may tell is
that of the file as it was written. A decoder left alone believes it, or guesses from the first frame's bit rate.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from seq2seq_core.audio.source import Block, Info, SoundFileSource, truncated
from seq2seq_core.audio.spliced import Part, Spliced, read_at, size_of
from seq2seq_core.audio.terms import AudioError

_KBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MONO = 3
_DECODER_DELAY = 529  # samples that every decoder adds at the beginning, and this one takes away
_RESERVOIR = 511  # bytes of earlier frames that a frame may refer to
_SETTLING = 4  # frames until a decoder that begins in the middle gives what it gives from the beginning
_CHUNK = 1 << 18
_PIECE = 1 << 19
_SEARCHED = 1 << 16
_IN_A_ROW = 4
_TRAILING = 4096
_LAME_DELAYS = 21


class _Kind(NamedTuple):
    """What all frames of a file have in common.

    Attributes:
        second: The second byte of a header, without its last bit.
        mono: Whether there is one channel.
        rate: Samples a second.
        samples: Samples of a frame.
        sizes: Bytes of a frame by the third byte of its header; 0 where that is none of this rate.
        side: Bytes between the header and the sound.
    """

    second: int
    mono: bool
    rate: int
    samples: int
    sizes: tuple[int, ...]
    side: int

    def size(self, data: bytes, place: int) -> int:
        """Bytes of the frame that begins at a place; 0 where none of this kind does."""
        if data[place] != 0xFF or data[place + 1] & 0xFE != self.second or (data[place + 3] >> 6 == _MONO) != self.mono:
            return 0
        return self.sizes[data[place + 2]]


def _kind(head: bytes) -> _Kind | None:
    """That of a header of four bytes; None where they are none of layer III."""
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if head[0] != 0xFF or head[1] < 0xE0 or layer != 1 or version == 1 or head[2] >> 2 & 3 == 3:
        return None
    mono, rate = head[3] >> 6 == _MONO, _RATES[version][head[2] >> 2 & 3]
    samples = 1152 if version == 3 else 576
    kbits = (0, *(_KBITS_1 if version == 3 else _KBITS_2), 0)
    sizes = tuple(
        samples * 125 * kbits[third >> 4] // rate + (third >> 1 & 1)
        if third >> 2 & 3 == head[2] >> 2 & 3 and kbits[third >> 4]
        else 0
        for third in range(256)
    )
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    return _Kind(head[1] & 0xFE, mono, rate, samples, sizes, side)


class _Told(NamedTuple):
    """What the first frame tells: how many follow, and samples that the encoder added before and after."""

    frames: int | None = None
    delay: int = 0
    padding: int = 0


class MpegSource:
    """See the module; frames are looked for as far as they are needed."""

    def __init__(self, stream: BinaryIO, begin: int) -> None:
        self._stream, self._size = stream, size_of(stream)
        self._kind, self._place = self._first(begin)
        first = read_at(stream, self._place, self._kind.sizes[read_at(stream, self._place, 3)[2]])
        told = _told(first)
        self._told = told or _Told()
        self._template = first[:4]
        self._place += len(first) if told else 0
        self._offsets: list[int] = []
        self._gaps: list[Part] = []
        self._strange: list[Part] = []
        self._cut = 0
        self._done = False

    @property
    def damage(self) -> AudioError | None:
        """What stands between the frames, or a frame that is cut."""
        self._scan(None)
        if self._strange:
            count, place = sum(part.length for part in self._strange), self._strange[0].begin
            return AudioError("damaged", found=f"{count} bytes that are no frame, from byte {place} on", expected="MP3")
        if self._cut:
            return AudioError("truncated", found=f"{self._cut} bytes of a frame", expected="all of the last frame")
        return None

    def info(self, *, sees_end: bool = True) -> Info:
        """See `Source`; all frames are counted, and so the last is seen."""
        del sees_end
        self._scan(None)
        frames, told = len(self._offsets), self._told.frames
        if told is not None and frames < told - 1 and not self._strange:
            raise truncated(frames * self._kind.samples, told * self._kind.samples)
        return Info(self._kind.rate, 1 if self._kind.mono else 2, self._samples(), "mp3")

    def blocks(self, start: int, count: int | None, block: int) -> Iterator[Block]:
        """See `Source`."""
        if count is None:
            self._scan(None)
            count = max(0, self._samples() - start)
        for begin in range(start, start + count, _PIECE):
            piece = self._piece(begin, min(_PIECE, start + count - begin))
            yield from (piece[first : first + block] for first in range(0, len(piece), block))

    def _piece(self, start: int, count: int) -> Block:
        """Some samples, fewer at the end.

        The decoder is given a file of their frames and reads it at once: what it gives after a jump, and after each
        read, lacks what the frames there refer to.
        """
        kind, begin = self._kind, start + self._told.delay
        self._scan((begin + count + _DECODER_DELAY) // kind.samples + 2)
        if self._done:
            count = min(count, self._samples() - start)
        if count <= 0:
            return np.zeros((0, 1), np.float32)
        first, silenced = self._where_to_begin((begin + _DECODER_DELAY) // kind.samples)
        end = min(len(self._offsets), -(-(begin + count + _DECODER_DELAY) // kind.samples))
        source = SoundFileSource(Spliced(self._stream, self._parts(first, silenced, end)), "mp3")
        with contextlib.closing(source):
            (samples,) = source.blocks(0, None, end * kind.samples)
        skip = begin - first * kind.samples
        return samples[skip : skip + count]

    def close(self) -> None:
        """Nothing is held between calls."""

    def _samples(self) -> int:
        """Of all frames, less what the encoder and the decoder added."""
        total, (told, delay, padding) = len(self._offsets) * self._kind.samples, self._told
        padding = padding if told is None or len(self._offsets) <= told else 0  # else files stand in a row
        return max(0, total - delay - max(padding, _DECODER_DELAY))

    def _where_to_begin(self, frame: int) -> tuple[int, int]:
        """The frame to begin with for one to be right, and the first that is not silenced: before it stands what later
        ones refer to.
        """
        settled = max(0, frame - _SETTLING)
        first, held = settled, 0
        while first > 0 and held < _RESERVOIR:
            first -= 1
            held += self._length(first) - self._kind.side - 6
        return first, settled if first else 0

    def _length(self, frame: int) -> int:
        return self._kind.sizes[read_at(self._stream, self._offsets[frame], 3)[2]]

    def _parts(self, first: int, silenced: int, end: int) -> list[Part | bytes]:
        """A first frame that tells the number of frames, and the frames, those before `silenced` without the bits that
        refer to earlier ones.
        """
        parts: list[Part | bytes] = [self._header(end - first)]
        held = 0
        for frame in range(first, silenced):
            data = bytearray(read_at(self._stream, self._offsets[frame], self._length(frame)))
            data[1] |= 1
            data[4 : 4 + self._kind.side] = self._silence(held)
            held += len(data) - 4 - self._kind.side
            parts.append(bytes(data))
        begin, stop = self._offsets[max(first, silenced)], self._offsets[end - 1] + self._length(end - 1)
        for gap in self._gaps:
            if begin < gap.begin < stop:
                parts.append(Part(begin, gap.begin - begin))
                begin = gap.begin + gap.length
        return [*parts, Part(begin, stop - begin)]

    def _silence(self, held: int) -> bytes:
        """What a frame tells of its sound when it has none; so many bytes of earlier frames it refers to all the same,
        as a decoder keeps no others for later ones.
        """
        bits = 9 if self._kind.samples == 1152 else 8
        first = min(held, (1 << bits) - 1) << (16 - bits)
        return first.to_bytes(2, "big") + bytes(self._kind.side - 2)

    def _header(self, frames: int) -> bytes:
        head = bytearray(self._template)
        head[1] |= 1
        head[2] = head[2] & 0x0D | 0xE0
        data = bytes(head) + bytes(self._kind.side) + b"Xing" + struct.pack(">II", 1, frames)
        return data + bytes(self._kind.sizes[head[2]] - len(data))

    def _first(self, begin: int) -> tuple[_Kind, int]:
        """The first of several frames in a row."""
        data = read_at(self._stream, begin, _SEARCHED)
        place = data.find(b"\xff")
        while 0 <= place <= len(data) - 4:
            kind = _kind(data[place : place + 4])
            if kind is not None and self._in_a_row(kind, begin + place):
                return kind, begin + place
            place = data.find(b"\xff", place + 1)
        raise AudioError("undecodable", found=f"bytes that begin with {data[:8]!r}")

    def _in_a_row(self, kind: _Kind, place: int) -> bool:
        for number in range(_IN_A_ROW):
            head = read_at(self._stream, place, 4)
            size = kind.size(head, 0) if len(head) == 4 else 0
            if not size:
                return number > 0 and len(head) < 4
            place += size
        return True

    def _scan(self, until: int | None) -> None:
        """Find frames until there are so many, or all."""
        while not self._done and (until is None or len(self._offsets) < until):
            data = read_at(self._stream, self._place, _CHUNK)
            place = self._walk(data, self._place)
            if place < len(data) - 3:
                self._pass_over(self._place + place)
            else:
                self._place += place
            self._done = self._place > self._size - 4
            self._drop_cut()

    def _walk(self, data: bytes, base: int) -> int:
        """Note the frames of a chunk; how far they go."""
        size, append = self._kind.size, self._offsets.append
        place, last = 0, len(data) - 4
        while place <= last:
            step = size(data, place)
            if not step:
                break
            append(base + place)
            place += step
        return place

    def _drop_cut(self) -> None:
        if self._done and self._offsets and self._offsets[-1] + self._length(len(self._offsets) - 1) > self._size:
            self._cut = self._size - self._offsets.pop()

    def _pass_over(self, place: int) -> None:
        """Go on behind what is no frame."""
        after = place + _tag_length(self._stream, place, self._size)
        strange = after == place
        while strange and after < self._size:
            data = read_at(self._stream, after + 1, _CHUNK)
            found = self._search(data, after + 1)
            after = self._size if len(data) < _CHUNK and found is None else after + 1 + (found or len(data) - 3)
            if found is not None or after >= self._size:
                break
        self._place = after
        gap = Part(place, after - place)
        self._gaps.append(gap)
        if strange and (after < self._size or self._trails(place)):
            self._strange.append(gap)

    def _search(self, data: bytes, base: int) -> int | None:
        """Where frames begin again."""
        place = data.find(b"\xff")
        while 0 <= place <= len(data) - 4:
            if self._kind.size(data, place) and self._in_a_row(self._kind, base + place):
                return place
            place = data.find(b"\xff", place + 1)
        return None

    def _trails(self, place: int) -> bool:
        """Whether what stands from here to the end is more than a tag nobody knows."""
        return self._size - place > _TRAILING and any(read_at(self._stream, place, self._size - place))


def _told(first: bytes) -> _Told | None:
    """What the first frame tells; None where it is a frame as any other."""
    place = max(first.find(b"Xing", 0, 64), first.find(b"Info", 0, 64))
    if place < 0:
        return _Told(int.from_bytes(first[50:54], "big")) if first[36:40] == b"VBRI" else None
    flags = int.from_bytes(first[place + 4 : place + 8], "big")
    frames = int.from_bytes(first[place + 8 : place + 12], "big") if flags & 1 else None
    lame = place + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    delays = int.from_bytes(first[lame + _LAME_DELAYS : lame + _LAME_DELAYS + 3], "big")
    return _Told(frames, delays >> 12, delays & 0xFFF) if first[lame : lame + 1] == b"L" else _Told(frames)


def _tag_length(stream: BinaryIO, place: int, size: int) -> int:
    """Bytes of a tag that begins here, 0 where none does."""
    head = read_at(stream, place, 32)
    if head[:3] == b"ID3":
        return id3_length(head)
    if head[:3] == b"TAG" and size - place <= 128:
        return size - place
    if head[:8] == b"APETAGEX":
        return 32 + int.from_bytes(head[12:16], "little")
    return size - place if head[:11] == b"LYRICSBEGIN" else 0


def id3_length(head: bytes) -> int:
    """Bytes of an ID3v2 tag, by its first ten bytes; 0 where they are none."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    length = 0
    for byte in head[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length + 10 * (head[5] >> 4 & 1)
