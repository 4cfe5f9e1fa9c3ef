"""Parquet shards in, their columns as flat memory-mapped arrays out, decoded once a machine.

All shards of a split, of all its generations, stand in one folder, which is named by the first shard that has rows:

    <cache>/columns-3/<name>/source.values, source.offsets, target.values, target.offsets   see `column_layout`
                             sections.jsonl   a line a shard: its place, and xxh3-128 of what it has in each file
                             checked.json     when all of it was last compared, and how the files looked then
                             lock

A new generation goes behind what is there. A shard has a line when its bytes are written. Lines are believed when the
bytes have their digests, so what a killed process, a full disk or a broken one left behind is decoded again, at its
place, and nothing else is. While the files look as they did (size, times, inode) they are compared once a day and
machine, not at each start of each process.

What was right once is never written over with anything else, as another process may have it mapped: where notes are
lost, shards go behind all bytes that are there. Where files cannot be locked, processes do not add to one folder. Each
dataset then has one of its own, in which the manifest decides the places: all write the same bytes to the same place.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from seq2seq_core import storage
from seq2seq_core.data.cache_folder import alone, mapped, unusable
from seq2seq_core.data.column_journal import Noted, add_note, read_notes
from seq2seq_core.data.column_layout import OFFSET, End, Kept, Key, Layout, Runs, Section, files_of
from seq2seq_core.data.column_writer import ColumnWriter, expect
from seq2seq_core.dataset.manifest import ShardEntry
from seq2seq_core.dataset.reader import Dataset, row_groups

_FORMAT = "columns-3"
_EARLIER_FORMATS = ("columns-1", "columns-2")
_BLOCK_BYTES = 1 << 22
_TRUSTED_SECONDS = 86_400

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Flat:
    """One column of all shards: row i has `values[offsets[i] : offsets[i + 1]]`.

    `values` has one axis where a position is one number, and two (positions x width) where it is more.
    """

    values: npt.NDArray[Any]
    offsets: npt.NDArray[np.int64]


class OpenedShards(NamedTuple):
    """Columns of some shards, and where their rows stand in them."""

    columns: tuple[Flat, ...]
    runs: Runs


class _Checked(NamedTuple):
    """When all files were compared, how many sections there were, and how the files looked; nothing at first."""

    time: float = 0.0
    sections: int = 0
    files: dict[str, list[int]] = {}


def open_shards(dataset: Dataset, shards: Sequence[ShardEntry], cache: Path, more: Sequence[Kept] = ()) -> OpenedShards:
    """Map both sides, and more columns, of all rows of some shards of a dataset; several processes may do so at once.

    Raises:
        DatasetError: A shard is missing or not what the manifest says.
        StorageError: The cache cannot be written.
    """
    layout, parent = Layout((*dataset.manifest.sides.values(), *more)), cache / _FORMAT
    first = next((shard for shard in shards if shard.rows), None)
    shared = _Shards(dataset, layout, shards, parent / layout.name([first] if first else []))
    return shared.open() or _FixedShards(dataset, layout, shards, parent / f"{layout.name(shards)}-fixed").opened()


class _Shards:
    """Some shards in a folder of the cache."""

    def __init__(self, dataset: Dataset, layout: Layout, shards: Sequence[ShardEntry], folder: Path) -> None:
        self._dataset, self._layout, self._folder = dataset, layout, folder
        self._keys = [layout.key(shard) for shard in shards]
        self._shards = dict(zip(self._keys, shards, strict=True))
        self._notes, self._note = folder / "sections.jsonl", folder / "checked.json"

    def open(self) -> OpenedShards | None:
        """The shards; None where something is to be added and files cannot be locked."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            found = self._trusted()
            if found is None:
                with alone(self._folder) as is_alone:
                    found = self._trusted() or self._completed(may_write=is_alone)
            return None if found is None else self._mapped(found)
        except OSError as error:
            raise unusable(self._folder, error) from error

    def _trusted(self) -> dict[Key, Section] | None:
        """The sections, where all are there and were compared while the files looked as they do, not long ago."""
        checked, noted = self._checked(), read_notes(self._notes).sound
        return noted if self._are_as(checked) and all(key in noted for key in self._keys) else None

    def _mapped(self, found: dict[Key, Section]) -> OpenedShards:
        sections = [found[key] for key in self._keys]
        end = self._layout.end(sections)
        columns = zip(self._layout.kept, end.firsts, strict=True)
        return OpenedShards(tuple(self._flat(kept, end.row + 1, count) for kept, count in columns), Runs(sections))

    def _flat(self, kept: Kept, rows: int, count: int) -> Flat:
        values_name, offsets_name = files_of(kept)
        element = kept.element
        shape = (count,) if element.width == 1 else (count, element.width)
        if rows == 1:  # no row: there may be no files
            return Flat(np.zeros(shape, element.dtype), np.zeros(1, OFFSET))
        values = self._numbers(values_name, element.dtype, count * element.width)
        return Flat(values.reshape(shape), self._numbers(offsets_name, OFFSET, rows))

    def _numbers(self, file: str, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        buffer = mapped(self._folder / file)
        if buffer.size < count * dtype.itemsize:
            raise OSError(f"{file} has {buffer.size} bytes")
        return np.frombuffer(buffer, dtype, count)

    def _checked(self) -> _Checked:
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            found = json.loads(self._note.read_bytes())
            return _Checked(float(found["time"]), int(found["sections"]), dict(found["files"]))
        return _Checked()

    def _are_as(self, checked: _Checked) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return 0 <= time.time() - checked.time < _TRUSTED_SECONDS and checked.files == self._looks()
        return False

    def _looks(self) -> dict[str, list[int]]:
        found = {file: (self._folder / file).stat() for file in (*self._layout.files, self._notes.name)}
        return {file: [s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for file, s in found.items()}

    def _trust(self, sections: int, since: float) -> None:
        """Note that the files are right; where that cannot be written, the next process compares them again."""
        try:
            looks = self._looks()
            self._note.write_text(json.dumps({"time": since, "sections": sections, "files": looks}))
        except OSError as error:
            _log.debug("%s cannot be written: %s", self._note, error)

    def _completed(self, *, may_write: bool) -> dict[Key, Section] | None:
        """The sections, when what is there is compared and what is not there, or not right, decoded."""
        checked, noted = self._checked(), read_notes(self._notes)
        was_right = self._are_as(checked)
        sound = noted.sound if was_right else {k: s for k, s in noted.sound.items() if self._is_sound(s)}
        missing = [key for key in self._shards if key not in sound]
        lost = len(noted.sections) < checked.sections
        if may_write and (lost or len(sound) < len(noted.sound)):
            _log.warning("%s is damaged and made again: %d shards", self._folder, len(missing))
        if missing and not may_write:
            return None
        if may_write:
            self._disown(noted, sound)
        if missing:
            sound |= self._decode_all(missing, noted, lost=lost or not noted.is_whole)
        self._trust(len(noted.sections.keys() | sound), checked.time if was_right else time.time())
        return sound

    def _is_sound(self, section: Section) -> bool:
        return self._digests(section) == section.digests

    def _digests(self, section: Section) -> tuple[str, ...]:
        """xxh3-128 of what a section has in each file."""
        spans = self._layout.spans(section)
        return tuple(_digest(self._folder / file, *spans[file]) for file in self._layout.files)

    def _disown(self, noted: Noted, sound: dict[Key, Section]) -> None:
        """Note which sections are damaged that cannot be mended here: of shards that only another dataset has."""
        for key, section in noted.sound.items():
            if key not in sound and key not in self._shards:
                add_note(self._notes, dataclasses.replace(section, digests=()))

    def _decode_all(self, missing: Sequence[Key], noted: Noted, *, lost: bool) -> dict[Key, Section]:
        self._name_earlier()
        decoded: dict[Key, Section] = {}
        with contextlib.ExitStack() as stack:
            files = {file: stack.enter_context(_opened(self._folder / file)) for file in self._layout.files}
            end = self._layout.end(noted.sections.values())
            if lost:
                sizes = {file: os.fstat(out.fileno()).st_size for file, out in files.items()}
                end = End(end.row + 1, end.firsts).beyond(self._layout.end_of_bytes(sizes))
            for key in missing:
                section = noted.sections.get(key) or self._place(key, end)
                decoded[key] = self._decode(section, files)
                end = end.beyond(self._layout.end([section]))
            for out in files.values():
                os.fsync(out.fileno())
        return decoded

    def _place(self, key: Key, end: End) -> Section:
        """Where a shard goes that was never there."""
        return Section(*key, end.row, end.firsts)

    def _name_earlier(self) -> None:
        for left in (self._folder.parents[1] / name for name in _EARLIER_FORMATS):
            if left.is_dir():
                _log.info("%s is from an earlier version and not used any more: it may be deleted", left)

    def _decode(self, section: Section, files: dict[str, IO[bytes]]) -> Section:
        entry = self._shards[section.key]
        where = storage.redact(storage.join(self._dataset.root, entry.path))
        _log.info("decoding %s", where)
        places = zip(self._layout.kept, section.firsts, section.counts, strict=True)
        writers = [ColumnWriter(kept, (section.first_row, first), count, files, where) for kept, first, count in places]
        with tempfile.TemporaryFile(dir=self._folder) as copy:
            self._fetch(entry, copy, where)
            for table in row_groups(copy, where, entry.rows, self._layout.columns):
                for name, writer in zip(self._layout.columns, writers, strict=True):
                    writer.write(table.column(name))
        digests = tuple(digest for writer in writers for digest in writer.finish())
        decoded = dataclasses.replace(section, digests=digests)
        add_note(self._notes, decoded)
        return decoded

    def _fetch(self, entry: ShardEntry, copy: IO[bytes], where: str) -> None:
        """Copy a shard: what is decoded is then exactly what was compared with the digest."""
        state = xxhash.xxh3_128()
        for block in self._dataset.blocks(entry):
            state.update(block)
            copy.write(block)
        expect("digest", state.hexdigest(), entry.digest, where)


class _FixedShards(_Shards):
    """Some shards in a folder that is theirs alone, each at the place that the manifest gives it."""

    def opened(self) -> OpenedShards:
        """The shards; several processes that write them at once write the same."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._mapped(self._trusted() or self._completed(may_write=True) or {})
        except OSError as error:
            raise unusable(self._folder, error) from error

    def _place(self, key: Key, end: End) -> Section:
        before = self._keys[: self._keys.index(key)]
        counts = [sum(column) for column in zip(*(counts for _, _, counts in before), strict=True)]
        return Section(*key, sum(rows for _, rows, _ in before), tuple(counts or [0] * len(end.firsts)))


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
