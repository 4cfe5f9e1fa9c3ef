"""A dataset and names of inputs in (what they hold, what they are called); which it has seen out.

Of generations as they were added the manifest says it. Of those that are folded into one a run of names stands beside
it, which is asked for the names alone: it costs the same however many inputs there were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import GenerationEntry, Manifest, SourceEntry
from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.preparation.known.rows import stand_in


def seen(root: str, manifest: Manifest | None, names: Collection[str]) -> set[str]:
    """Those of some names (32 hexadecimal digits) that a dataset knows."""
    if manifest is None:
        return set()
    inline = {name for entry in manifest.generations for name in names_of(entry)}
    found = inline.intersection(names)
    runs = tuple(entry.folded.names for entry in manifest.generations if entry.folded is not None)
    rest = sorted({*names} - found)
    if runs:
        there = stand_in(root, runs, octets_of(rest))
        found |= {name for name, is_there in zip(rest, there.tolist(), strict=True) if is_there}
    return found


def names_of(entry: GenerationEntry) -> Iterator[str]:
    """What the sources of a generation are known by, as far as they stand in its entry."""
    yield from names_of_sources(entry.inputs)


def names_of_sources(sources: Iterable[SourceEntry]) -> Iterator[str]:
    """Keys of corpora, and the names of all."""
    for source in sources:
        yield name_of_origin(source.origin)
        if source.role == "train":
            yield source.key


def name_of_origin(origin: str) -> str:
    """What stands for a value of the column `origin`."""
    return storage.digest_bytes(f"origin\n{origin}".encode())


def octets_of(names: Collection[str]) -> npt.NDArray[np.uint8]:
    """Names as digests (uint8, names x 16)."""
    return np.frombuffer(bytes.fromhex("".join(names)), np.uint8).reshape(-1, ID_BYTES)
