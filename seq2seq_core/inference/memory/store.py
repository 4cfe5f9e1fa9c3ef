"""Keys in, the rows that are kept of them out; and new rows in, kept for whoever asks next.

Several runs of this program may read, add and merge at once: a run of rows is never changed, is named by its content,
and goes only after another one that holds its rows has come. A reader that finds one gone looks again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.errors import StorageError
from seq2seq_core.inference.memory import run as runs
from seq2seq_core.inference.memory.run import KEY, Run
from seq2seq_core.preparation.known.tiers import merged_from
from seq2seq_core.preparation.terms.octets import Digests, to_column

ABOUT_NAME = "about.json"
RUN_FOLDER = "runs"

_LOOKS = 20


class Found(NamedTuple):
    """Which of the keys that were asked for are known, and a row for each of those, in the same order."""

    places: npt.NDArray[np.int64]
    rows: pa.Table


class Store:
    """Rows of one schema in a folder of any store, which is made when the first ones are added."""

    def __init__(self, root: str, schema: pa.Schema, about: Mapping[str, Any]) -> None:
        """Open it.

        Args:
            root: The folder.
            schema: The columns besides the key.
            about: What stands there in words, for people.
        """
        self._root, self._folder = root, storage.join(root, RUN_FOLDER)
        self._schema = pa.schema([pa.field(KEY, pa.binary(runs.KEY_BYTES)), *schema])
        self._about = about
        self._known: dict[str, Run] = {}
        self._own: list[Run] = []
        self._at_work = threading.Lock()

    def find(self, keys: Digests) -> Found:
        """What is kept of some keys, each of which may be asked for once.

        Raises:
            DatasetError: A file is damaged.
            StorageError: The store does not answer.
        """
        with self._at_work:
            for _ in range(_LOOKS):
                self._look()
                try:
                    return self._find(keys)
                except StorageError:
                    if all(runs.is_whole(self._folder, run) for run in self._known.values()):
                        raise
        return Found(np.zeros(0, np.int64), self._schema.empty_table())

    def add(self, keys: Digests, rows: pa.Table) -> None:
        """Keep a row for each of some keys; runs that were added here and have become many are merged."""
        if not len(keys):
            return
        with self._at_work:
            if not self._own:
                tell(self._root, self._about)
            table = rows.add_column(0, self._schema.field(KEY), to_column(keys)).cast(self._schema)
            made = runs.write(self._folder, _digest(table), [table])
            self._own += [made] if made else []
            begin = merged_from([run.rows for run in self._own])
            if begin is not None:
                merged = merge(self._folder, self._own[begin:])
                self._own[begin:] = [merged] if merged else []

    def _look(self) -> None:
        """Know the runs that stand there now."""
        names = runs.names_in(self._folder)
        records = {name: self._known.get(name) or runs.read_record(self._folder, name) for name in names}
        whole = {name: run for name, run in records.items() if run is not None}
        self._known = dict(sorted(whole.items(), key=lambda item: (-item[1].rows, item[0])))

    def _find(self, keys: Digests) -> Found:
        left = np.arange(len(keys))
        places, tables = [left[:0]], [self._schema.empty_table()]
        for run in self._known.values():
            if not len(left):
                break
            rows = runs.find_rows(self._folder, run, keys[left])
            at = pc.index_in(to_column(keys[left]), value_set=rows.column(KEY).combine_chunks())
            is_here = at.is_valid().to_numpy(zero_copy_only=False)
            if is_here.any():
                places.append(left[is_here])
                tables.append(rows.take(at.drop_null()).cast(self._schema))
                left = left[~is_here]
        return Found(np.concatenate(places), pa.concat_tables(tables))


def tell(root: str, about: Mapping[str, Any]) -> None:
    """Say what a store is of, where nobody has said so yet."""
    url = storage.join(root, ABOUT_NAME)
    if not storage.exists(url):
        storage.publish_text(url, json.dumps(about, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def merge(folder: str, some: Sequence[Run]) -> Run | None:
    """Put one run in the place of some; None, and nothing changes, where one of them has been merged by others."""
    name = storage.digest_bytes("\n".join(sorted(run.name for run in some)).encode())
    try:
        made = runs.merge(folder, name, some)
    except StorageError:
        if all(runs.is_whole(folder, run) for run in some):
            raise
        return None
    for run in some:
        runs.remove(folder, run)
    return made


def stores_in(root: str) -> Iterator[str]:
    """The folders of all stores below a folder."""
    for name in storage.list_folder(root):
        url = storage.join(root, name)
        if storage.exists(storage.join(url, ABOUT_NAME)):
            yield url


def records_in(root: str) -> list[Run]:
    """The runs of a store, the largest first."""
    folder = storage.join(root, RUN_FOLDER)
    found = (runs.read_record(folder, name) for name in runs.names_in(folder))
    return sorted((run for run in found if run is not None), key=lambda run: (-run.rows, run.name))


def needs_compaction(root: str) -> bool:
    """Whether runs have become many."""
    return merged_from([run.rows for run in records_in(root)]) is not None


def compact(root: str) -> None:
    """Merge the runs of a store that have become many; whoever reads or adds meanwhile is not disturbed."""
    some = records_in(root)
    begin = merged_from([run.rows for run in some])
    if begin is not None:
        merge(storage.join(root, RUN_FOLDER), some[begin:])


def _digest(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return storage.digest_bytes(sink.getvalue())
