"""An archive in, the text of all its streams out, one after the other; nothing in it is passed over.

What is no stream, nor padding that the format allows, is damage, wherever it stands. All text in front of the damage
comes out first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from seq2seq_core.files.decoders import CODECS, FAILURES, Codec, Decoder
from seq2seq_core.files.seal import Stored

_STEP_BYTES = 1 << 16
_SHOWN_BYTES = 8
_ADVICE = "Fetch the file again, or pack it anew."
_CURES = {
    "dictionary": "Unpack it with its dictionary (zstd -d -D DICTIONARY).",
    "memory": "Unpack it where there is more memory (zstd -d --long=31).",
}


class DamageError(Exception):
    """What is wrong with an archive, and what helps."""

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(found)
        self.found = found
        self.advice = advice


def unpack(file: Stored, name: str) -> Iterator[bytes]:
    """The text of an archive in blocks, some of them empty.

    Args:
        file: The archive; it can be sought in.
        name: Of its codec.

    Raises:
        DamageError: Something in it cannot be read.
    """
    codec = CODECS[name]
    packed = _Packed(file)
    decoders = codec.decoders()
    while _is_at_stream(packed, codec, name):
        begin, size = packed.offset, 0
        decoder = decoders()
        while not decoder.eof:
            data = _input_for(decoder, packed, _STEP_BYTES)
            if decoder.needs_input and not data:
                raise DamageError("the file ends within a stream", _ADVICE)
            try:
                block = decoder.decompress(data, _STEP_BYTES)
            except FAILURES as error:
                yield from _text_before_damage(file, begin, size, decoders())
                raise _damage(error) from None
            size += len(block)
            yield block
        packed.give_back(decoder.unused_data)


def begins_packed(head: bytes) -> str | None:
    """The codec whose archives begin like this."""
    return next((name for name, codec in CODECS.items() if head.startswith(codec.magic)), None)


class _Packed:
    """The bytes of a file, some of which may be given back."""

    def __init__(self, file: Stored) -> None:
        self._file = file
        self._waiting = b""
        self.offset = 0

    def take(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        block = self.peek(size)
        self._waiting = self._waiting[size:]
        self.offset += len(block)
        return block

    def give_back(self, block: bytes) -> None:
        self._waiting = block + self._waiting
        self.offset -= len(block)

    def peek(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        while len(self._waiting) < size and (block := self._file.read(_STEP_BYTES)):
            self._waiting += block
        return self._waiting[:size]


def _is_at_stream(packed: _Packed, codec: Codec, name: str) -> bool:
    """Go past padding to the next stream; False at the end."""
    is_first = packed.offset == 0
    if codec.padding and not is_first:
        _skip_padding(packed, codec.padding)
    head = packed.peek(_SHOWN_BYTES)
    if head.startswith(codec.magic):
        return True
    if is_first:
        found = f"no {name} archive: it begins with {_shown(head)}" if head else "no byte"
        raise DamageError(found, "Fetch the file again; a file that is not packed needs a name that does not say so.")
    if head:
        raise DamageError(f"{_shown(head)} behind the end of a stream, at byte {packed.offset + 1:,}", _ADVICE)
    return False


def _skip_padding(packed: _Packed, multiple: int) -> None:
    begin = packed.offset
    while block := packed.take(_STEP_BYTES):
        rest = block.lstrip(b"\0")
        if rest:
            packed.give_back(rest)
            break
    size = packed.offset - begin
    if size % multiple:
        raise DamageError(f"{size} zero bytes behind the end of a stream, at byte {begin + 1:,}", _ADVICE)


def _input_for(decoder: Decoder, packed: _Packed, size: int) -> bytes:
    return packed.take(size) if decoder.needs_input else b""


def _text_before_damage(file: Stored, begin: int, known: int, decoder: Decoder) -> Iterator[bytes]:
    """What stands in a stream behind the text that is known and before the place at which its decoder fails.

    A decoder that fails keeps to itself what it had found in that step, so the way there is gone again: in the same
    steps first, byte by byte at the end.
    """
    file.seek(begin)
    packed = _Packed(file)
    while known:
        known -= len(decoder.decompress(_input_for(decoder, packed, _STEP_BYTES), _STEP_BYTES))
    with contextlib.suppress(*FAILURES):
        while not decoder.eof and ((data := _input_for(decoder, packed, 1)) or not decoder.needs_input):
            yield decoder.decompress(data, 1)


def _damage(error: Exception) -> DamageError:
    found = f"{error!s:.300}" or type(error).__name__
    advice = next((cure for word, cure in _CURES.items() if word in found.lower()), _ADVICE)
    return DamageError(found, advice)


def _shown(head: bytes) -> str:
    return f"the bytes {head.hex(' ')}"
