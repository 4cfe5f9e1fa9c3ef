"""Long runs with faults: kills at any moment, and a corpus of which a part cannot be translated."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.commands import translate as command
from seq2seq_core import config as configuration
from seq2seq_core.errors import IncompleteError
from seq2seq_core.inference.manifest import load_output
from seq2seq_core.tokenizer.model import Tokenizer
from tests.pipelines.commands.test_translate import tree

pytestmark = pytest.mark.slow

UNITS, UNIT_RECORDS, KILLS = 120, 5, 10
RECORDS, POISONED_OF = 200_000, 20

NOTED = """
import os, sys, time
from pipelines.commands import translate as command
from seq2seq_core.config import build
from seq2seq_core.inference import work

model, inputs, output, notes, memory = sys.argv[1:]
translate_unit = work.translate_unit

def noted(loaded, translator):
    with open(notes, "a") as file:
        file.write(loaded.unit.path + "\\n")
    time.sleep(0.01)
    return translate_unit(loaded, translator)

work.translate_unit = noted
values = dict(model=model, input=[inputs], output=output, unit_records=5, engine={"kind": "echo"})
command.run(build(command.TranslateConfig, values | ({"memory": {"url": memory}} if memory else {})))
"""


def begun(notes: Path) -> int:
    return len(notes.read_text().splitlines()) if notes.exists() else 0


@pytest.mark.parametrize("with_memory", [False, True], ids=["alone", "with a memory"])
def test_killed_at_ten_random_moments_work_is_done_once_but_what_was_under_way(
    echo_model: str, tmp_path: Path, with_memory: bool
) -> None:
    (tmp_path / "a.txt").write_text("".join(f"line {n} of some\n" for n in range(UNITS * UNIT_RECORDS)))
    notes, draw = tmp_path / "notes", random.Random(7)
    memory = str(tmp_path / "memory") if with_memory else ""

    def start(output: str) -> subprocess.Popen[bytes]:
        words = [echo_model, str(tmp_path / "a.txt"), str(tmp_path / output), str(notes), memory]
        return subprocess.Popen([sys.executable, "-c", NOTED, *words], stderr=subprocess.PIPE)

    for _ in range(KILLS):
        before, wait = begun(notes), draw.randint(1, UNITS // KILLS - 1)
        with start("killed") as run:
            while begun(notes) < before + wait:
                assert run.poll() is None, run.stderr and run.stderr.read().decode()
                time.sleep(0.001)
            time.sleep(draw.random() * 0.02)
            run.kill()
            assert run.wait() == -signal.SIGKILL
    with start("killed") as run:
        assert run.wait() == 0
    assert UNITS <= begun(notes) <= UNITS + KILLS
    notes.unlink()
    with start("undisturbed") as run:
        assert run.wait() == 0
    trees = [tree(tmp_path / name) for name in ("killed", "undisturbed")]
    manifests = [load_output(str(tmp_path / name)) for name in ("killed", "undisturbed")]
    assert manifests[0] == manifests[1]
    assert [found.pop("output.json") is not None for found in trees] == [True, True]
    assert trees[0] == trees[1]


def test_of_many_records_the_ledger_names_those_that_fail_and_no_others(echo_model: str, tmp_path: Path) -> None:
    (poison,) = Tokenizer.load(f"{echo_model}/tokenizer/joint.model").encode(["\u2620"])
    draw = random.Random(3)
    poisoned = {n for n in range(RECORDS) if draw.randrange(POISONED_OF) == 0}
    lines = [f"line {n}" + " \u2620" * (n in poisoned) for n in range(RECORDS)]
    (tmp_path / "a.txt").write_text("".join(f"{line}\n" for line in lines))
    values = {"model": echo_model, "input": [str(tmp_path / "a.txt")], "output": str(tmp_path / "out")}
    values["engine"] = {"kind": "echo", "fail_on_piece": int(poison[-1])}
    with pytest.raises(IncompleteError, match=f"{len(poisoned):,} of {RECORDS:,} records"):
        command.run(configuration.build(command.TranslateConfig, values))
    written = [path.read_text().split("\n")[:-1] for path in sorted((tmp_path / "out").glob("a-*.txt"))]
    assert [line for unit in written for line in unit] == [
        "" if n in poisoned else line for n, line in enumerate(lines)
    ]
    ledgers = sorted((tmp_path / "out" / "failures").glob("*.jsonl"))
    rows = [json.loads(line) for path in ledgers for line in path.read_text().splitlines()]
    assert [row["record"] for row in rows] == sorted(poisoned)
    assert all("asked to fail" in row["reason"] for row in rows)
