from __future__ import annotations

from typing import Any

import pytest

from pipelines import cli
from seq2seq_core.training import launch
from seq2seq_core.training.fitting import find
from seq2seq_core.training.fitting.search import Measured


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


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        (["--find-batch"], None),
        (["--find_batch"], None),
        (["--find-batch", "12"], 12 * 10**9),
        (["--find-batch=7.5"], 75 * 10**8),
    ],
)
def test_what_fits_is_told_and_nothing_trained(
    words: list[str], limit: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Any] = []
    sizes = [(1024, 100, 1.0), (2048, 200, 0.5), (4096, 999, 0.5), (3072, 999, None)]

    def find_batch(_: Any, *given: Any) -> list[Measured]:
        seen.append(given)
        return [Measured(tokens=t, rows=2, length=9, memory=m, limit=1000, seconds=s) for t, m, s in sizes]

    monkeypatch.setattr(find, "find_batch", find_batch)
    monkeypatch.setattr(launch, "launch", lambda *_: pytest.fail("it trains"))
    options = ["--dataset", "d", "--output", "o", "--r_drop", "1"]
    assert cli.main(["train", *options, "--processes", "2", *words]) == 0
    assert seen == [(None, options, 2, limit)]
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["2,048", "2", "x", "9", "0.00", "GB", "0.00", "GB", "0.50", "4,096"]
    assert lines[3].endswith("too tight")
    assert lines[4].endswith("no room")
    assert lines[5].startswith("set --loader.max_tokens_per_device 2048; a global batch of --data.batch_tokens 2048 is")


@pytest.mark.parametrize("words", ["--find-batch much", "--find-batch=0", "--find-batch=", "--find-batch -1"])
def test_memory_is_told_in_gigabytes(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--dataset", "d", "--output", "o", *words.split()]) == cli.EXIT_USAGE
    assert "--find-batch takes gigabytes, or nothing; found" in capsys.readouterr().err
