"""The error a user sees when a worker fails: ours, without the engine's wrapping."""

from __future__ import annotations

import logging

import apache_beam as beam
import pytest

from pipelines import beam_options, failures
from seq2seq_core.errors import InputError, TokenizerError


def refuse(element: int) -> int:
    raise InputError("the row is unreadable", where="corpus.en, line 7", found=element)


def break_down(element: int) -> float:
    return element / 0


def interrupt(element: int) -> int:
    raise KeyboardInterrupt


def run(function: object) -> None:
    pipeline = beam.Pipeline(options=beam_options.parse([]))
    _ = pipeline | beam.Create([3]) | "Step" >> beam.Map(function)
    failures.run(pipeline)


def test_our_error_comes_out_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(InputError) as error:
        run(refuse)
    assert str(error.value) == "corpus.en, line 7: the row is unreadable; found 3"
    assert not caplog.records


def test_other_errors_come_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError):
        run(break_down)


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
