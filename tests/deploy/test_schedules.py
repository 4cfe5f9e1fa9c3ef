"""The night by a script, cron, systemd and Airflow: the same steps, and the old model where the gate is shut."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from seq2seq_core.models.card import read_card
from tests.deploy import airflow
from tests.deploy.night import clear_answers, make_small_night
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


def run_with_children(words: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """The exit code and what was said; when it takes too long, nothing of it is left running."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            told, _ = process.communicate(timeout=900)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, told


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_two_nights_of_the_script_on_a_small_corpus(tmp_path: Path) -> None:
    """The first model is accepted; a second one misses the bar, and the first translates on."""
    variables = make_small_night(tmp_path)
    for run, bar in (("first", "0"), ("second", "100")):
        environment = {**variables, "RUN": run, "MINIMUM_BLEU": bar}
        code, told = run_with_children([str(NIGHTLY)], environment)
        assert code == 0, told
        assert read_card(str(tmp_path / "model"))[1].run == "first"
        assert len(list((tmp_path / "translated").glob("news.en-*.txt"))) == 1
        clear_answers(tmp_path)
    assert (tmp_path / "runs" / "second" / "best" / "config.json").is_file()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_nights_of_airflow(tmp_path: Path) -> None:
    """By its scheduler and its local executor, in an environment of its own."""
    variables = make_small_night(tmp_path / "data")
    bin_, home = airflow.install(tmp_path / "environment"), tmp_path / "home"
    shutil.copytree(SCHEDULES / "airflow", home / "dags")
    ours = {
        "SEQ2SEQ_ROOT": variables["ROOT"],
        "SEQ2SEQ_CONFIG": variables["CONFIG"],
        "SEQ2SEQ_PROGRAM": str(tmp_path / "data" / "bin" / "seq2seq"),
        "SEQ2SEQ_MINIMUM_BLEU": "0",
        "SEQ2SEQ_CACHE": variables["SEQ2SEQ_CACHE"],
    }
    installed = airflow.Airflow(bin_, home, airflow.settings(bin_, home) | ours)
    order = ["prepare", "train", "evaluate", "gate", "accept", "translate"]
    follows = [f"{task}>{after}" for task, after in zip(order, [*order[1:], ""], strict=True)]
    assert installed.load() == ["seq2seq_nightly", *follows]
    with installed.at_work():
        (first,) = installed.wait(1)  # that of the last half past one
        assert first == ("success", dict.fromkeys(order, "success")), installed.logs()
        accepted = read_card(str(tmp_path / "data" / "model"))
        clear_answers(tmp_path / "data")
        installed.trigger("second", json.dumps({"minimum_bleu": 100}))
        _, second = installed.wait(2)
        shut = dict.fromkeys(order, "success") | {"gate": "skipped", "accept": "skipped"}
        assert second == ("success", shut), installed.logs()
    assert read_card(str(tmp_path / "data" / "model")) == accepted
    assert len(list((tmp_path / "data" / "translated").glob("news.en-*.txt"))) == 1
    assert len(list((tmp_path / "data" / "runs").iterdir())) == 2
