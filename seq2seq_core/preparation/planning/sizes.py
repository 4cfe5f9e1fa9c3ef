"""The size of a corpus in; into how many shards it is dealt, and how many parts of an input a unit takes, out.

Each shard reads its rows of each unit, so the pieces of all staged files are units times shards. Were both of one size
whatever the corpus, ten times the rows would make a hundred times as many pieces. So, beyond 512 MiB of text, both
grow as its square root does, and the pieces as the corpus. They stop growing where a worker has to hold them: a unit at
128 MiB of text (at 8 GiB of corpus), which is a run of a staged file and what staging holds, and a shard at as much (at
128 GiB), of which building takes some six times as much memory. Pieces become smaller from there on, down to 128 KiB at
128 GiB of corpus, and 12 KiB at a TiB.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from seq2seq_core.corpora.terms.index import FileIndex
from seq2seq_core.files.compression import text_bytes

PART_ROWS = 250_000
"""Lines from cut to cut, where a recipe says nothing."""

_SMALL_BYTES = 512 << 20
_SHARD_BYTES = 8 << 20
_UNIT_BYTES = 32 << 20
_MOST_BYTES = 128 << 20
_MOST_SHARDS = 99_998


def default_shards(total: int) -> int:
    """Into how many shards so many bytes of text are dealt: an even number, as that of most machines' cores."""
    count = math.ceil(total / _grown(_SHARD_BYTES, total))
    return min(_MOST_SHARDS, count + count % 2 if count > 1 else count)


def parts_a_unit(total: int, files: Sequence[FileIndex]) -> int:
    """How many neighbouring parts of an input one unit takes, of a corpus of so many bytes of text."""
    parts = max(1, len(files[0].cuts) - 1)
    size = total_bytes([files]) / parts
    return max(1, int(_grown(_UNIT_BYTES, total) / max(1, size))) if total > _SMALL_BYTES else 1


def total_bytes(inputs: Iterable[Sequence[FileIndex]]) -> int:
    """About how many bytes of text some inputs hold, or of what they name."""
    return sum(
        text_bytes(file.url, file.bytes) if file.data_bytes is None else file.data_bytes
        for files in inputs
        for file in files
    )


def _grown(size: int, total: int) -> float:
    """The size of a shard or unit of a small corpus, for one of so many bytes of text."""
    return min(max(size, _MOST_BYTES), size * math.sqrt(max(1.0, total / _SMALL_BYTES)))
