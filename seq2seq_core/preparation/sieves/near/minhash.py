"""Columns of text in, MinHash signatures of every row and their band hashes out: texts that share a band are near.

A text is the set of its shingles, runs of characters or words. Under a random hash function, two texts have the same
smallest hash with probability s, the Jaccard similarity of their sets (Broder 1997). A band is a few such functions
taken together, and two texts are candidates where all of any one band agree: P(s) = 1 - (1 - s^rows)^bands (Leskovec,
Rajaraman, Ullman: Mining of Massive Datasets, section 3.4).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.preparation.terms.recipe import NearDuplicatesConfig
from seq2seq_core.text.column import TextColumn

Signatures = npt.NDArray[np.uint32]  # texts x (bands * rows)
Bands = npt.NDArray[np.uint64]  # texts x bands
_Hashes = npt.NDArray[np.uint64]
_Offsets = npt.NDArray[np.int64]

_NO_WORD = r"[^\p{L}\p{M}\p{N}]+"
_BLOCK_BYTES = 1 << 18
_BASE = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: an odd number without pattern in its bits


def compared(source: pa.StringArray, target: pa.StringArray, config: NearDuplicatesConfig) -> pa.StringArray:
    """The text of each row that is compared, for `signatures`."""
    sides = {"source": source, "target": target}
    return sides[config.side] if config.side in sides else pc.binary_join_element_wise(source, target, "\t")


def bands(signed: Signatures, config: NearDuplicatesConfig) -> Bands:
    """One hash for each band of each text; equal ones (of different bands never) mean that the band agrees."""
    hashes = np.broadcast_to(np.arange(config.bands, dtype=np.uint64), (len(signed), config.bands))
    for row in range(config.rows):
        hashes = _mix(hashes * _BASE + signed[:, row :: config.rows])
    return np.ascontiguousarray(hashes)


def signatures(column: pa.StringArray, config: NearDuplicatesConfig) -> Signatures:
    """The smallest hash of each text's shingles under `bands * rows` functions.

    A text shorter than a shingle is one shingle; one without letters and digits is taken as it is.

    Args:
        column: Texts without nulls.
        config: How they are cut, and the functions.

    Returns:
        uint32, texts x (bands * rows); memory besides is bounded by some MB and the longest text.
    """
    functions = config.bands * config.rows
    drawn = _mix(np.uint64(config.seed) + np.arange(1, 2 * functions + 1, dtype=np.uint64) * _BASE)
    masks, factors = (drawn >> np.uint64(32)).astype(np.uint32).reshape(2, functions)
    factors |= np.uint32(1)
    signed = np.empty((len(column), len(factors)), np.uint32)
    for begin, end in _blocks(column):
        shingles, offsets = _shingles(column.slice(begin, end - begin), config)
        for function, (mask, factor) in enumerate(zip(masks, factors, strict=True)):
            signed[begin:end, function] = np.minimum.reduceat((shingles ^ mask) * factor, offsets)
    return signed


def _blocks(column: pa.StringArray) -> Iterator[tuple[int, int]]:
    """Ranges of rows with about so many bytes that a processor keeps the shingles at hand."""
    ends = np.cumsum(pc.binary_length(column).to_numpy(zero_copy_only=False), dtype=np.int64)
    begin = 0
    while begin < len(ends):
        before = ends[begin - 1] if begin else 0
        end = max(int(np.searchsorted(ends, before + _BLOCK_BYTES, side="right")), begin + 1)
        yield begin, end
        begin = end


def _shingles(column: pa.StringArray, config: NearDuplicatesConfig) -> tuple[npt.NDArray[np.uint32], _Offsets]:
    """The hashes of all shingles of all texts, and where those of each text begin."""
    characters, lengths = _characters(_plain(column))
    if config.shingle == "words":
        characters, lengths = _words(characters, lengths)
    hashes = _runs(characters, lengths, config.shingle_length)
    # Only whole runs are shingles, and the first of a text that has none.
    offsets = np.cumsum(lengths) - lengths
    is_shingle = np.repeat(offsets + lengths, lengths) - np.arange(len(characters)) >= config.shingle_length
    is_shingle[offsets] = True
    counts = np.maximum(lengths - config.shingle_length + 1, 1)
    shingles = (_mix(hashes[is_shingle]) >> np.uint64(32)).astype(np.uint32)
    return shingles, np.cumsum(counts) - counts


def _runs(characters: _Hashes, lengths: _Offsets, length: int) -> _Hashes:
    """For each place a hash of the run that begins there, or of the whole text at the start of a shorter one."""
    runs = characters.copy()
    inside = max(len(runs) - length + 1, 0)
    for step in range(1, length):
        runs[:inside] = runs[:inside] * _BASE + characters[step : inside + step]
    short = np.flatnonzero(lengths < length)
    begins, sizes = (np.cumsum(lengths) - lengths)[short], lengths[short]
    whole = characters[begins]
    for step in range(1, length):
        longer = sizes > step
        whole[longer] = whole[longer] * _BASE + characters[begins[longer] + step]
    runs[begins] = whole
    return runs


def _plain(column: pa.StringArray) -> pa.StringArray:
    """Lower case, without punctuation and symbols; as it is where nothing would be left (a space, if that is blank)."""
    plain = pc.utf8_trim(pc.replace_substring_regex(pc.utf8_lower(column), _NO_WORD, " "), " ")
    for instead in (pc.utf8_trim(column, " "), " "):
        plain = pc.if_else(pc.equal(pc.binary_length(plain), 0), instead, plain)
    return plain


def _characters(column: pa.StringArray) -> tuple[_Hashes, _Offsets]:
    """The code points of all texts, one after another, and how many each text has."""
    joined = TextColumn(column).data.tobytes().decode()
    codes = np.frombuffer(joined.encode("utf-32-le"), np.uint32).astype(np.uint64)
    return codes, pc.utf8_length(column).to_numpy(zero_copy_only=False).astype(np.int64)


def _words(characters: _Hashes, lengths: _Offsets) -> tuple[_Hashes, _Offsets]:
    """A hash for each word of all texts, and how many words each text has."""
    offsets = np.cumsum(lengths) - lengths
    is_space = characters == ord(" ")
    starts = np.zeros(len(characters), np.bool_)
    starts[1:] = is_space[:-1]
    starts[offsets] = True
    begins = np.flatnonzero(starts)
    place = np.arange(len(characters)) - np.repeat(begins, np.diff(np.append(begins, len(characters))))
    powers = np.cumprod(np.full(int(place.max(initial=0)) + 1, _BASE, np.uint64))
    parts = np.where(is_space, np.uint64(0), characters * powers[place])
    return _mix(np.add.reduceat(parts, begins)), np.add.reduceat(starts, offsets, dtype=np.int64)


def _mix(hashes: _Hashes) -> _Hashes:
    """Spread every bit over all of them: the finalizer of SplitMix64 (Steele, Lea, Flood 2014)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
