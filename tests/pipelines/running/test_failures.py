"""The error a user sees when a worker fails: ours, without the engine's wrapping."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import FunctionType

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.running import beam_options, failures
from seq2seq_core.errors import InputError, TokenizerError


def refuse(element: int) -> int:
    raise InputError("the row is unreadable", where="corpus.en, line 7", found=element)


def break_down(element: int) -> float:
    return element / 0


def interrupt(element: int) -> int:
    raise KeyboardInterrupt


def run(function: object, options: PipelineOptions | None = None) -> None:
    pipeline = beam.Pipeline(options=options or beam_options.parse([]))
    _ = pipeline | beam.Create([3]) | "Step" >> beam.Map(function)
    failures.run(pipeline)


def in_threads(function: FunctionType) -> str:
    """What a process says that runs a pipeline in threads: they outlive it, and would speak in the next test."""
    script = f"""
import logging, os, sys

logging.basicConfig(level=logging.ERROR, format="%(message)s")
sys.path.insert(0, {str(Path(__file__).parent)!r})
import {Path(__file__).stem} as steps
from pipelines.running import beam_options

try:
    steps.run(steps.{function.__name__}, beam_options.parse([], local_threads=2))
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


def test_our_error_comes_out_alone_from_threads() -> None:
    assert in_threads(refuse) == "InputError: corpus.en, line 7: the row is unreadable; found 3\n"


def test_other_errors_come_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError):
        run(break_down)


def test_other_errors_of_threads_are_told_once() -> None:
    told, comes_out = in_threads(break_down).split("RuntimeError: ", 1)
    assert told.count("ZeroDivisionError: division by zero\n") == 1
    assert "ZeroDivisionError: division by zero" in comes_out


def test_what_breaks_because_the_run_has_failed_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """Beam forgets the bundles of the threads at work when it takes a failed run down, and closes their connections."""
    with caplog.at_level(logging.ERROR):
        with pytest.raises(InputError):
            run(refuse)
        logging.getLogger("apache_beam.runners.worker.sdk_worker").error("KeyError: 'bundle_7'")
        thread = threading.Thread(target=break_down, args=(1,))  # pytest would warn, and warnings are errors
        thread.start()
        thread.join()
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
