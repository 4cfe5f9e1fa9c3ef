"""The error a user sees when a worker fails: ours, without the engine's wrapping."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType

import apache_beam as beam
import pytest

from pipelines.graphs import failures, options
from seq2seq_core.errors import InputError, Seq2SeqError, TokenizerError


def refuse(element: int) -> int:
    raise InputError("the row is unreadable", where="corpus.en, line 7", found=element)


def break_down(element: int) -> float:
    return element / 0


def interrupt(element: int) -> int:
    raise KeyboardInterrupt


def run(function: object, arguments: Sequence[str] = ()) -> None:
    pipeline = beam.Pipeline(options=options.parse(arguments))
    _ = pipeline | beam.Create([3]) | "Step" >> beam.Map(function)
    failures.run(pipeline)


def in_threads(function: FunctionType) -> str:
    """What a process says that runs a pipeline in threads: they outlive it, and would speak in the next test."""
    script = f"""
import logging, os, sys

logging.basicConfig(level=logging.ERROR, format="logged: %(message)s")
sys.path.insert(0, {str(Path(__file__).parent)!r})
import {Path(__file__).stem} as steps

try:
    steps.run(steps.{function.__name__}, ["--direct_running_mode=multi_threading", "--direct_num_workers=2"])
except BaseException as error:
    print(f"{{type(error).__name__}}: {{error}}", file=sys.stderr, flush=True)
os._exit(0)
"""
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=120)
    assert not run.stdout
    return run.stderr


def test_our_error_comes_out_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(InputError) as error:
        run(refuse)
    assert str(error.value) == "corpus.en, line 7: the row is unreadable; found 3"
    assert not caplog.records


def test_from_threads_our_error_is_the_last_line_and_nothing_is_logged() -> None:
    """Beam prints a traceback there, whatever the error."""
    told = in_threads(refuse)
    assert told.splitlines()[-1] == "InputError: corpus.en, line 7: the row is unreadable; found 3"
    assert "logged: " not in told


def test_other_errors_come_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError):
        run(break_down)


def test_other_errors_of_threads_are_logged_once() -> None:
    told, comes_out = in_threads(break_down).split("RuntimeError: ", 1)
    assert told.count("logged: ") == 1
    assert "ZeroDivisionError: division by zero" in comes_out


def test_what_breaks_because_the_run_has_failed_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Beam forgets the bundles of the threads at work when it takes a failed run down, and closes their connections."""
    with caplog.at_level(logging.ERROR):
        with pytest.raises(InputError):
            run(refuse)
        logging.getLogger("apache_beam.runners.worker.sdk_worker").error("KeyError: 'bundle_7'")
    assert not caplog.records


def test_the_next_run_tells_its_own_failure(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        with pytest.raises(InputError):
            run(refuse)
        with pytest.raises(ZeroDivisionError):
            run(break_down)
    assert len(caplog.records) == 1


def test_an_interrupt_inside_a_step_is_an_interrupt(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(KeyboardInterrupt):
        run(interrupt)
    assert not caplog.records


def run_out_of_space(element: int) -> int:
    raise OSError(28, "No space left on device", "out/unit-3")


def find_damage(element: int) -> int:
    raise OSError("Corrupt snappy compressed data.")


def find_a_name(element: int) -> bytes:
    return "caf\udce9".encode()


FOREIGN = [
    (run_out_of_space, "StorageError: out/unit-3: the disk is full; found No space left on device. Make room"),
    (find_damage, "StorageError: a file cannot be read or written; found Corrupt snappy compressed data."),
    (find_a_name, "InputError: a text or a name is not UTF-8; found"),
]


@pytest.mark.parametrize(("function", "message"), FOREIGN)
def test_errors_of_the_system_are_one_line_too(
    function: FunctionType, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(Seq2SeqError) as error:
        run(function)
    assert f"{type(error.value).__name__}: {error.value}".startswith(message)
    assert "[while running" not in str(error.value)
    assert not caplog.records


@pytest.mark.parametrize(("function", "message"), FOREIGN)
def test_so_they_are_from_threads(function: FunctionType, message: str) -> None:
    told = in_threads(function)
    assert told.splitlines()[-1].startswith(message)
    assert "logged: " not in told


ODD = "a\nb 'c' \\n \\\\ \x1b[0m \udce9 [while"


@pytest.mark.parametrize("times", [0, 1, 2])
def test_the_whole_of_a_message_comes_back_however_often_it_was_quoted(times: int) -> None:
    error = InputError("the row is unreadable", where="corpus.en, line 7", found=ODD, advice="Look: there.")
    text = f"Traceback (most recent call last):\n  File 'x'\n{type(error).__module__}.InputError: {error}"
    text += " [while running 'Stage units/Do']\n"
    for _ in range(times):
        text = f"Error from SDK harness: {json.dumps(text)}"
    ours = failures.cause(RuntimeError(text))
    assert isinstance(ours, InputError)
    assert str(ours).rstrip('"') == str(error)


def test_a_mistake_that_follows_an_error_of_the_system_is_not_hidden() -> None:
    text = (
        "Traceback (most recent call last):\n  File ...\nOSError: [Errno 28] No space left on device\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\n  File ...\nTypeError: 3 is no text [while running 'x']\n"
    )
    assert failures.cause(RuntimeError(text)) is None


def test_our_error_is_found_in_the_text_of_a_remote_traceback() -> None:
    text = (
        "Traceback (most recent call last):\n  File ...\n"
        "seq2seq_core.errors.TokenizerError: too small; expected at most 12. Set it.\n\nDuring handling ...\n"
        "seq2seq_core.errors.TokenizerError: too small; expected at most 12. Set it. [while running 'Train']\n"
    )
    ours = failures.cause(RuntimeError(text))
    assert isinstance(ours, TokenizerError)
    assert str(ours) == "too small; expected at most 12. Set it."
    assert failures.cause(RuntimeError("seq2seq_core.errors.Unheard: x")) is None
    assert failures.cause(RuntimeError("worker lost")) is None
