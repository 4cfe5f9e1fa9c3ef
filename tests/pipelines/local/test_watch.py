from __future__ import annotations

import contextlib
import io
import logging
import threading
from collections.abc import Iterator

import pytest

from pipelines.local import watch
from pipelines.local.watch import watching
from seq2seq_core.monitoring.board import Board
from seq2seq_core.progress import Progress


class Scripted:
    """A watch that shows one thing after the other, the last again and again; an exception is raised."""

    def __init__(self, *shown: Progress | Exception | None) -> None:
        self.shown = list(shown)
        self.through = threading.Event()

    def look(self, now: float) -> Progress | None:
        if len(self.shown) == 1:
            self.through.set()
        found = self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]
        if isinstance(found, Exception):
            raise found
        return found


def progress(phase: str = "", done: int = 0, total: int = 3, seconds: float = 0.0) -> Progress:
    return Progress(phase, "units", done, total, "records", done, total, 0, seconds)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_the_log_says_at_the_end_how_far_it_came(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), watching(Scripted(progress()), print):
        pass
    assert messages(caplog) == ["units 0/3, records 0/3"]


def test_nothing_to_see_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), watching(Scripted(None), print):
        pass
    assert messages(caplog) == []


def test_a_look_that_fails_does_not_end_the_watch(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "_LOG_SECONDS", 0.0)
    script = Scripted(OSError("gone"), ValueError("torn"), progress(done=1), progress(done=3))
    with caplog.at_level(logging.INFO), watching(script, print):
        assert script.through.wait(20)
    assert messages(caplog)[:2] == ["units 1/3, records 1/3", "units 3/3, records 3/3"]


@pytest.mark.parametrize("error", [KeyError("step"), MemoryError(), EOFError(), RuntimeError("x")])
def test_no_error_ends_the_watch_or_leaves_the_bar(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.01)
    script = Scripted(error, progress("reading", 3, 3))
    with watching(script, print):
        assert script.through.wait(20)
    assert "reading" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_changes_with_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.01)
    first = progress("reading", 1, 4, seconds=2.0)
    script = Scripted(first, progress("thinking", 0, 0, seconds=65.0), progress("writing", 2, 10, seconds=4.0))
    with watching(script, print):
        assert script.through.wait(20)
    lines = terminal.getvalue().split("\r")
    reading = next(line for line in lines if line.startswith("reading: "))
    assert " 1/4 " in reading
    assert "00:02<00:0" in reading
    assert "units 1/4" in reading
    assert any(line.strip() == "thinking: 01:05" for line in lines)
    writing = next(line for line in lines if line.startswith("writing: "))
    assert " 2/10 " in writing
    assert "00:04<00:1" in writing


def test_progress_is_told_and_served(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    boards: list[Board] = []
    told: list[Progress] = []

    @contextlib.contextmanager
    def serving() -> Iterator[Board]:
        boards.append(Board())
        yield boards[0]

    monkeypatch.setattr(watch, "serving", serving)
    with caplog.at_level(logging.INFO), watching(Scripted(progress("reading", 2, 4)), told.append):
        pass
    assert told == [progress("reading", 2, 4)]
    samples = {metric.name: found for metric, found in boards[0].samples()}
    assert samples["seq2seq_records_total"] == [(("reading",), 2.0)]
    assert caplog.records[-1].figures["done"] == 2


def test_where_lines_are_for_programs_a_terminal_gets_no_bar(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("SEQ2SEQ_LOG_FORMAT", "json")
    with caplog.at_level(logging.INFO), watching(Scripted(progress()), print):
        pass
    assert messages(caplog) == ["units 0/3, records 0/3"]


def test_log_lines_pass_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    handler = logging.StreamHandler(terminal)
    logging.getLogger().addHandler(handler)
    try:
        with watching(Scripted(progress("reading", 1, 4)), print):
            logging.getLogger().error("a line of its own")
    finally:
        logging.getLogger().removeHandler(handler)
    assert any(part.startswith("a line of its own") for part in terminal.getvalue().split("\r"))
