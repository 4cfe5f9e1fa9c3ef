"""The error a user sees when a worker fails: ours, without the engine's wrapping."""

from __future__ import annotations

import logging

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import beam_options, failures
from seq2seq_core.errors import InputError, TokenizerError


def refuse(element: int) -> int:
    raise InputError("the row is unreadable", where="corpus.en, line 7", found=element)


def break_down(element: int) -> float:
    return element / 0


def interrupt(element: int) -> int:
    raise KeyboardInterrupt


THREADS = beam_options.parse([], local_threads=2)


def run(function: object, options: PipelineOptions | None = None) -> None:
    pipeline = beam.Pipeline(options=options or beam_options.parse([]))
    _ = pipeline | beam.Create([3]) | "Step" >> beam.Map(function)
    failures.run(pipeline)


def test_our_error_comes_out_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(InputError) as error:
        run(refuse)
    assert str(error.value) == "corpus.en, line 7: the row is unreadable; found 3"
    assert not caplog.records


def test_our_error_comes_out_alone_from_threads(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(InputError, match=r"^corpus\.en, line 7: .* found 3$"):
        run(refuse, THREADS)
    assert not caplog.records
    assert capsys.readouterr() == ("", "")


def test_other_errors_come_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError):
        run(break_down)


def test_other_errors_of_threads_are_told_once(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run(break_down, THREADS)
    assert len(caplog.records) == 1
    assert capsys.readouterr() == ("", "")


def test_what_breaks_because_the_run_has_failed_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """Beam forgets the bundles of the threads still at work when it takes a failed run down, and they stumble."""
    worker = logging.getLogger("apache_beam.runners.worker.sdk_worker")
    with caplog.at_level(logging.ERROR):
        with pytest.raises(InputError):
            run(refuse, THREADS)
        worker.error("Error processing instruction %s. Original traceback is\n%s\n", "bundle_7", "KeyError: 'bundle_7'")
    assert not caplog.records


def test_the_next_run_tells_its_own_failure(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        with pytest.raises(InputError):
            run(refuse, THREADS)
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            run(break_down, THREADS)
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
