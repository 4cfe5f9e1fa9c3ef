"""Runs that are killed or crash, at many moments: the same command carries on and ends in the same bytes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.commands import translate as command
from seq2seq_core import config as configuration
from seq2seq_core.errors import IncompleteError
from seq2seq_core.inference.manifest import load_output
from tests.crashing import crashing_after

KILLED_AT_A_WRITE = """
import os, signal, sys
from seq2seq_core import storage
from pipelines.commands import translate as command
from seq2seq_core.config import build

model, inputs, output, last_write = sys.argv[1:]
writes, publish = [], storage.publish

def counted(url, **how):
    writes.extend([url] if ".claim" not in url else [])
    if len(writes) > int(last_write):
        os.kill(os.getpid(), signal.SIGKILL)
    return publish(url, **how)

storage.publish = counted
command.run(build(command.TranslateConfig, dict(
    model=model, input=[inputs], output=output, unit_records=2, engine={"kind": "echo"}
)))
"""


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"one\ntwo\nthree\n\xff\nfive\n")
    (folder / "b.jsonl").write_bytes(b'{"text": "six"}\n{"text": "seven"}\n')
    return folder


def config(model: str, inputs: Path, output: Path, unit_records: int = 2) -> command.TranslateConfig:
    values = {"model": model, "input": [str(inputs)], "output": str(output), "unit_records": unit_records}
    return configuration.build(command.TranslateConfig, values | {"engine": {"kind": "echo"}})


def translate(model: str, inputs: Path, output: Path, unit_records: int = 2, arguments: tuple[str, ...] = ()) -> None:
    with pytest.raises(IncompleteError, match="1 of 7 records"):
        command.run(config(model, inputs, output, unit_records), arguments)


def tree(folder: Path) -> dict[str, bytes]:
    """All files, the manifest without the one key that names the folder."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    manifest = load_output(str(folder)).model_copy(update={"configuration": {}})
    return found | {"output.json": manifest.model_dump_json().encode()}


def test_sigkill_at_several_writes_and_then_the_same_command(echo_model: str, inputs: Path, tmp_path: Path) -> None:
    for last_write in (2, 4):
        words = [echo_model, str(inputs), str(tmp_path / "killed"), str(last_write)]
        run = subprocess.run([sys.executable, "-c", KILLED_AT_A_WRITE, *words], capture_output=True, check=False)
        assert run.returncode == -signal.SIGKILL, run.stderr.decode()
        assert not (tmp_path / "killed" / "output.json").exists()
    translate(echo_model, inputs, tmp_path / "killed")
    translate(echo_model, inputs, tmp_path / "undisturbed")
    assert tree(tmp_path / "killed") == tree(tmp_path / "undisturbed")


@pytest.mark.parametrize("last_write", [1, 3, 8])
def test_a_crash_while_other_options_replace_a_finished_run(
    echo_model: str, inputs: Path, tmp_path: Path, last_write: int
) -> None:
    translate(echo_model, inputs, tmp_path / "out", unit_records=3)
    with crashing_after(last_write), pytest.raises(Exception, match="crash"):
        command.run(config(echo_model, inputs, tmp_path / "out"))
    assert not (tmp_path / "out" / "output.json").exists()
    translate(echo_model, inputs, tmp_path / "out")
    translate(echo_model, inputs, tmp_path / "undisturbed")
    assert tree(tmp_path / "out") == tree(tmp_path / "undisturbed")


@pytest.mark.parametrize(
    "arguments",
    [("--direct_running_mode=multi_processing", "--direct_num_workers=2"), ("--direct_runner_bundle_repeat=1",)],
    ids=["two workers", "every bundle twice"],
)
def test_workers_and_replays_do_not_change_a_byte(
    echo_model: str, inputs: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    translate(echo_model, inputs, tmp_path / "other", arguments=arguments)
    translate(echo_model, inputs, tmp_path / "usual")
    assert tree(tmp_path / "other") == tree(tmp_path / "usual")
