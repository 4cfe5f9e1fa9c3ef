"""Lines whose first word is a key in, the keys and what follows them out: the tables of LibriSpeech and of Kaldi."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.corpora.terms.rows import MISSING_FIELD
from seq2seq_core.files.lines import Lines, decode
from seq2seq_core.records import Problem

_FIRST = r"^[ \t]*(?P<key>[^ \t]+)[ \t]*(?P<rest>.*?)[ \t\r]*$"


def first_words(batch: Lines, max_line_bytes: int) -> tuple[pa.StringArray, pa.StringArray, list[Problem]]:
    """The first word of each line, and the rest without the space around it, which may be empty.

    Both are null in a line that has no word, or cannot be read; that is a problem.
    """
    text, problems = decode(batch, max_line_bytes)
    found = pc.extract_regex(text, _FIRST)
    known = {problem.row for problem in problems}
    odd = np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False)).tolist()
    problems += [Problem(row, MISSING_FIELD, "an empty line", "a key and a text") for row in odd if row not in known]
    keys, rest = found.field("key"), found.field("rest")
    nothing = pa.scalar(None, pa.string())
    readable = found.is_valid()
    return pc.if_else(readable, keys, nothing), pc.if_else(readable, rest, nothing), problems
