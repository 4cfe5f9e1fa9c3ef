"""`seq2seq status`: folders of jobs in; whether each is at work, finished, stopped or dead, and how far, out.

Exit codes: 0 every job is running or finished, 3 one is finished but records have failed, 4 one has stopped or died
before its end; with `--wanted finished` also 5, one is still running. Of several the highest counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipelines.commands.call import Call
from seq2seq_core import terminal
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError, Seq2SeqError
from seq2seq_core.monitoring.serving import serving
from seq2seq_core.strict import check_location

if TYPE_CHECKING:
    from seq2seq_core.monitoring.board import Board
    from seq2seq_core.report.status.terms import State, Status

EXIT_FAILED_RECORDS, EXIT_ENDED, EXIT_RUNNING = 3, 4, 5


class StatusConfig(Config):
    """What `seq2seq status` says of folders."""

    format: Literal["text", "json"] = Field(
        "text", description="a line for people, or an object of JSON, for each path"
    )
    wanted: Literal["alive", "finished"] = Field(
        "alive", description="what exit code 0 means: nothing is dead or stopped, or all is finished"
    )
    every: float | None = Field(
        None, gt=0, le=86_400, description="look again after so many seconds, until interrupted; null: look once"
    )


def main(call: Call) -> int:
    """What the jobs of some folders are at."""
    if not call.words:
        raise ConfigError("a path is missing", expected="seq2seq status PATH ...")
    paths, config = [_location(path) for path in call.words], call.load(StatusConfig)
    if config.every is None:
        code, errors = _look(paths, config, None)
        for later in errors[1:]:
            terminal.complain(f"seq2seq: {later}")
        if errors:
            raise errors[0]
        return code
    with serving() as board:
        while True:
            for error in _look(paths, config, board)[1]:
                terminal.complain(f"seq2seq: {error}")
            time.sleep(config.every)


def _look(paths: Sequence[str], config: StatusConfig, board: Board | None) -> tuple[int, list[Seq2SeqError]]:
    """Say what there is to say of each path; the exit code, and what is wrong with others."""
    from seq2seq_core.report.status import lines, metrics, table

    show: Callable[[Status], str] = lines.as_json if config.format == "json" else lines.line
    found: dict[str, Status | None] = dict.fromkeys(paths)
    errors = []
    for path in found:
        try:
            found[path] = status = table.look_at(path)
            terminal.say(show(status))
        except Seq2SeqError as error:
            errors.append(error)
    if board is not None:
        metrics.put_all(board, found)
    codes = [_exit_code(status.state, status.failed, config.wanted) for status in found.values() if status]
    return max(codes, default=0), errors


def _exit_code(state: State, failed: int, wanted: str) -> int:
    if state == "running":
        return EXIT_RUNNING if wanted == "finished" else 0
    if state == "finished":
        return EXIT_FAILED_RECORDS if failed else 0
    return EXIT_ENDED


def _location(path: str) -> str:
    try:
        return check_location(path)
    except ValueError as error:
        raise ConfigError(str(error), found=repr(path)) from None
