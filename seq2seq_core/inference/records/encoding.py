"""The first bytes of a text file in; an error that names the encoding where a character is two or four bytes out."""

from __future__ import annotations

import numpy as np

from seq2seq_core.errors import InputError

_MARKS = {  # the mark of UTF-32 begins like that of UTF-16
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_SAMPLE_BYTES = 4096
_FEWEST_BYTES = 16
_FEW = 0.2


def refuse_wide(block: bytes, where: str) -> None:
    """Refuse a file whose lines cannot be told apart byte by byte, before any work starts.

    Raises:
        InputError: It begins with the mark of UTF-16 or UTF-32, or has the zero bytes of one of them.
    """
    encoding = wide_encoding(block)
    if encoding is not None:
        raise InputError(
            f"the text is {encoding}",
            where=where,
            expected="UTF-8",
            advice=f"Convert it: iconv -f {encoding} -t UTF-8 FILE > NEW.",
        )


def wide_encoding(start: bytes) -> str | None:
    """UTF-16 or UTF-32 by the mark a file begins with, or by where its zero bytes stand; None for any other."""
    marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    if marked is not None or len(start) < _FEWEST_BYTES:
        return marked
    sample = np.frombuffer(start[:_SAMPLE_BYTES], np.uint8)
    zeros = [float(np.mean(sample[place : len(sample) // 4 * 4 : 4] == 0)) for place in range(4)]
    for order, (first, second, third, fourth) in (("LE", zeros), ("BE", zeros[::-1])):
        if first < _FEW and fourth == 1 and third > 0.5:
            return f"UTF-32{order}"
        if first < _FEW and third < _FEW and second > 0.5 and fourth > 0.5:
            return f"UTF-16{order}"
    return None
