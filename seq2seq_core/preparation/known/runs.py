"""Sorted entries in, one file of them out, of which those near some keys can be read alone, on any store.

An entry has a fixed width; its key is its first eight bytes, a big-endian number. The keys of a file are cut into equal
ranges. The file begins with the number of entries before each range and that of all (little-endian, 64 bits); behind
these stand the entries in the order of their keys. So whoever looks for a key reads two numbers, and then the entries
of one range: some thousand, as keys are hashes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import RunEntry, run_part
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.terms.known import Cut, KnownPart
from seq2seq_core.storage import Range

Entries = npt.NDArray[np.uint8]  # entries x width
Keys = npt.NDArray[np.uint64]
_Numbers = npt.NDArray[np.int64]

_NUMBER_BYTES = 8


def keys_of(entries: Entries) -> Keys:
    """The key of each entry."""
    return np.ascontiguousarray(entries[:, :8]).view(">u8").astype(np.uint64)[:, 0]


def in_order(entries: Entries) -> Entries:
    """The entries in the order of their keys; those of one key as they stood."""
    ordered: Entries = entries[np.argsort(keys_of(entries), kind="stable")]
    return ordered


def ranges_of(keys: Keys, count: int) -> _Numbers:
    """Which of `count` equal ranges each key falls into."""
    found: _Numbers = ((keys >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
    return found


def write_part(root: str, cut: Cut, index: int, entries: Entries) -> KnownPart:
    """Publish a file of a run; the entries are those of its range, in order."""
    places = np.arange(index * cut.ranges, (index + 1) * cut.ranges + 1)
    before = np.searchsorted(ranges_of(keys_of(entries), cut.total), places).astype("<i8")
    data = before.tobytes() + np.ascontiguousarray(entries).tobytes()
    storage.publish_bytes(storage.join(root, run_part(cut.path, index, cut.parts)), data)
    return KnownPart(index=index, rows=len(entries), bytes=len(data), digest=storage.digest_bytes(data))


def write_run(root: str, cut: Cut, entries: Entries) -> RunEntry:
    """Publish all files of a run; the entries are in any order."""
    ordered = in_order(entries)
    places = ranges_of(keys_of(ordered), cut.total) // cut.ranges
    ends = np.searchsorted(places, np.arange(cut.parts + 1)).tolist()
    pieces = enumerate(itertools.pairwise(ends))
    return run_of(cut, [write_part(root, cut, index, ordered[begin:end]) for index, (begin, end) in pieces])


def run_of(cut: Cut, parts: Sequence[KnownPart]) -> RunEntry:
    """The run whose files are finished.

    Raises:
        DatasetError: A file is missing or there twice.
    """
    parts = sorted(parts, key=lambda part: part.index)
    if [part.index for part in parts] != list(range(cut.parts)):
        found = [part.index for part in parts]
        expected = f"each of {cut.parts} once"
        raise DatasetError("files of a run are missing or there twice", where=cut.path, found=found, expected=expected)
    return RunEntry(
        path=cut.path,
        parts=cut.parts,
        ranges=cut.ranges,
        rows=sum(part.rows for part in parts),
        bytes=sum(part.bytes for part in parts),
        digest=storage.digest_bytes("".join(part.digest for part in parts).encode()),
    )


def find(root: str, run: RunEntry, width: int, keys: Keys) -> Entries:
    """The entries of all ranges of a run in which a key lies, in order: those with the key are among them.

    Raises:
        DatasetError: A file is damaged.
        StorageError: A file is missing, or the store does not answer.
    """
    wanted = np.unique(ranges_of(keys, run.parts * run.ranges))
    return _read(root, run, width, _stretches(wanted, run.ranges))


def share(root: str, run: RunEntry, width: int, index: int, count: int) -> Entries:
    """The entries of a run whose keys are in one of `count` equal ranges, in order; errors as in `find`."""
    total = run.parts * run.ranges
    first, last = index * total // count, -(-(index + 1) * total // count)
    found = _read(root, run, width, _stretches(np.arange(first, last), run.ranges))
    own: Entries = found[ranges_of(keys_of(found), count) == index]
    return own


def _stretches(wanted: _Numbers, ranges: int) -> Iterator[tuple[int, int, int]]:
    """Neighbouring ranges of a file: its number, the first, and the one behind the last."""
    parts, places = wanted // ranges, wanted % ranges
    cuts = np.flatnonzero((np.diff(parts) != 0) | (np.diff(places) != 1)) + 1
    for begin, end in itertools.pairwise([0, *cuts.tolist(), len(wanted)]):
        if begin < end:
            yield int(parts[begin]), int(places[begin]), int(places[end - 1]) + 1


def _read(root: str, run: RunEntry, width: int, stretches: Iterator[tuple[int, int, int]]) -> Entries:
    wanted = list(stretches)
    urls = [storage.join(root, run_part(run.path, part, run.parts)) for part, _, _ in wanted]
    numbers = _exactly(
        [
            Range(url, first * _NUMBER_BYTES, (end + 1) * _NUMBER_BYTES)
            for url, (_, first, end) in zip(urls, wanted, strict=True)
        ]
    )
    begin = (run.ranges + 1) * _NUMBER_BYTES
    places = [np.frombuffer(data, "<i8")[[0, -1]] * width + begin for data in numbers]
    filled = [Range(url, *place.tolist()) for url, place in zip(urls, places, strict=True) if place[0] != place[1]]
    return np.frombuffer(b"".join(_exactly(filled)), np.uint8).reshape(-1, width)


def _exactly(ranges: Sequence[Range]) -> list[bytes]:
    found = storage.read_ranges(ranges)
    for part, data in zip(ranges, found, strict=True):
        if len(data) != part.end - part.begin:
            raise DatasetError(
                "a file of known rows is damaged",
                where=storage.redact(part.url),
                found=f"{part.begin + len(data)} bytes",
                expected=f"at least {part.end}",
            )
    return found
