from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines import cli
from seq2seq_core import claims
from tests.processes import answers, free_port, running


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """Runs: finished, stopped, and one that another project left there."""
    made = {name: tmp_path / name for name in ("finished", "stopped", "foreign", "empty")}
    for name, folder in made.items():
        folder.mkdir()
        if name in ("finished", "stopped"):
            ended = {"configuration": "c", "best": "b", "last": "l"} if name == "finished" else None
            marker = {"progress": {"step": 9, "epoch": 1, "ended": ended}, "identity": {}, "files": {}}
            (folder / "config.yaml").write_text("limits: {max_steps: 9}\n")
            (folder / "checkpoints" / "step-00000009").mkdir(parents=True)
            (folder / "checkpoints" / "step-00000009" / "checkpoint.json").write_text(json.dumps(marker))
    (made["foreign"] / "a.txt").write_text("x")
    return {name: str(folder) for name, folder in made.items()}


def test_exit_codes_say_what_the_jobs_are_at(folders: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    finished, stopped = folders["finished"], folders["stopped"]
    assert cli.main(["status", finished]) == 0
    assert cli.main(["status", finished, stopped]) == 4
    assert len(capsys.readouterr().out.splitlines()) == 3
    with claims.held(stopped, "f", "training"):
        assert cli.main(["status", finished, stopped]) == 0
        assert cli.main(["status", finished, stopped, "--wanted", "finished"]) == 5
    assert cli.main(["status", finished, "--wanted", "finished"]) == 0


def test_programs_get_an_object_a_line(folders: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", folders["finished"], folders["stopped"], "--format", "json"]) == 4
    found: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(values["path"], values["state"]) for values in found] == [
        (folders["finished"], "finished"),
        (folders["stopped"], "stopped"),
    ]
    assert found[0]["progress"]["done"] == 9


@pytest.mark.parametrize(
    ("name", "problem"),
    [("foreign", "found a.txt"), ("empty", "found an empty folder"), ("missing", "no such file or folder")],
)
def test_what_is_no_job_is_one_error_and_hides_no_other_folder(
    folders: dict[str, str], name: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folders.get(name, f"{folders['empty']}/{name}")
    assert cli.main(["status", path, folders["finished"]]) == 1
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == len(said.out.splitlines()) == 1
    assert said.err.startswith(f"seq2seq: {path}: ")
    assert problem in said.err


def test_several_errors_are_told_each(folders: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", folders["foreign"], folders["empty"], "--log-format", "json"]) == 1
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert sorted(Path(values["message"].split(": ")[1]).name for values in told) == ["empty", "foreign"]
    assert told[-1]["error"] == "DatasetError"
    assert told[-1]["where"] == folders["foreign"]


def test_calls_that_are_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 2
    assert cli.main(["status", "a", "--wanted", "dead"]) == 2
    assert cli.main(["inspect", "a", "--metrics-port", "1"]) == 2
    assert "this command has no metrics to serve" in capsys.readouterr().err


def test_it_looks_again_and_serves_what_it_sees(folders: dict[str, str], tmp_path: Path) -> None:
    port, paths = free_port(), [folders["finished"], folders["foreign"]]
    command = [sys.executable, "-m", "pipelines.cli", "status", *paths, "--every", "0.2"]
    with running([*command, "--metrics-port", f"127.0.0.1:{port}"], tmp_path / "log") as process:
        process.await_(lambda: answers(port) and process.output.count("training finished") > 1, "the second look")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [(s.name, s.labels, s.value) for family in families for s in family.samples]
    labels = {"path": folders["finished"], "work": "training"}
    assert ("seq2seq_folder_state", {**labels, "state": "finished"}, 1) in samples
    assert ("seq2seq_folder_state", {**labels, "state": "dead"}, 0) in samples
    assert ("seq2seq_folder_readable", {"path": folders["foreign"]}, 0) in samples
    assert ("seq2seq_folder_done", {"path": folders["finished"], "of": "steps"}, 9) in samples
