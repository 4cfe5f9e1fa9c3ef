from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import terminal
from seq2seq_core.errors import StorageError

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")

SPEAKER = """
import sys
from seq2seq_core import terminal
terminal.make_ready()
open(sys.argv[1], "w").close()
try:
    terminal.say("spoken \\u00fc \\udce9")
except (terminal.NobodyReadsError, terminal.StorageError) as error:
    terminal.complain(f"{type(error).__name__}: {error}")
    sys.exit(7)
terminal.complain("complained")
"""


def speak(redirections: str, tmp_path: Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a process that the shell starts so."""
    command = ["sh", "-c", f'"$0" -c "$1" "$2" {redirections}', sys.executable, SPEAKER, str(tmp_path / "other")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=60)
    assert (tmp_path / "other").read_bytes() == b""  # what a closed stream is told ends in no other file
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize(
    ("redirections", "expected"),
    [
        ("", (0, "spoken \\xfc \\udce9\n", "complained\n")),
        (">&-", (0, "", "complained\n")),
        ("2>&-", (0, "spoken \\xfc \\udce9\n", "")),
        ("<&- >&- 2>&-", (0, "", "")),
        ("2>&1 | true", (0, "", "")),
        pytest.param(
            ">/dev/full",
            (7, "", "StorageError: standard output: what was found cannot be written; found No space left on device\n"),
            marks=needs_full,
        ),
        pytest.param("2>/dev/full", (0, "spoken \\xfc \\udce9\n", ""), marks=needs_full),
    ],
)
def test_streams_that_are_closed_full_or_narrow(
    redirections: str, expected: tuple[int, str, str], tmp_path: Path
) -> None:
    assert speak(redirections, tmp_path) == expected


class Broken(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


def test_a_reader_that_has_gone_is_told_from_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError()))
    with pytest.raises(terminal.NobodyReadsError):
        terminal.say("x")
    monkeypatch.setattr(sys, "stdout", Broken(OSError(28, "No space left on device")))
    with pytest.raises(StorageError, match=r"standard output: .*No space left on device"):
        terminal.say("x")


def test_bytes_of_a_closed_stream_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_closed", set())
    monkeypatch.setattr(sys, "stdin", None)
    terminal.make_ready()
    with pytest.raises(StorageError, match="standard input: it is closed"):
        terminal.binary("stdin")
    assert sys.stdin.read() == ""
    sys.stdin.close()


def test_complaints_never_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    stream: Any = Broken(OSError(5, "gone"))
    monkeypatch.setattr(sys, "stderr", stream)
    terminal.complain("x")
