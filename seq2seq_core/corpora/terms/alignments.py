"""Texts such as `0-0 1-2` in, pairs of aligned words out: the form of Pharaoh, fast_align and eflomal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.records import ALIGNMENTS, Problem

BAD_ALIGNMENT = "bad_alignment"
_PAIRS = r"^([0-9]{1,6}-[0-9]{1,6}([ \t]+|$))*$"
_EXPECTED = "pairs of words from 0 on, such as 0-0 1-2"


def parse_alignments(column: pa.StringArray) -> tuple[pa.ListArray, list[Problem]]:
    """The pairs of each row, in their order; of one without any there are none, and one that cannot be read is listed.

    A null is a row without a text of pairs: a reader has told so of it, or it has none.
    """
    shown = pc.utf8_trim_whitespace(column)
    good = pc.fill_null(pc.match_substring_regex(shown, _PAIRS), False)
    words = pc.utf8_split_whitespace(pc.if_else(good, shown, ""))
    counts = pc.if_else(pc.equal(pc.binary_length(shown), 0), 0, pc.list_value_length(words))
    counts = pc.if_else(good, counts, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    texts = words.flatten()
    numbers = pc.split_pattern(texts.filter(pc.not_equal(texts, "")), "-").flatten().cast(pa.int32())
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(2 * counts)])
    pairs = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), numbers).cast(ALIGNMENTS)
    rows = np.flatnonzero(~good.to_numpy(zero_copy_only=False))
    found = column.take(pa.array(rows)).to_pylist()
    return pairs, [
        Problem(int(row), BAD_ALIGNMENT, "no alignment" if text is None else f"alignment {text!s:.100}", _EXPECTED)
        for row, text in zip(rows, found, strict=True)
    ]


def beyond(
    pairs: pa.ListArray, source_words: npt.NDArray[np.int64], target_words: npt.NDArray[np.int64]
) -> list[Problem]:
    """The rows with a pair of words that are not there.

    Args:
        pairs: Of each row.
        source_words: How many words its source has.
        target_words: How many its target has.
    """
    numbers = pairs.flatten().to_numpy().reshape(-1, 2)
    rows = np.repeat(np.arange(len(pairs)), np.diff(pairs.offsets.to_numpy()) // 2)
    words = np.stack([source_words, target_words], axis=1)
    wrong = np.flatnonzero((numbers >= words[rows]).any(axis=1))
    first = {int(rows[place]): numbers[place] for place in wrong[::-1]}
    return [
        Problem(
            row, BAD_ALIGNMENT, f"alignment {i}-{j}", f"words 0 to {words[row][0] - 1} and 0 to {words[row][1] - 1}"
        )
        for row, (i, j) in sorted(first.items())
    ]
