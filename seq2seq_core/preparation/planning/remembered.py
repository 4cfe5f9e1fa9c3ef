"""How inputs looked in, kept beside the generation that read them; which of some looks are known out.

It is no part of the dataset, as it differs from run to run: how a file looks is told by the time at which it was
written, or says nothing yet. Where it is lost, inputs are read again, and known by what they hold.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import GenerationEntry, Manifest
from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.preparation.planning.seen import octets_of
from seq2seq_core.preparation.terms.octets import Digests, to_column


def remember(root: str, entry: GenerationEntry, looks: Collection[str]) -> None:
    """Keep how the inputs of a generation looked (32 hexadecimal digits each)."""
    _publish(root, entry, octets_of(sorted(looks)))


def remember_together(root: str, entry: GenerationEntry, of: Sequence[GenerationEntry]) -> None:
    """Keep for generations that are folded into one what stands beside each of them."""
    _publish(root, entry, np.unique(np.concatenate([_read(root, one) for one in of]), axis=0))


def remembered(root: str, manifest: Manifest | None, looks: Collection[str]) -> set[str]:
    """Those of some looks that an input of a dataset had when it was read."""
    found: set[str] = set()
    for entry in () if manifest is None else manifest.generations:
        left = sorted({*looks} - found)
        there = pc.is_in(to_column(octets_of(left)), value_set=to_column(_read(root, entry)))
        found |= {look for look, is_there in zip(left, there.to_pylist(), strict=True) if is_there}
    return found


def _publish(root: str, entry: GenerationEntry, digests: Digests) -> None:
    if len(digests):
        storage.publish_bytes(storage.join(root, entry.looks_path), digests.tobytes())


def _read(root: str, entry: GenerationEntry) -> Digests:
    """All of them; what is cut off behind the last whole one says nothing."""
    data = storage.read_if_there(storage.join(root, entry.looks_path)) or b""
    return np.frombuffer(data[: len(data) // ID_BYTES * ID_BYTES], np.uint8).reshape(-1, ID_BYTES)
