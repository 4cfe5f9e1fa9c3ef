"""A Parquet shard in, its token columns as memory-mapped flat arrays out, decoded once a machine.

Each shard has a folder of the cache that is named by the shard's digest:

    <cache>/columns-1/<digest>/source.tokens.npy    uint16 or uint32, the tokens of all rows
                               source.offsets.npy   int64, rows + 1: row i has tokens offsets[i] to offsets[i + 1]
                               target.tokens.npy, target.offsets.npy
                               digests.json         xxh3-128 of the four files

A folder is renamed into place when it is whole, and every file is compared with its digest before it is used: what a
killed process, a full disk or a broken one left behind is set aside, and the shard decoded again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.shards.manifest import ShardEntry
from seq2seq_core.shards.reader import Dataset, row_groups

_FORMAT = "columns-1"
_FILES = tuple(f"{side}.{kind}.npy" for side in ("source", "target") for kind in ("tokens", "offsets"))
_ATTEMPTS = 5
_BLOCK_BYTES = 1 << 22
_DIGEST = re.compile("[0-9a-f]{32}")

_log = logging.getLogger(__name__)

Tokens = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Piece:
    """One side of one shard: row i has `tokens[offsets[i] : offsets[i + 1]]`."""

    tokens: Tokens
    offsets: npt.NDArray[np.int64]


def cache_folder() -> Path:
    """Where decoded columns are kept: `$SEQ2SEQ_CACHE`, or `~/.cache/seq2seq`."""
    return Path(os.environ.get("SEQ2SEQ_CACHE") or Path.home() / ".cache" / "seq2seq")


def open_shard(dataset: Dataset, entry: ShardEntry, cache: Path) -> tuple[Piece, Piece]:
    """Map source and target of a shard; several processes may do so at once.

    Raises:
        DatasetError: The shard is missing or not what the manifest says.
        StorageError: The cache cannot be written.
    """
    if not _DIGEST.fullmatch(entry.digest):
        raise DatasetError("not a digest", where=entry.path, found=entry.digest, expected="32 hexadecimal digits")
    return _ShardCache(dataset, entry, cache / _FORMAT).open()


class _ShardCache:
    """The place of one shard in the cache."""

    def __init__(self, dataset: Dataset, entry: ShardEntry, parent: Path) -> None:
        self._dataset = dataset
        self._entry = entry
        self._where = storage.redact(storage.join(dataset.root, entry.path))
        self._parent = parent
        self._folder = parent / entry.digest
        self._temporary = f".{entry.digest}.making-"

    def open(self) -> tuple[Piece, Piece]:
        try:
            self._parent.mkdir(parents=True, exist_ok=True)
            for _ in range(_ATTEMPTS):
                pieces = self._mapped()
                if pieces is not None:
                    return pieces
                self._make()
        except OSError as error:
            raise self._unusable(error) from error
        raise self._unusable("damaged files, again and again")

    def _unusable(self, found: object) -> StorageError:
        advice = "Free space there, or set SEQ2SEQ_CACHE to a folder on a sound local disk."
        return StorageError("the cache of columns cannot be used", where=str(self._folder), found=found, advice=advice)

    def _mapped(self) -> tuple[Piece, Piece] | None:
        """The arrays in the cache; None when they are not there or not right."""
        if not self._folder.exists():
            return None
        try:
            self._check_digests()
            source, target = (self._piece(side, count) for side, count in self._counts())
        except (FileNotFoundError, ValueError, KeyError, TypeError, StorageError) as error:
            _log.warning("%s is damaged and made again: %s", self._folder, error)
            return None
        return source, target

    def _check_digests(self) -> None:
        digests = json.loads((self._folder / "digests.json").read_bytes())
        for name in _FILES:
            if storage.digest_file(str(self._folder / name)) != digests[name]:
                raise ValueError(f"{name} does not have its digest")

    def _piece(self, side: str, count: int) -> Piece:
        tokens, offsets = (
            np.load(self._folder / f"{side}.{kind}.npy", mmap_mode="r").view(np.ndarray)
            for kind in ("tokens", "offsets")
        )
        if (len(offsets) - 1, len(tokens), offsets[-1]) != (self._entry.rows, count, count):
            raise ValueError(f"{len(offsets) - 1} rows and {len(tokens)} tokens of {side}")
        return Piece(tokens, offsets)

    def _counts(self) -> tuple[tuple[str, int], ...]:
        """The sides and how many tokens each has."""
        return ("source", self._entry.source_tokens), ("target", self._entry.target_tokens)

    def _make(self) -> None:
        """Decode the shard beside its place and rename; with several at work the first wins, and all are equal."""
        with self._alone():
            if self._mapped() is not None:
                return
            with tempfile.TemporaryDirectory(dir=self._parent, prefix=self._temporary) as temporary:
                made = Path(temporary) / "made"
                made.mkdir()
                self._decode(made)
                if not _renamed(made, self._folder) and self._mapped() is None:
                    with contextlib.suppress(FileNotFoundError):
                        self._folder.rename(Path(temporary) / "damaged")
                    _renamed(made, self._folder)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process of the machine at a time; where files cannot be locked, several do the same work."""
        with (self._parent / f".{self._entry.digest}.lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                _log.debug("no locks in %s: %s", self._parent, error)
            else:
                self._sweep()
            yield

    def _sweep(self) -> None:
        """Remove what killed processes left; only the one who holds the lock may."""
        for left in self._parent.glob(f"{self._temporary}*"):
            shutil.rmtree(left, ignore_errors=True)

    def _decode(self, folder: Path) -> None:
        _log.info("decoding %s", self._where)
        with tempfile.TemporaryFile(dir=folder.parent) as copy:
            self._fetch(copy)
            for side, count in self._counts():
                self._decode_side(copy, folder, side, count)
        digests = {name: storage.digest_file(str(folder / name)) for name in _FILES}
        (folder / "digests.json").write_text(json.dumps(digests, indent=1))

    def _fetch(self, copy: IO[bytes]) -> None:
        """Copy the shard: what is decoded is then exactly what was compared with the digest."""
        state = xxhash.xxh3_128()
        with self._dataset.open_file(self._entry) as file:
            while block := file.read(_BLOCK_BYTES):
                state.update(block)
                copy.write(block)
        self._expect("digest", state.hexdigest(), self._entry.digest)

    def _decode_side(self, file: IO[bytes], folder: Path, side: str, count: int) -> None:
        lengths = [np.zeros(1, np.int64)]
        with (folder / f"{side}.tokens.npy").open("wb") as out:
            for index, table in enumerate(row_groups(file, self._where, self._entry.rows, [side])):
                flat = _flat(table.column(side))
                if index == 0:
                    header = {"descr": flat.dtype.str, "fortran_order": False, "shape": (count,)}
                    np.lib.format.write_array_header_1_0(out, header)
                flat.tofile(out)
                lengths.append(pc.list_value_length(table.column(side)).to_numpy())
        offsets = np.cumsum(np.concatenate(lengths), dtype=np.int64)
        self._expect(f"number of {side} tokens", int(offsets[-1]), count)
        np.save(folder / f"{side}.offsets.npy", offsets)

    def _expect(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            advice = "Restore the file, or prepare the dataset again."
            raise DatasetError(f"wrong {what}", where=self._where, found=found, expected=expected, advice=advice)


def _renamed(made: Path, folder: Path) -> bool:
    """Give a folder its name; False when there is another of that name."""
    try:
        made.rename(folder)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise
    return True


def _flat(column: pa.ChunkedArray) -> Tokens:
    tokens: Tokens = pc.list_flatten(column).to_numpy()
    return tokens
