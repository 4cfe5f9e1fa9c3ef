"""Rows that name audio files, or hold them, in; values of audio out, some megabytes at a time, in the order of rows.

A file is opened once for all its neighbouring rows, and of a long one no more is decoded than the rows say. Files of
stores are fetched a few ahead.
"""

from __future__ import annotations

import collections
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.audio.problems import problem_of
from seq2seq_core.audio.terms import AUDIO_VALUE, AudioError
from seq2seq_core.corpora.formats.audio.cuts import (
    MOST_BYTES,
    LongFile,
    Span,
    too_large,
)
from seq2seq_core.corpora.formats.audio.places import Places
from seq2seq_core.errors import StorageError
from seq2seq_core.records import Problem

MISSING_AUDIO, OUTSIDE, PIPED = "missing_audio", "outside_corpus", "pipe_command"
BATCH_BYTES = 32 << 20

_MOST_ROWS = 4096
_AHEAD = 8
_SHOWN = 200

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Named:
    """What consecutive rows say of their audio, as columns of equal length.

    Attributes:
        paths: string; null where a row says nothing of audio, or nothing that can be read.
        speakers: string; null where nobody says.
        begins: float64, seconds; null where a file is meant as a whole.
        seconds: float64; null where nobody says.
        held: The bytes of a whole file (binary), null where the path must be followed; None where all are.
    """

    paths: pa.StringArray
    speakers: pa.StringArray
    begins: pa.DoubleArray
    seconds: pa.DoubleArray
    held: pa.BinaryArray | None = None

    def __len__(self) -> int:
        return len(self.paths)


class Loaded(NamedTuple):
    """The audio of the rows from `start` to `stop`: values (`AUDIO_VALUE`), and problems by place behind `start`."""

    start: int
    stop: int
    values: pa.StructArray
    problems: list[Problem]


class _Row(NamedTuple):
    path: str | None
    begin: float | None
    seconds: float | None
    held: bytes | None

    @property
    def run(self) -> tuple[str | None, bool, bool]:
        """Neighbours that have this in common are of one file, and opened once."""
        return self.path, self.begin is not None, self.held is not None


class _Run(NamedTuple):
    """Neighbouring rows of one file."""

    path: str | None
    is_cut: bool
    rows: list[_Row]


class Loader:
    """Loads the audio that the rows of one file name."""

    def __init__(self, places: Places, where: str) -> None:
        """`where` is what messages call the file with the rows."""
        self._places = places
        self._where = where
        self._has_warned = False

    def load(self, named: Named, lines: pa.Int64Array) -> Iterator[Loaded]:
        """The values of all rows, in batches of at most `BATCH_BYTES` where rows have no more by themselves.

        Args:
            named: The rows.
            lines: Their numbers, for messages.
        """
        if named.held is not None and not named.held.null_count:
            yield Loaded(0, len(named), _structs(named, named.held), [])
            return
        start, values, size = 0, list[bytes | Problem](), 0
        for row, value in enumerate(self._values(named)):
            more = len(value) if isinstance(value, bytes) else 0
            if values and (size + more > BATCH_BYTES or len(values) >= _MOST_ROWS):
                yield _batch(named, start, values)
                start, values, size = row, [], 0
            if isinstance(value, Problem) and value.rule == MISSING_AUDIO and named.paths[row].is_valid:
                self._warn(lines[row].as_py(), value)
            values.append(value)
            size += more
        if values:
            yield _batch(named, start, values)

    def _values(self, named: Named) -> Iterator[bytes | Problem]:
        """Of each row the bytes of its audio, or what is wrong with them."""
        runs = (
            _Run(path, is_cut, list(rows))
            for (path, is_cut, _), rows in itertools.groupby(_rows(named), key=lambda row: row.run)
        )
        for run, found in _ahead(runs, self._whole_of, 0 if self._places.is_local else _AHEAD):
            if found is None:
                yield from self._cuts(run)
            else:
                yield from itertools.repeat(found, len(run.rows))

    def _whole_of(self, run: _Run) -> bytes | Problem | None:
        """The whole file of some rows; None where they are cut from it."""
        held = run.rows[0].held
        if held is not None:
            return held
        if not run.path:
            return Problem(0, MISSING_AUDIO, "no path", "a path")
        if run.is_cut:
            return None
        opened = self._open(run.path)
        if isinstance(opened, Problem):
            return opened
        with opened as stream:
            data = stream.read(MOST_BYTES + 1)
            return too_large(stream.seek(0, 2)) if len(data) > MOST_BYTES else data

    def _cuts(self, run: _Run) -> Iterator[bytes | Problem]:
        opened = self._open(run.path or "")
        if isinstance(opened, Problem):
            yield from itertools.repeat(opened, len(run.rows))
            return
        with opened as stream:
            try:
                file = LongFile(stream)
            except AudioError as error:
                yield from itertools.repeat(problem_of(0, error), len(run.rows))
                return
            with file:
                for row in run.rows:
                    yield file.cut(Span(row.begin or 0.0, row.seconds))

    def _open(self, path: str) -> IO[bytes] | Problem:
        url = self._places.url_of(path)
        if url is None:
            return Problem(0, OUTSIDE, f"{path:.{_SHOWN}}", f"a path in {self._places.root}, or audio_root")
        try:
            opened = storage.open_if_there(url)
        except StorageError as error:
            if not isinstance(error.__cause__, PermissionError) or not self._places.is_local:
                raise
            return Problem(0, MISSING_AUDIO, f"access to {path:.{_SHOWN}} is denied", "a file")
        return Problem(0, MISSING_AUDIO, f"no file {path:.{_SHOWN}}", "a file") if opened is None else opened

    def _warn(self, line: int, problem: Problem) -> None:
        """Name the first row whose audio is missing: where all are, the reason is the same."""
        if not self._has_warned:
            logger.warning(
                "%s, line %d: %s; such rows are counted as %s", self._where, line, problem.value, problem.rule
            )
        self._has_warned = True


def _rows(named: Named) -> Iterator[_Row]:
    held = itertools.repeat(None) if named.held is None else (value.as_py() for value in named.held)
    paths, begins, seconds = (column.to_pylist() for column in (named.paths, named.begins, named.seconds))
    return map(_Row, paths, begins, seconds, held)


def _ahead(
    items: Iterable[T], work: Callable[[T], bytes | Problem | None], workers: int
) -> Iterator[tuple[T, bytes | Problem | None]]:
    """Each item with what comes of it, in order; that of so many next ones is at work already."""
    if not workers:
        yield from ((item, work(item)) for item in items)
        return
    waiting: collections.deque[tuple[T, Future[bytes | Problem | None]]] = collections.deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _batch(named: Named, start: int, values: list[bytes | Problem]) -> Loaded:
    problems = [value._replace(row=row) for row, value in enumerate(values) if isinstance(value, Problem)]
    data = pa.array([value if isinstance(value, bytes) else None for value in values], pa.binary())
    stop = start + len(values)
    return Loaded(start, stop, _structs(named, data, start), problems)


def _structs(named: Named, data: pa.BinaryArray, start: int = 0) -> pa.StructArray:
    """Values of rows from `start` on; one that is cut is as long as its row says already."""
    seconds = pc.if_else(named.begins.is_null(), named.seconds, pa.scalar(None, pa.float64()))
    others = (column.slice(start, len(data)) for column in (named.paths, named.speakers, seconds))
    return pa.StructArray.from_arrays([data, *others], fields=list(AUDIO_VALUE))
