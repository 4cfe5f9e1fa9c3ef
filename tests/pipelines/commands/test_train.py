from __future__ import annotations

from typing import Any

import pytest

from pipelines import cli
from seq2seq_core.training import launch


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--processes"], "--processes needs a number; found nothing"),
        (["--processes", ""], "--processes needs a number; found nothing"),
        (["--processes", "1000000000"], "--processes needs a number; found 1000000000; expected 1 to 999"),
        (["--processes", "9" * 5000], "--processes needs a number"),
        (["--processes", "²"], "--processes needs a number; found ²"),
        (["--processes", "-1"], "--processes needs a number; found -1"),
        (["--processes", "2", "--processes=3"], "--processes stands twice"),
    ],
)
def test_processes_are_a_number(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--dataset", "d", "--output", "o", *words]) == cli.EXIT_USAGE
    assert message in capsys.readouterr().err


def test_processes_are_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(launch, "launch", lambda *given: seen.append(given) or 0)
    assert cli.main(["train", "--processes", "2", "--dataset", "d"]) == 0
    assert seen == [(None, ["--dataset", "d"], 2)]
