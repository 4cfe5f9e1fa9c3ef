from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from seq2seq_core import log_lines
from seq2seq_core.log_lines import FIGURES, FORMAT_VARIABLE, line
from seq2seq_core.logs import JsonLines

PROGRAM = """
import logging, warnings
from seq2seq_core import logs

logs.set_up(logging.ERROR, "seq2seq_core")
logs.tell_of_mistakes()
logging.getLogger("seq2seq_core.x").info("step %d", 3, extra={"figures": {"loss": 1.5, "level": 7}})
logging.getLogger("others").warning("not said")
warnings.warn("odd")
1 / 0
"""


def said(log_format: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, env={FORMAT_VARIABLE: log_format}, check=False)
    assert done.returncode == 1
    return done.stderr.splitlines()


def test_every_line_is_an_object_with_its_figures() -> None:
    info, *rest = [json.loads(text) for text in said("json")]
    assert (info["level"], info["message"], info["logger"], info["loss"]) == ("info", "step 3", "seq2seq_core.x", 1.5)
    assert info["time"].endswith("+00:00")
    assert (rest[-1]["level"], rest[-1]["message"]) == ("critical", "ZeroDivisionError: division by zero")
    assert "1 / 0" in rest[-1]["traceback"] or "<string>" in rest[-1]["traceback"]
    assert all(set(values) >= {"time", "level", "message", "process"} for values in (info, *rest))
    assert not any(values["message"] == "not said" for values in rest)


def test_people_get_lines_of_text() -> None:
    lines = said("text")
    assert lines[0].endswith(" step 3")
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_a_traceback_and_what_json_does_not_know_stand_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "2")
    try:
        raise OSError("gone")
    except OSError:
        record = logging.LogRecord("a", logging.ERROR, "", 1, "bad\nline", (), sys.exc_info())
    setattr(record, FIGURES, {"loss": float("nan"), "where": object})
    text = JsonLines().format(record)
    values = json.loads(text, parse_constant=pytest.fail)
    assert "\n" not in text
    assert (values["rank"], values["loss"], values["message"]) == (2, "nan", "bad\nline")
    assert values["traceback"].endswith("OSError: gone")


def test_lines_past_the_loggers_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FORMAT_VARIABLE, raising=False)
    assert line("it ends", "error", {"code": 3}) == "it ends"
    assert not log_lines.is_json()
    monkeypatch.setenv(FORMAT_VARIABLE, "json")
    values = json.loads(line("it ends", "error", {"code": 3}))
    assert (values["message"], values["level"], values["code"]) == ("it ends", "error", 3)
