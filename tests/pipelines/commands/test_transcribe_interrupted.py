"""Transcriptions that are killed, crash or are interrupted: the same command carries on and ends in the same bytes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.commands import transcribe as command
from seq2seq_core import config as configuration
from seq2seq_core.errors import IncompleteError
from tests.crashing import crashing_after
from tests.processes import tree
from tests.tone_speech import talk, tree_of, write

RUN = """
import os, signal, sys, time
from seq2seq_core import storage
from pipelines import cli
from pipelines.commands import transcribe as command

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background is deaf to it
last_write, workers = int(sys.argv.pop(1)), int(sys.argv.pop(1))
writes, publish = [], storage.publish

def counted(url, **how):
    writes.extend([url] if ".claim" not in url else [])
    if len(writes) > last_write >= 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return publish(url, **how)

storage.publish = counted
command._SMALL_BYTES, command.usable_cores = 0, lambda: workers
sys.exit(cli.console())
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short recordings, a long one, and one that is none."""
    folder = tmp_path_factory.mktemp("in")
    for number in range(3):
        write(folder / "short" / f"{number}.flac", talk(6, seed=number))
    write(folder / "long.flac", talk(45, seed=9))
    (folder / "none.wav").write_bytes(b"")
    return folder


def words(model: str, inputs: Path, output: Path) -> list[str]:
    places = ["--model", model, "--input", str(inputs), "--output", str(output)]
    how = ["--engine.kind", "echo", "--voice.method", "energy", "--unit_seconds", "10", "--format", "json", "srt"]
    return ["transcribe", *places, *how]


def start(arguments: list[str], last_write: int = -1, workers: int = 1) -> subprocess.Popen[str]:
    run = [sys.executable, "-c", RUN, str(last_write), str(workers), *arguments]
    return subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def transcribe(model: str, inputs: Path, output: Path, arguments: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The whole run here; its tree."""
    values = {"model": model, "input": [str(inputs)], "output": str(output), "unit_seconds": 10}
    values |= {"engine": {"kind": "echo"}, "voice": {"method": "energy"}, "format": ["json", "srt"]}
    with pytest.raises(IncompleteError, match="1 of 5 recordings"):
        command.run(configuration.build(command.TranscribeConfig, values), arguments)
    return tree_of(tree(output))


@pytest.fixture(scope="module")
def undisturbed(echo_model: str, inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return transcribe(echo_model, inputs, tmp_path_factory.mktemp("undisturbed"))


def test_sigkill_at_several_writes_and_then_the_same_command(
    echo_model: str, inputs: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    output = tmp_path / "out"
    for last_write in (4, 9):
        run = start(words(echo_model, inputs, output), last_write)
        _, messages = run.communicate(timeout=120)
        assert run.returncode == -signal.SIGKILL, messages
        assert not (output / "output.json").exists()
    assert len(list(output.glob(".speech/*.jsonl"))) > 2
    assert transcribe(echo_model, inputs, output) == undisturbed


@pytest.mark.slow
def test_sigkill_of_processes_at_any_moment_and_then_the_same_command(
    echo_model: str, inputs: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """The processes of this machine share the work, and all of them die."""
    output = tmp_path / "out"
    run = start(words(echo_model, inputs, output), workers=2)
    while run.poll() is None and not list(output.glob(".speech/*.jsonl")):
        time.sleep(0.01)
    time.sleep(random.random() / 10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=60)
    again = start(words(echo_model, inputs, output), workers=2)
    _, messages = again.communicate(timeout=120)
    assert again.returncode == 3, messages
    assert tree_of(tree(output)) == undisturbed


def test_an_interrupt_is_one_line_and_the_same_command_carries_on(
    echo_model: str, inputs: Path, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    output = tmp_path / "out"
    run = start(words(echo_model, inputs, output))
    while run.poll() is None and not list(output.glob(".units/.speech/*.json")):
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, messages = run.communicate(timeout=60)
    assert run.returncode == 130, messages
    assert messages.splitlines()[-1] == "seq2seq: interrupted; the same command carries on from what is finished"
    assert "Traceback" not in messages
    assert transcribe(echo_model, inputs, output) == undisturbed


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--direct_running_mode=multi_processing", "--direct_num_workers=2"), marks=pytest.mark.slow),
        ("--direct_runner_bundle_repeat=1",),
    ],
    ids=["two workers", "every bundle twice"],
)
def test_workers_and_replays_do_not_change_a_byte(
    echo_model: str, inputs: Path, tmp_path: Path, undisturbed: dict[str, bytes], arguments: tuple[str, ...]
) -> None:
    assert transcribe(echo_model, inputs, tmp_path / "other", arguments) == undisturbed


@pytest.mark.parametrize("last_write", [4, pytest.param(12, marks=pytest.mark.slow)])
def test_a_crash_while_other_options_replace_a_finished_run(
    echo_model: str, inputs: Path, tmp_path: Path, undisturbed: dict[str, bytes], last_write: int
) -> None:
    output = tmp_path / "out"
    values = {"model": echo_model, "input": [str(inputs)], "output": str(output), "format": ["txt"]}
    values |= {"engine": {"kind": "echo"}, "voice": {"method": "energy"}, "chunks": {"longest": 3}}
    with pytest.raises(IncompleteError):
        command.run(configuration.build(command.TranscribeConfig, values))
    with crashing_after(last_write), pytest.raises(Exception, match="crash"):
        transcribe(echo_model, inputs, output)
    assert not (output / "output.json").exists()
    assert transcribe(echo_model, inputs, output) == undisturbed
