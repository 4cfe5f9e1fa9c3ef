"""Ctrl-C and SIGTERM at any moment: one line, at once, and the same command carries on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2seq_core.dataset.manifest import load_manifest

PAIRS = 150_000  # over 32 MiB, from where on the local runner gets a thread a core
CARRIES_ON = "; the same command carries on from what is finished"
INTERRUPTED = f"seq2seq: interrupted{CARRIES_ON}"
TOLD = {signal.SIGINT: (130, INTERRUPTED), signal.SIGTERM: (143, f"seq2seq: terminated{CARRIES_ON}")}

# Tests that run in the background are deaf to SIGINT, and so would be what they start.
HEARING = """
import signal, sys
from pipelines import cli

signal.signal(signal.SIGINT, signal.default_int_handler)
"""

RUN = f"{HEARING}sys.exit(cli.console())"

WORK_THAT_IS_INTERRUPTED = f"""{HEARING}
import atexit, logging, os, threading, time

def break_down():
    raise ConnectionError("the job server is gone")

def work(words, is_alone):
    atexit.register(print, "the job server is stopped")
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
        time.sleep(90)
    finally:
        logging.getLogger("apache_beam").error("the connection to a worker broke")
        broken = threading.Thread(target=break_down)
        broken.start()
        broken.join()

cli._dispatch = work
threading.Thread(target=time.sleep, args=(120,)).start()
cli.console()
"""


@pytest.mark.parametrize("number", TOLD)
def test_what_was_started_is_stopped_and_nothing_else_is_said_or_waited_for(number: signal.Signals) -> None:
    command = [sys.executable, "-c", WORK_THAT_IS_INTERRUPTED, str(int(number))]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    code, line = TOLD[number]
    assert (run.returncode, run.stdout, run.stderr) == (code, "the job server is stopped\n", f"{line}\n")


AMID_NATIVE_WORK = f"""{HEARING}
import os
import pydantic

class Row(pydantic.BaseModel):
    @pydantic.model_serializer
    def as_ever(self):
        os.kill(os.getpid(), int(sys.argv[1]))

def work(words, is_alone):
    Row().model_dump_json()

cli._dispatch = work
cli.console()
"""


@pytest.mark.parametrize("number", TOLD)
def test_a_stop_amid_the_work_of_a_library_is_not_taken_for_a_mistake_of_that(number: signal.Signals) -> None:
    """One that calls back from native code hands on what is raised there as an error of its own."""
    command = [sys.executable, "-c", AMID_NATIVE_WORK, str(int(number))]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    code, line = TOLD[number]
    assert (run.returncode, run.stderr) == (code, f"{line}\n")


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("corpus")
    for side, words in (
        ("en", "the quick brown fox jumps over the lazy dog"),
        ("de", "der Fuchs springt über den Hund"),
    ):
        lines = (f"{number} {words} {number * number} {words} {side} {words}" for number in range(PAIRS))
        (folder / f"train.{side}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = ["--source", str(folder / "train.en"), "--target", str(folder / "train.de")]
    words = [*names, "--tokenizer.vocabulary_size", "300", "--tokenizer.sample_rows", "2000", "--report", "false"]
    return [sys.executable, "-c", RUN, "prepare", *words, "--output"]


# What shows that the work has got so far: a pattern of files below the output folder.
@pytest.mark.parametrize(
    ("stage", "number"),
    [
        ("_work/**/staged", signal.SIGINT),
        ("_work/**/staged/*.json", signal.SIGINT),
        ("_work/**/staged/*.json", signal.SIGTERM),
        ("train/*.parquet", signal.SIGINT),
    ],
)
def test_an_interrupt_is_one_line_and_the_same_command_carries_on(
    command: list[str], stage: str, number: signal.Signals, tmp_path: Path
) -> None:
    output = tmp_path / "data"
    with subprocess.Popen(
        [*command, str(output)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and not any(output.glob(stage)):
            time.sleep(0.01)
        process.send_signal(number)
        _, messages = process.communicate(timeout=60)
    code, line = TOLD[number]
    assert process.returncode == code, messages
    assert messages.splitlines()[-1] == line
    assert "Traceback" not in messages
    assert "Fatal" not in messages
    subprocess.run([*command, str(output)], check=True, capture_output=True)
    assert load_manifest(str(output)).ledger.read == PAIRS
