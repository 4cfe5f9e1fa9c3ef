"""Rows with keys in, a run of them on storage out; and of a run in, the rows that have some keys, read alone.

A run is never changed. Its rows stand in Parquet files in the order in which they came, so that what was asked for
together is found together; an index of sorted keys says where (see `preparation.known.runs`). The record of a run is
published last, and removed first: who sees it finds the rest.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pydantic

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import RunEntry
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.known.runs import Entries, find, in_order, keys_of, run_of, share, write_part, write_run
from seq2seq_core.preparation.terms.known import Cut
from seq2seq_core.preparation.terms.octets import Digests, from_column

KEY = "key"
KEY_BYTES = 16

_RECORD = ".json"
_WIDTH = 16  # the first half of a key, and the number of a row
_GROUP_ROWS = 1 << 8  # what is read for one row
_FILE_GROUPS = 1 << 10
_RANGE_ROWS = 1 << 6
_PART_ROWS = 1 << 24
_READ_ROWS = 1 << 12

_Rows = npt.NDArray[np.int64]


class Run(pydantic.BaseModel):
    """What the record of a run tells.

    Attributes:
        name: Names it by its content.
        rows: How many rows it has.
        index: Where the row of a key stands.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: str
    rows: pydantic.PositiveInt
    index: RunEntry

    @property
    def files(self) -> tuple[str, ...]:
        """The files of its rows, relative to the folder of all runs."""
        count = -(-self.rows // (_GROUP_ROWS * _FILE_GROUPS))
        return tuple(_file(self.name, index) for index in range(count))

    @property
    def paths(self) -> tuple[str, ...]:
        """All its files but the record."""
        return (*self.files, *self.index.paths)


def names_in(root: str) -> list[str]:
    """The names of the runs that stand in a folder."""
    return [name.removesuffix(_RECORD) for name in storage.list_folder(root) if name.endswith(_RECORD)]


def read_record(root: str, name: str) -> Run | None:
    """A run by its name; None where none stands.

    Raises:
        DatasetError: The record is damaged, or of a later version.
    """
    url = record_url(root, name)
    data = storage.read_if_there(url)
    try:
        return None if data is None else Run.model_validate_json(data)
    except pydantic.ValidationError:
        advice = "Remove the memory: it is made anew."
        raise DatasetError("the record of a run is damaged", where=storage.redact(url), advice=advice) from None


def record_url(root: str, name: str) -> str:
    """Where the record of a run stands."""
    return storage.join(root, f"{name}{_RECORD}")


def write(root: str, name: str, tables: Iterable[pa.Table]) -> Run | None:
    """Publish a run of rows, which have a column of keys; None where there are none.

    Memory holds the keys, and no more of the rows than a table.
    """
    keys: list[Digests] = []

    def watched() -> Iterator[pa.Table]:
        for table in tables:
            keys.append(_keys(table))
            yield table

    rows = _write_rows(root, name, watched())
    if not rows:
        return None
    index = write_run(root, _cut(name, rows), _entries(np.concatenate(keys), 0))
    return _record(root, Run(name=name, rows=rows, index=index))


def merge(root: str, name: str, runs: Sequence[Run]) -> Run | None:
    """Publish a run of all rows of some, in their order; memory holds a part of the index, and a table."""
    rows = _write_rows(root, name, (table for run in runs for table in _tables(root, run)))
    cut = _cut(name, rows)
    begins = np.cumsum([0, *(run.rows for run in runs)]).tolist()
    parts = []
    for index in range(cut.parts):
        shares = [share(root, run.index, _WIDTH, index, cut.parts) for run in runs]
        moved = [_moved(entries, begin) for entries, begin in zip(shares, begins, strict=False)]
        parts.append(write_part(root, cut, index, in_order(np.concatenate(moved))))
    return _record(root, Run(name=name, rows=rows, index=run_of(cut, parts)))


def remove(root: str, run: Run) -> None:
    """Take a run away, its record first."""
    for path in (f"{run.name}{_RECORD}", *run.paths):
        storage.remove(storage.join(root, path))


def is_whole(root: str, run: Run) -> bool:
    """Whether a run stands there with all its files."""
    paths = (f"{run.name}{_RECORD}", *run.paths)
    return all(storage.exists(storage.join(root, path)) for path in paths)


def find_rows(root: str, run: Run, keys: Digests) -> pa.Table:
    """The rows of a run that have one of some keys, and maybe a few others, with the column of keys.

    Raises:
        DatasetError: A file is damaged.
        StorageError: A file is missing, or the store does not answer.
    """
    halves = keys_of(keys)
    entries = find(root, run.index, _WIDTH, halves)
    return _read(root, run, np.unique(_rows(entries[np.isin(keys_of(entries), halves)])))


def _record(root: str, run: Run) -> Run:
    storage.publish_text(record_url(root, run.name), run.model_dump_json(indent=1) + "\n")
    return run


def _file(name: str, index: int) -> str:
    return f"{name}-{index:05d}.parquet"


def _cut(name: str, rows: int) -> Cut:
    """Small ranges: a unit asks for some thousand keys, which lie in as many of them."""
    parts = -(-rows // _PART_ROWS)
    return Cut(path=name, parts=parts, ranges=-(-rows // (parts * _RANGE_ROWS)))


def _keys(table: pa.Table) -> Digests:
    return from_column(table.column(KEY).combine_chunks())


def _entries(keys: Digests, first: int) -> Entries:
    """The index of rows that stand one behind the other."""
    entries = np.empty((len(keys), _WIDTH), np.uint8)
    entries[:, :8] = keys[:, :8]
    entries[:, 8:] = _octets(np.arange(first, first + len(keys)))
    return entries


def _moved(entries: Entries, by: int) -> Entries:
    """The index of rows that now stand behind others."""
    moved = entries.copy()
    moved[:, 8:] = _octets(_rows(entries) + by)
    return moved


def _octets(rows: _Rows) -> Entries:
    return rows.astype(">u8").view(np.uint8).reshape(-1, 8)


def _rows(entries: Entries) -> _Rows:
    return np.ascontiguousarray(entries[:, 8:]).view(">u8").astype(np.int64).reshape(-1)


def _write_rows(root: str, name: str, tables: Iterable[pa.Table]) -> int:
    """Publish the files of a run's rows; how many there are."""
    rows = 0
    groups = enumerate(_groups(tables))
    for index, of_file in itertools.groupby(groups, lambda numbered: numbered[0] // _FILE_GROUPS):
        _, first = next(of_file)
        with (
            storage.publish(storage.join(root, _file(name, index))) as out,
            pq.ParquetWriter(out, first.schema, compression="zstd", use_dictionary=False, write_statistics=False) as to,
        ):
            for group in itertools.chain([first], (group for _, group in of_file)):
                to.write_table(group, row_group_size=_GROUP_ROWS)
                rows += group.num_rows
    return rows


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, so many at a time; fewer at the end."""
    held: list[pa.Table] = []
    count = 0
    for table in tables:
        held.append(table)
        count += table.num_rows
        if count < _GROUP_ROWS:
            continue
        whole = pa.concat_tables(held)
        end = count - count % _GROUP_ROWS
        yield from (whole.slice(begin, _GROUP_ROWS) for begin in range(0, end, _GROUP_ROWS))
        held, count = [whole.slice(end)], count - end
    if count:
        yield pa.concat_tables(held)


def _tables(root: str, run: Run) -> Iterator[pa.Table]:
    """All rows, in order, some thousand at a time."""
    for path in run.files:
        with _opened(root, path) as parquet:
            for batch in parquet.iter_batches(_READ_ROWS):
                yield pa.Table.from_batches([batch])


def _read(root: str, run: Run, rows: _Rows) -> pa.Table:
    """Rows by their numbers, which rise: of the row groups that hold them, and no others."""
    file_rows = _GROUP_ROWS * _FILE_GROUPS
    found = []
    for path, begin in zip(run.files, range(0, run.rows, file_rows), strict=True):
        here = rows[(rows >= begin) & (rows < begin + file_rows)] - begin
        if len(here):
            groups, places = np.unique(here // _GROUP_ROWS, return_inverse=True)
            with _opened(root, path) as parquet:
                table = parquet.read_row_groups(groups.tolist())
            found.append(table.take(pa.array(places * _GROUP_ROWS + here % _GROUP_ROWS)))
    return pa.concat_tables(found) if found else pa.table({KEY: pa.array([], pa.binary(KEY_BYTES))})


@contextlib.contextmanager
def _opened(root: str, path: str) -> Iterator[Any]:
    """A file of rows; what is wrong with it is an error with its name."""
    url = storage.join(root, path)
    try:
        with storage.named(url), storage.open_input(url) as file:
            yield pq.ParquetFile(file, pre_buffer=True)
    except pa.ArrowException as error:
        advice = "Remove the memory: it is made anew."
        raise DatasetError("a file is damaged", where=storage.redact(url), found=error, advice=advice) from None
