"""The night by a script, cron, systemd and Airflow: the same steps, and the old model where the gate is shut."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.validators import DEPLOY, output_of, program
from tests.docs.calls import check
from tests.docs.shell import commands_of

SCHEDULES = DEPLOY / "schedules"
NIGHTLY = SCHEDULES / "nightly.sh"
STEPS = ["prepare", "train", "translate", "score", "accept", "translate"]
CRON_FIELDS = re.compile(r"([\d*/,-]+ ){5}[a-z_][\w-]* .+")


def stub(folder: Path, score: int = 0) -> Path:
    """A program called `seq2seq` that notes its words; `score` ends with such a code."""
    program = folder / "seq2seq"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/said\n[ "$1" = score ] && exit {score}\nexit 0\n')
    program.chmod(0o755)
    return program


def said(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "said").read_text().splitlines()]


def night(folder: Path, **more: str) -> int:
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "ROOT": "/data", **more}
    return subprocess.run([str(NIGHTLY)], env=environment, check=False, timeout=60).returncode


def test_a_night_takes_its_steps_in_order(tmp_path: Path) -> None:
    stub(tmp_path)
    assert night(tmp_path, RUN="r") == 0
    assert [words[0] for words in said(tmp_path)] == STEPS
    assert said(tmp_path)[4] == ["accept", "--model", "/data/runs/r/best", "--output", "/data/model"]


def test_a_shut_gate_keeps_the_old_model(tmp_path: Path) -> None:
    stub(tmp_path, score=4)
    assert night(tmp_path) == 0
    assert [words[0] for words in said(tmp_path)] == [step for step in STEPS if step != "accept"]


@pytest.mark.parametrize("code", [1, 2, 3, 130])
def test_a_failed_score_ends_the_night(code: int, tmp_path: Path) -> None:
    stub(tmp_path, score=code)
    assert night(tmp_path) != 0
    assert [words[0] for words in said(tmp_path)] == STEPS[:4]


def test_a_night_without_a_place_is_refused(tmp_path: Path) -> None:
    stub(tmp_path)
    assert night(tmp_path, ROOT="") != 0
    assert not (tmp_path / "said").exists()


def test_the_program_takes_what_the_script_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOT", "/data")
    monkeypatch.setenv("RUN", "r")
    text = NIGHTLY.read_text().replace("$CONFIG", str(DEPLOY / "config")).replace("${MINIMUM_BLEU:-25}", "25")
    called = [command for command in commands_of(text) if command.program == "seq2seq"]
    assert [command.words[0] for command in called] == STEPS
    for command in called:
        check(command, monkeypatch)


# cron and systemd


def test_the_line_of_cron_runs_the_script(tmp_path: Path) -> None:
    lines = [line for line in (SCHEDULES / "cron" / "seq2seq").read_text().splitlines() if not line.startswith("#")]
    *variables, line = lines
    assert CRON_FIELDS.fullmatch(line)
    assert line.startswith("30 1 * * * ")
    assert all(re.fullmatch(r"[A-Z_]+=\S+", variable) for variable in variables)
    assert "%" not in line, "cron takes it for the end of a line"
    stub(tmp_path)
    command = line.split(" ", 6)[6]
    command = command.replace("/srv/seq2seq", str(tmp_path)).replace("/opt/seq2seq/deploy", str(DEPLOY))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ROOT": str(tmp_path)}
    assert subprocess.run(["sh", "-c", command], env=environment, check=False, timeout=60).returncode == 0
    assert [words[0] for words in said(tmp_path)] == STEPS


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, as they would stand on a machine on which what they name is there."""
    copies = []
    for unit in sorted((SCHEDULES / "systemd").iterdir()):
        text = unit.read_text().replace("/opt/seq2seq/deploy", str(DEPLOY)).replace("User=seq2seq", "User=root")
        copies.append(tmp_path / unit.name)
        copies[-1].write_text(text.replace("Documentation=file://", "#"))
    return copies


def test_systemd_knows_all_of_the_units(units: list[Path]) -> None:
    assert [unit.suffix for unit in units] == [".service", ".timer"]
    verify = program("systemd-analyze"), "verify"
    assert output_of(*verify, *map(str, units)) == ""
    wrong = units[0].with_name("wrong.service")
    wrong.write_text(units[0].read_text() + "ProtectSistem=yes\n")
    assert "Unknown key" in output_of(*verify, str(wrong))


def test_the_units_keep_the_promises_of_the_page(units: list[Path]) -> None:
    service, timer = (unit.read_text() for unit in units)
    assert f"ExecStart={NIGHTLY}" in service
    assert "ReadWritePaths=/srv/seq2seq" in service
    assert "Persistent=yes" in timer
    calendar = re.search(r"^OnCalendar=(.+)$", timer, re.MULTILINE)
    assert calendar is not None
    assert "01:30:00" in output_of(program("systemd-analyze"), "calendar", calendar[1])


# Airflow, in an environment of its own


def test_all_schedules_say_the_same_time() -> None:
    airflow = (SCHEDULES / "airflow" / "seq2seq_nightly.py").read_text()
    kubernetes = (DEPLOY / "kubernetes" / "base" / "nightly.yaml").read_text()
    assert 'schedule="30 1 * * *"' in airflow
    assert 'schedule: "30 1 * * *"' in kubernetes


def test_the_program_takes_what_the_dag_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (SCHEDULES / "airflow" / "seq2seq_nightly.py").read_text()
    lines = re.findall(r"bash_command=((?:\s*'[^']+')+)", text)
    joined = ["".join(re.findall(r"'([^']+)'", line)) for line in lines]
    called = []
    given = {'"$SEQ2SEQ"': "seq2seq", "$CONFIG": str(DEPLOY / "config"), "$MINIMUM_BLEU": "25"}
    for line in joined:
        called += commands_of(functools.reduce(lambda text, pair: text.replace(*pair), given.items(), line))
    assert [command.words[0] for command in called] == STEPS
    monkeypatch.setenv("ROOT", "/data")
    for command in called:
        check(command, monkeypatch)
