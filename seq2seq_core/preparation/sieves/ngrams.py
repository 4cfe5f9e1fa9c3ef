"""Held-out texts in, an index of their long word n-grams out; training rows in, those that share one out.

Two texts that share thirteen words in a row are hardly independent: that is the length GPT-3's authors chose to find
test text in training text (Brown et al. 2020, appendix C). Texts are compared in lower case, by letters and digits
alone; where a script has no spaces (Han, kana, Thai, Khmer, Lao, Burmese) every character is a word.

An n-gram is hashed as the polynomial of its bytes modulo 2^64, with random coefficients for byte values and a last
mixing step: all n-grams of a column are one difference of prefix sums (the idea of Karp and Rabin 1987).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage

HELD_OUT_NGRAM = "held_out_ngram"

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_SPACELESS = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Khmer}\p{Lao}\p{Myanmar}])"
_BETWEEN_WORDS = r"[^\p{L}\p{M}\p{N}]+"
_BASE = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd, so that it has an inverse modulo 2^64
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
_COEFFICIENTS = np.random.Philox(key=np.array([13, 64], np.uint64)).random_raw(256)
_FILE_SCHEMA = pa.schema([pa.field("ngram", pa.uint64(), nullable=False)])


class Shared(NamedTuple):
    """Which rows share an n-gram (bool, no nulls), and for each of those, in order, the first one it shares."""

    rows: pa.BooleanArray
    values: pa.StringArray


def index_of(columns: Iterable[pa.Array], words: int) -> Hashes:
    """The distinct n-grams of some columns of text, ascending."""
    found = [np.unique(_ngrams(comparable(column, words), words).hashes) for column in columns]
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))


def publish_index(url: str, columns: Iterable[pa.Array], words: int) -> int:
    """Publish the index of some columns of text; how many n-grams it has."""
    index = index_of(columns, words)
    batch = pa.record_batch([pa.array(index)], schema=_FILE_SCHEMA)
    with storage.publish(url) as out, pa.ipc.new_file(out, _FILE_SCHEMA) as sink:
        sink.write_batch(batch)
    return len(index)


@functools.lru_cache(maxsize=2)
def load_index(url: str) -> Hashes:
    """The n-grams of a published index, ascending."""
    with storage.open_input(url) as file, pa.ipc.open_file(file) as reader:
        index: Hashes = reader.read_all().column("ngram").to_numpy()
    return index


def shared(columns: Sequence[tuple[str, pa.Array]], index: Hashes, words: int) -> Shared:
    """The rows of which one of the named columns shares an n-gram with the index.

    Args:
        columns: Name and texts (no nulls) of each side that is compared; equal lengths.
        index: Hashes, ascending.
        words: The length of the n-grams.
    """
    rows = len(columns[0][1])
    first: dict[int, str] = {}
    for name, column in columns:
        for row, ngram in _first_shared(comparable(column, words), index, words):
            first.setdefault(row, f"{name} {ngram}")
    mask = np.zeros(rows, np.bool_)
    mask[list(first)] = True
    return Shared(pa.array(mask), pa.array([first[row] for row in sorted(first)], pa.string()))


def comparable(column: pa.Array, words: int) -> pa.LargeStringArray:
    """Texts in the form they are compared in: words in lower case with single spaces; empty where too short."""
    text = column.cast(pa.large_string())
    # A text of fewer bytes than two a word cannot have so many words: most captions end here.
    long = pc.greater_equal(pc.binary_length(text), 2 * words - 1)
    short = pa.scalar("", pa.large_string())
    lowered = pc.utf8_lower(pc.if_else(long, text, short))
    spaced = pc.replace_substring_regex(lowered, _SPACELESS, r" \1 ")
    return pc.utf8_trim(pc.replace_substring_regex(spaced, _BETWEEN_WORDS, " "), " ")


class _Ngrams(NamedTuple):
    """The n-grams of a column: hash, row, first byte and the byte behind the last."""

    hashes: Hashes
    rows: Places
    begins: Places
    ends: Places


def _ngrams(texts: pa.LargeStringArray, words: int) -> _Ngrams:
    offsets, data = _buffers(texts)
    spaces = np.flatnonzero(data == ord(" "))
    filled = np.flatnonzero(np.diff(offsets))
    begins = np.sort(np.concatenate([offsets[filled], spaces + 1]))
    ends = np.sort(np.concatenate([offsets[filled + 1], spaces]))
    rows = np.searchsorted(offsets, begins, side="right") - 1
    count = max(len(begins) - words + 1, 0)
    whole = np.flatnonzero(rows[:count] == rows[words - 1 :][:count])
    begins, ends, rows = begins[whole], ends[whole + words - 1], rows[whole]
    return _Ngrams(_hashes(data, begins, ends), rows, begins, ends)


def _hashes(data: npt.NDArray[np.uint8], begins: Places, ends: Places) -> Hashes:
    """The hash of each range of bytes."""
    powers = np.ones(len(data) + 1, np.uint64)
    powers[1:] = _BASE
    np.multiply.accumulate(powers, out=powers)
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum(_COEFFICIENTS[data] * powers[:-1], out=sums[1:])
    inverses = np.ones(len(data) + 1, np.uint64)
    inverses[1:] = _INVERSE
    np.multiply.accumulate(inverses, out=inverses)
    polynomials = (sums[ends] - sums[begins]) * inverses[begins]
    mixed: Hashes = (polynomials ^ (polynomials >> np.uint64(32))) * _BASE
    return mixed ^ (mixed >> np.uint64(29))


def _first_shared(texts: pa.LargeStringArray, index: Hashes, words: int) -> Iterator[tuple[int, str]]:
    ngrams = _ngrams(texts, words)
    if not len(index) or not len(ngrams.hashes):
        return
    places = np.minimum(np.searchsorted(index, ngrams.hashes), len(index) - 1)
    hits = np.flatnonzero(index[places] == ngrams.hashes)
    rows, first = np.unique(ngrams.rows[hits], return_index=True)
    _, data = _buffers(texts)
    for row, hit in zip(rows.tolist(), hits[first].tolist(), strict=True):
        yield row, data[ngrams.begins[hit] : ngrams.ends[hit]].tobytes().decode()


def _buffers(texts: pa.LargeStringArray) -> tuple[Places, npt.NDArray[np.uint8]]:
    _, positions, octets = texts.buffers()
    offsets = np.frombuffer(positions, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(octets, np.uint8) if octets is not None else np.empty(0, np.uint8)
    return offsets - offsets[0], data[offsets[0] : offsets[-1]]
