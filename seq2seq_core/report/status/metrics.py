"""What is said of jobs in, their metrics out: a job that has died cannot tell of itself, but its folder does."""

from __future__ import annotations

import typing
from collections.abc import Mapping

from seq2seq_core import storage
from seq2seq_core.monitoring import table
from seq2seq_core.monitoring.board import Board
from seq2seq_core.report.status.terms import State, Status

_OF_FOLDERS = (
    *(table.FOLDER_STATE, table.FOLDER_SEEN, table.FOLDER_DONE, table.FOLDER_EXPECTED, table.FOLDER_FAILURES),
    *(table.FOLDER_LAG_FILES, table.FOLDER_LAG_ROWS, table.FOLDER_LAG_OLDEST, table.FOLDER_READABLE),
)


def put_all(board: Board, found: Mapping[str, Status | None]) -> None:
    """Say it of folders by their paths, None for one that tells of no job; what was said before is forgotten."""
    for metric in _OF_FOLDERS:
        board.forget(metric)
    for path, status in found.items():
        _put(board, storage.redact(path), status)


def _put(board: Board, path: str, status: Status | None) -> None:
    board.put(table.FOLDER_READABLE, status is not None, path)
    if status is None:
        return
    for state in typing.get_args(State):
        board.put(table.FOLDER_STATE, state == status.state, path, status.work, state)
    board.put(table.FOLDER_FAILURES, status.failed, path)
    board.put(table.FOLDER_SEEN, min((run.seen_seconds for run in status.runs), default=None), path)
    progress = status.progress
    if progress is None:
        return
    board.put(table.FOLDER_DONE, progress.done, path, progress.noun)
    board.put(table.FOLDER_EXPECTED, progress.total or None, path, progress.noun)
    if progress.lag is not None:
        board.put(table.FOLDER_LAG_FILES, progress.lag.files, path)
        board.put(table.FOLDER_LAG_ROWS, progress.lag.rows, path)
        board.put(table.FOLDER_LAG_OLDEST, progress.lag.oldest_seconds, path)
