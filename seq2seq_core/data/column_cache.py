"""Parquet shards in, their token columns as flat memory-mapped arrays out, decoded once a machine.

The shards of one generation of a split stand in one folder, named by their digests, whatever their number is:

    <cache>/columns-2/<name>/source.tokens, source.offsets, target.tokens, target.offsets   see `column_layout`
                             sections.jsonl   a line a shard: xxh3-128 of what it has in each of the four files
                             checked.json     when all of it was last compared, and how the four files looked then
                             lock

A shard has a line when its bytes are written. Lines are believed when the bytes have their digests, so what a killed
process, a full disk or a broken one left behind is decoded again, and nothing else is. While the four files look as
they did (size, times, inode) they are compared once a day and machine, not at each start of each process.

The arrays hold no file open: neither files nor maps are more for more shards.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from seq2seq_core import storage
from seq2seq_core.data.column_layout import FILES, SIDES, Layout
from seq2seq_core.data.column_writer import SideWriter, expect
from seq2seq_core.dataset.manifest import ShardEntry
from seq2seq_core.dataset.reader import Dataset, row_groups
from seq2seq_core.errors import StorageError
from seq2seq_core.tokenizer.vocabulary import token_type

_FORMAT = "columns-2"
_EARLIER_FORMAT = "columns-1"
_BLOCK_BYTES = 1 << 22
_TRUSTED_SECONDS = 86_400
_ELSEWHERE = "set SEQ2SEQ_CACHE to a folder on a sound local disk."
_ADVICE = {
    errno.ENOSPC: f"Free space there, or {_ELSEWHERE}",
    errno.EDQUOT: f"Free space there, or {_ELSEWHERE}",
    errno.EMFILE: "Raise the number of files a process may have open (`ulimit -n`).",
    errno.ENFILE: "Raise the number of files this machine may have open.",
}

_log = logging.getLogger(__name__)

Tokens = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Piece:
    """One side of the shards of a generation: row i has `tokens[offsets[i] : offsets[i + 1]]`."""

    tokens: Tokens
    offsets: npt.NDArray[np.int64]


def cache_folder() -> Path:
    """Where decoded columns are kept: `$SEQ2SEQ_CACHE`, or `~/.cache/seq2seq`.

    Raises:
        StorageError: It is no local folder, or neither is known: a container may have a user without a home.
    """
    named = os.environ.get("SEQ2SEQ_CACHE")
    try:
        return storage.local_path(named) if named else Path.home() / ".cache" / "seq2seq"
    except RuntimeError:
        raise StorageError(
            "no folder for the cache of columns",
            found="a user without a home directory",
            advice="Set SEQ2SEQ_CACHE to a folder on a local disk.",
        ) from None


def open_shards(dataset: Dataset, shards: tuple[ShardEntry, ...], cache: Path) -> tuple[Piece, Piece]:
    """Map source and target of all rows of some shards of a dataset; several processes may do so at once.

    Raises:
        DatasetError: A shard is missing or not what the manifest says.
        StorageError: The cache cannot be written.
    """
    manifest = dataset.manifest
    sizes = [entry.vocabulary_size for entry in manifest.tokenizers.values()]
    layout = Layout(shards, dict(zip(SIDES, map(token_type, sizes), strict=True)))
    return _Part(dataset, layout, cache / _FORMAT).open()


class _Part:
    """The folder of some shards in the cache."""

    def __init__(self, dataset: Dataset, layout: Layout, parent: Path) -> None:
        self._dataset = dataset
        self._layout = layout
        self._folder = parent / layout.name
        self._sections = self._folder / "sections.jsonl"
        self._checked = self._folder / "checked.json"

    def open(self) -> tuple[Piece, Piece]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._is_trusted():
                with self._alone():
                    if not self._is_trusted():
                        self._complete()
            source, target = map(self._piece, SIDES)
        except OSError as error:
            raise self._unusable(error) from error
        return source, target

    def _unusable(self, error: OSError) -> StorageError:
        advice = _ADVICE.get(error.errno or 0, f"{_ELSEWHERE[0].upper()}{_ELSEWHERE[1:]}")
        return StorageError("the cache of columns cannot be used", where=str(self._folder), found=error, advice=advice)

    def _piece(self, side: str) -> Piece:
        return Piece(self._mapped(f"{side}.tokens"), self._mapped(f"{side}.offsets"))

    def _mapped(self, file: str) -> npt.NDArray[Any]:
        """The numbers of a file; Arrow's map, unlike NumPy's, keeps no descriptor."""
        with pa.memory_map(str(self._folder / file)) as opened:
            if opened.size() != self._layout.size(file):
                raise OSError(f"{file} has {opened.size()} bytes")
            return np.frombuffer(opened.read_buffer(), self._layout.dtype(file))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process of the machine at a time; where files cannot be locked, several do the same work."""
        with contextlib.ExitStack() as stack:
            try:
                fcntl.flock(stack.enter_context((self._folder / "lock").open("ab")), fcntl.LOCK_EX)
            except OSError as error:
                _log.debug("no lock in %s: %s", self._folder, error)
            yield

    def _is_trusted(self) -> bool:
        """Whether the files look as they did when they were compared with all digests, not long ago."""
        try:
            checked = json.loads(self._checked.read_bytes())
            is_fresh = 0 <= time.time() - checked["time"] < _TRUSTED_SECONDS
            return is_fresh and bool(checked["files"] == self._looks())
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False

    def _looks(self) -> dict[str, list[int]]:
        found = {file: (self._folder / file).stat() for file in FILES}
        return {file: [s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for file, s in found.items()}

    def _trust(self, looks: dict[str, list[int]]) -> None:
        """Note that the files are right; where that cannot be written, the next process compares them again."""
        try:
            self._checked.write_text(json.dumps({"time": time.time(), "files": looks}))
        except OSError as error:
            _log.debug("%s cannot be written: %s", self._checked, error)

    def _complete(self) -> None:
        """Compare all that is there with its digests, and decode what is not there or not right."""
        fits = self._fits()
        looks = self._looks() if fits else {}
        noted = self._noted()
        sound = {shard for shard, digests in noted.items() if self._digests(shard) == digests}
        missing = [shard for shard in range(len(self._layout.shards)) if shard not in sound]
        if len(sound) < len(noted) or (self._checked.exists() and (missing or not fits)):
            _log.warning("%s is damaged and made again: %d shards", self._folder, len(missing))
        if missing or not fits:
            self._decode_all(missing)
            looks = self._looks()
        self._trust(looks)

    def _fits(self) -> bool:
        """Whether all files are there and neither too short nor too long."""
        paths = {file: self._folder / file for file in FILES}
        return all(path.exists() and path.stat().st_size == self._layout.size(file) for file, path in paths.items())

    def _noted(self) -> dict[int, list[str]]:
        noted: dict[int, list[str]] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in self._sections.read_bytes().splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):  # a killed process leaves half a line
                    noted.update({(section := json.loads(line))["shard"]: section["digests"]})
        return {shard: digests for shard, digests in noted.items() if shard in range(len(self._layout.shards))}

    def _digests(self, shard: int) -> list[str]:
        """xxh3-128 of what a shard has in each file."""
        return [_digest(self._folder / file, *self._layout.span(shard, file)) for file in FILES]

    def _decode_all(self, missing: list[int]) -> None:
        if missing and (self._folder.parents[1] / _EARLIER_FORMAT).is_dir():
            left = self._folder.parents[1] / _EARLIER_FORMAT
            _log.info("%s is from an earlier version and not used any more: it may be deleted", left)
        with contextlib.ExitStack() as stack:
            files = {file: stack.enter_context(_opened(self._folder / file)) for file in FILES}
            for shard in missing:
                self._decode(shard, files)
            for file, out in files.items():
                out.truncate(self._layout.size(file))
                os.fsync(out.fileno())

    def _decode(self, shard: int, files: dict[str, IO[bytes]]) -> None:
        entry = self._layout.shards[shard]
        where = storage.redact(storage.join(self._dataset.root, entry.path))
        _log.info("decoding %s", where)
        writers = {side: SideWriter(self._layout, shard, side, files, where) for side in SIDES}
        with tempfile.TemporaryFile(dir=self._folder) as copy:
            self._fetch(entry, copy, where)
            for table in row_groups(copy, where, entry.rows, SIDES):
                for side, writer in writers.items():
                    writer.write(table.column(side))
        digests = [digest for writer in writers.values() for digest in writer.finish()]
        with self._sections.open("a") as out:
            out.write(f"\n{json.dumps({'shard': shard, 'digests': digests})}")

    def _fetch(self, entry: ShardEntry, copy: IO[bytes], where: str) -> None:
        """Copy a shard: what is decoded is then exactly what was compared with the digest."""
        state = xxhash.xxh3_128()
        for block in self._dataset.blocks(entry):
            state.update(block)
            copy.write(block)
        expect("digest", state.hexdigest(), entry.digest, where)


def _opened(path: Path) -> IO[bytes]:
    """A file to write into at any place, made when it is not there."""
    path.touch()
    return path.open("r+b")


def _digest(path: Path, begin: int, end: int) -> str:
    """xxh3-128 of some bytes of a file; of those that are there, when there are not so many."""
    state = xxhash.xxh3_128()
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(begin)
        while block := file.read(min(_BLOCK_BYTES, end - begin)):
            state.update(block)
            begin += len(block)
    return state.hexdigest()
