"""What goes to Weights & Biases, by a package of tests in the place of the real one; and by the real one, offline."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from seq2seq_core.errors import ConfigError
from seq2seq_core.training.wandb_run import WandbConfig, wandb_recorders
from tests.seq2seq_core.training.test_trainer import Values, rows, run

SECRET = "0123456789abcdef" * 3


class Service:
    """Takes what the package would send."""

    def __init__(self) -> None:
        self.runs: dict[str, list[dict[str, Any]]] = {}
        self.begun: list[dict[str, Any]] = []
        self.finished = 0
        self.broken = ""

    def init(self, **arguments: Any) -> Service:
        self._check("init")
        self.begun.append(arguments)
        self.points = self.runs.setdefault(arguments["id"], [])
        return self

    def define_metric(self, name: str, step_metric: str) -> None:
        assert (name[-2:], step_metric) == ("/*", "step")

    def log(self, values: dict[str, Any]) -> None:
        self._check("log")
        self.points.append(values)

    def finish(self) -> None:
        self.finished += 1

    def _check(self, what: str) -> None:
        if self.broken == what:
            raise RuntimeError(f"no such key {SECRET}\nand so on")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service, module = Service(), ModuleType("wandb")
    module.__spec__ = importlib.util.spec_from_loader("wandb", None)
    module.__dict__.update(init=service.init, Settings=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    return service


@pytest.fixture
def trained(tiny_training: Values, tmp_path: Path) -> Callable[..., Path]:
    settings = {"validation": {"every_steps": 4, "metric": "loss"}, "checkpoints": {"average": {"count": 1}}}

    def trained(steps: int, **wandb: Any) -> Path:
        output = tmp_path / "digits"
        run({**tiny_training, **settings, "wandb": wandb}, output, limits={"max_steps": steps})
        return output

    return trained


def test_a_run_that_is_carried_on_is_one_run_there(service: Service, trained: Callable[..., Path]) -> None:
    trained(2, project="p", entity="us")
    output = trained(4, project="p", entity="us", name="again")
    first, second = service.begun
    assert (first["project"], first["entity"], first["name"], second["name"]) == ("p", "us", "digits", "again")
    assert (first["id"], first["resume"], first["dir"]) == (second["id"], "allow", str(output))
    assert first["config"]["model"]["width"] == 32
    assert (first["settings"].console, first["settings"].disable_git, service.finished) == ("off", True, 2)
    (points,) = service.runs.values()
    losses = {point["step"]: point["train/loss"] for point in points if "train/loss" in point}
    assert losses == {row["step"]: row["loss"] for row in rows(output, "train")}
    assert [point["step"] for point in points if "validation/loss" in point] == [2, 4]


@pytest.mark.parametrize("broken", ["init", "log"])
def test_what_fails_there_is_told_once_without_the_key(
    broken: str, service: Service, trained: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    service.broken = broken
    assert len(rows(trained(3, project="p"), "train")) == 3
    told = [message for message in caplog.messages if "Weights & Biases" in message]
    assert told == ["nothing goes to Weights & Biases any more: no such key ..."]


def test_a_password_of_a_store_does_not_go_there(service: Service, tiny_training: Values) -> None:
    values = {"output": "s3://me:secret@store/run"}
    (recorder,) = wandb_recorders(WandbConfig(project="p"), values["output"], "i", {})
    recorder.close()
    assert "secret" not in str(service.begun)
    assert service.begun[0]["dir"] is None


def test_nothing_is_asked_for_without_a_project() -> None:
    assert wandb_recorders(WandbConfig(), "run", "i", {}) == []


def test_a_missing_package_is_told_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"no module wandb. pip install 'seq2seq\[wandb\]'"):
        wandb_recorders(WandbConfig(project="p"), "run", "i", {})


@pytest.mark.slow
def test_the_real_package_keeps_a_run_offline(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("wandb")
    caplog.set_level(logging.WARNING)
    (recorder,) = wandb_recorders(WandbConfig(project="p", mode="offline"), str(tmp_path), "i", {"a": {"b": 1}})
    recorder.close()
    assert not caplog.messages
    assert len(list(tmp_path.glob("wandb/offline-run-*/*.wandb"))) == 1
