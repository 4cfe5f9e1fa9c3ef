"""Sizes that are measured, in this process, in one that is played, and once in one of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import cli
from seq2seq_core.config import build
from seq2seq_core.errors import TrainingError
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.fitting import find, measuring
from seq2seq_core.training.fitting.search import Measured
from seq2seq_core.training.optimization.step import Stepper

CONFIG = build(TrainConfig, {"dataset": "d", "output": "o", "device": "cpu"})


class Played:
    """A process that has ended with some output."""

    def __init__(self, output: str, code: int = 0) -> None:
        self._output, self.returncode = output.encode(), code

    def __enter__(self) -> Played:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def communicate(self) -> tuple[bytes, None]:
        return self._output, None

    def kill(self) -> None:
        pass


def played(monkeypatch: pytest.MonkeyPatch, *processes: Played) -> list[list[str]]:
    """Let processes be those; the words that they are started with."""
    words: list[list[str]] = []
    left: Iterator[Played] = iter(processes)

    def start(command: list[str], **_: Any) -> Played:
        words.append(command[3:])
        return next(left)

    monkeypatch.setattr(subprocess, "Popen", start)
    return words


def told(tokens: int, memory: int, seconds: float | None = 1.0) -> Played:
    return Played(
        Measured(tokens=tokens, rows=4, length=9, memory=memory, limit=1000, seconds=seconds).model_dump_json()
    )


def test_a_process_that_the_system_ends_had_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    later = [told(3072, 950), told(2560, 800), told(2816, 899)]
    words = played(monkeypatch, told(2048, 600), Played("", -signal.SIGKILL), *later)
    found = list(find.find_batch(CONFIG, "f.yaml", ["--seed", "3"], 1, 1000))
    assert [one.tokens for one in found if one.fits] == [2048, 2560, 2816]
    assert words[0] == ["0", "1000", "f.yaml", "--seed", "3"]
    assert [word[0] for word in words] == ["0", "4096", "3072", "2560", "2816"]


@pytest.mark.parametrize(
    ("process", "message"),
    [
        (told(1024, 999, None), r"not even 1,024 padded tokens fit into memory"),
        (Played("", -signal.SIGKILL), r"not even a small batch fits into memory"),
        (Played('noise\n{"error": "no dataset"}\n', 1), r"could not be measured; found no dataset"),
        (Played("", 3), r"could not be measured; found it ended with code 3"),
    ],
)
def test_what_cannot_be_measured(process: Played, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, process)
    with pytest.raises(TrainingError, match=message):
        list(find.find_batch(CONFIG, None, [], 1, 1000))


def test_processes_share_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "free_bytes", lambda: 9000)
    words = played(monkeypatch, told(1024, 999, None))
    with pytest.raises(TrainingError):
        list(find.find_batch(CONFIG, None, [], 3, None))
    assert words[0][1] == "3000"


def test_a_container_has_less_than_its_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, text in {"most": "5000\n", "used": "2000\n", "none": "max\n"}.items():
        (tmp_path / name).write_text(text)
    places = [(str(tmp_path / most), str(tmp_path / "used")) for most in ("none", "most", "absent")]
    monkeypatch.setattr(find, "_LIMITS", places)
    assert find.free_bytes() == 3000
    monkeypatch.setattr(find, "_LIMITS", places[:1])
    assert find.free_bytes() > 10**6


def test_real_steps_are_measured(tiny_training: dict[str, Any], tmp_path: Path) -> None:
    config = build(TrainConfig, {**tiny_training, "r_drop": 1.0, "output": str(tmp_path / "run")})
    found: list[Measured] = []
    measuring.measure(config, 0, 10**12, found.append)
    measuring.measure(config, 1500, 10**12, found.append)
    first, second = found
    assert (first.tokens, first.rows, second.rows) == (1024, 512 // first.length, 750 // first.length)
    assert all(one.seconds and one.fits and one.memory > 10**7 for one in found)
    assert not (tmp_path / "run").exists()


def test_memory_that_runs_out_is_no_error(
    tiny_training: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(Stepper, "_losses", fail)
    found: list[Measured] = []
    measuring.measure(build(TrainConfig, {**tiny_training, "output": str(tmp_path / "run")}), 0, 10**12, found.append)
    assert [one.seconds for one in found] == [None]


@pytest.mark.slow
def test_a_process_of_its_own_ends_where_there_is_too_little(
    tiny_training: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(json.dumps({**tiny_training, "output": str(tmp_path / "run")}))
    assert cli.main(["train", "--config", str(file), "--find-batch", "0.05"]) == cli.EXIT_FAILED
    printed = capsys.readouterr()
    assert printed.out.startswith("padded tokens")
    assert "not even 1,024 padded tokens fit into memory" in printed.err
