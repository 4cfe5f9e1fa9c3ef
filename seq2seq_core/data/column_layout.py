"""Shards in; where the tokens and offsets of each stand in the flat files that hold all of them, out.

    source.tokens    uint16 or uint32, the tokens of all rows of all shards, one after the other
    source.offsets   int64, rows + 1: row i has tokens offsets[i] to offsets[i + 1]
    target.tokens, target.offsets

What the manifest says of the shards decides every place, so a shard can be written before, after and again beside the
others, and two processes that write the same one write the same bytes to the same place.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import ShardEntry

SIDES = ("source", "target")
FILES = tuple(f"{side}.{kind}" for side in SIDES for kind in ("tokens", "offsets"))
OFFSET = np.dtype("<i8")

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """The flat files of some shards.

    Attributes:
        shards: What the manifest says of them, in order.
        token_types: Arrow types of the ids of both sides, by side.
    """

    shards: tuple[ShardEntry, ...]
    token_types: dict[str, pa.DataType]

    @functools.cached_property
    def name(self) -> str:
        """Names the content of the files, and all there is to know of their layout."""
        lines = [f"{side} {self.token_types[side]}" for side in SIDES]
        lines += [f"{shard.digest} {shard.rows} {shard.source_tokens} {shard.target_tokens}" for shard in self.shards]
        return storage.digest_bytes("\n".join(lines).encode())

    def dtype(self, file: str) -> np.dtype[np.generic]:
        """The type of the numbers of a file."""
        side, kind = file.split(".")
        return OFFSET if kind == "offsets" else np.dtype(str(self.token_types[side])).newbyteorder("<")

    def size(self, file: str) -> int:
        """The bytes of a file."""
        return int(self._edges[file][-1]) * self.dtype(file).itemsize

    def span(self, shard: int, file: str) -> tuple[int, int]:
        """The first byte of a shard (by its place in `shards`) in a file, and that after its last."""
        begin, end = self._edges[file][shard : shard + 2].tolist()
        return begin * self.dtype(file).itemsize, end * self.dtype(file).itemsize

    def first_token(self, shard: int, side: str) -> int:
        """The number of tokens of the shards before one."""
        return int(self._edges[f"{side}.tokens"][shard])

    @functools.cached_property
    def _edges(self) -> dict[str, Rows]:
        """Where shards begin and end in each file, counted in numbers; the 0 before all rows is the first shard's."""
        rows = _edges(self.shards, lambda shard: shard.rows)
        rows[1:] += 1
        source = _edges(self.shards, lambda shard: shard.source_tokens)
        target = _edges(self.shards, lambda shard: shard.target_tokens)
        return dict(zip(FILES, (source, rows, target, rows), strict=True))


def _edges(shards: Sequence[ShardEntry], count: Callable[[ShardEntry], int]) -> Rows:
    return np.cumsum([0, *map(count, shards)], dtype=np.int64)
