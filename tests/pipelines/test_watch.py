from __future__ import annotations

import io
import json
import logging
import time
from pathlib import Path

import pytest

from pipelines import watch
from pipelines.watch import watching
from seq2seq_core import storage
from seq2seq_core.inference.planning import PLAN_PATH


def publish_plan(root: Path) -> None:
    storage.publish_text(storage.join(str(root), PLAN_PATH), json.dumps([[".units/a.json", "f", 3]]))


def test_the_log_says_at_the_end_how_far_it_came(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), watching(str(tmp_path)):
        publish_plan(tmp_path)
    assert [record.getMessage() for record in caplog.records] == ["units 0/1, records 0/3"]


def test_a_plan_of_an_earlier_run_is_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    publish_plan(tmp_path)
    with caplog.at_level(logging.INFO), watching(str(tmp_path)):
        pass
    assert caplog.records == []


def test_a_look_that_fails_does_not_end_the_watch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "_LOG_SECONDS", 0.0)
    with caplog.at_level(logging.INFO), watching(str(tmp_path)):
        storage.publish_text(storage.join(str(tmp_path), PLAN_PATH), "no plan")
        time.sleep(0.1)
        publish_plan(tmp_path)
        deadline = time.monotonic() + 20
        while len(caplog.records) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert {record.getMessage() for record in caplog.records} == {"units 0/1, records 0/3"}


def test_a_terminal_gets_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with watching(str(tmp_path)):
        publish_plan(tmp_path)
    assert "0/3" in terminal.getvalue()
    assert "units 0/1" in terminal.getvalue()
