"""A pipeline in, run to its end; when it fails, the error of this project that caused it comes out, said once.

Workers send the runner the text of a traceback, so the type of an error is lost on the way: it is read back from the
line the traceback ends with, which holds the whole message (`errors.shown` leaves no line end in it). Beam logs
tracebacks as well, for every thread: that is left out for our errors, which the user gets to see anyway, and for what
breaks in other threads because the run has failed already.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult, PipelineState

from seq2seq_core import errors, foreign_errors
from seq2seq_core.errors import Seq2SeqError

_STEP = re.compile(r" \[while running '[^']*'\]")
_OURS = re.compile(r"\bseq2seq_core\.errors\.(\w+): (.*)")
_ANY = re.compile(r"^(?:RuntimeError: )*((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:: (.*))?$", re.MULTILINE)
_ESCAPED = re.compile(r"Traceback \(most recent call last\):\\+n")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)")


def run(pipeline: beam.Pipeline, wait: Callable[[PipelineResult], bool] | None = None) -> PipelineResult:
    """Run a pipeline to its end.

    Args:
        pipeline: What to run.
        wait: Waits for it, in the place of the runner's own way; whether it was cancelled as it should be.

    Raises:
        Seq2SeqError: The error of ours, of the system or of a library that ended it, or the job was cancelled. Mistakes
            in the program come as they are.
        KeyboardInterrupt: The user stopped it, wherever the signal found this process.
    """
    _leave_out_what_is_told()
    _first_failure.failed = False
    try:
        result = pipeline.run()
        if wait is None:
            result.wait_until_finish()
        elif wait(result):
            return result
    except Exception as error:
        interrupt = _interrupt_behind(error)
        if interrupt is not None:
            raise type(interrupt) from error
        ours = cause(error)
        if ours is None:
            raise
        raise ours from error
    if result.state != PipelineState.DONE:
        raise Seq2SeqError("the Beam job did not finish", found=result.state, expected=PipelineState.DONE)
    return result


def cause(error: BaseException) -> Seq2SeqError | None:
    """What to tell of a runner's error: the first error of this project in it, else the one of the system or a library
    that it ends with; None when there is neither.
    """
    if isinstance(error, Seq2SeqError):
        return type(error)(_STEP.sub("", str(error)))
    text = _plain(str(error))
    for found in _OURS.finditer(text):
        kind = getattr(errors, found[1], None)
        if isinstance(kind, type) and issubclass(kind, Seq2SeqError):
            return kind(_STEP.sub("", found[2]))
    told = foreign_errors.ours(error)
    if told is not None:
        return type(told)(_STEP.sub("", str(told)))
    last = next(reversed([found for found in _ANY.finditer(text) if _looks_raised(found)]), None)
    return foreign_errors.from_text(last[1], _STEP.sub("", last[2] or "")) if last else None


def _looks_raised(found: re.Match[str]) -> bool:
    """Whether a line is one that a traceback ends with: a class, and what it says; not any line with a colon."""
    name = found[1].rpartition(".")[2]
    return "." in found[1] or name.endswith(("Error", "Exception", "Interrupt", "Warning", "Exit"))


def _plain(text: str) -> str:
    """A traceback as it was printed: some runners hand it on as a text within a text, once or more often."""
    while _ESCAPED.search(text):
        text = _ESCAPE.sub(_unescape, text)
    return text


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else {"n": "\n", "t": "\t", "r": "\r"}.get(code, code)


class _FirstFailure(logging.Filter):
    """Lets one failure of a run through, unless it is of ours: a run that failed is taken down, and what breaks of that
    in other threads is no news.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failed = False

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        earlier, self.failed = self.failed, True
        return not earlier and _is_foreign(record)


_first_failure = _FirstFailure()


@functools.cache
def _leave_out_what_is_told() -> None:
    """Once and for good, as threads may outlive the run."""
    for name in ("common", "worker.sdk_worker", "worker.data_plane"):
        logging.getLogger(f"apache_beam.runners.{name}").addFilter(_first_failure)


def _is_foreign(record: logging.LogRecord) -> bool:
    """Whether a log record is not Beam's traceback of what the user gets to see anyway, in one line."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and (isinstance(error, KeyboardInterrupt) or cause(error) is not None):
        return False
    return cause(RuntimeError(record.getMessage())) is None


def _interrupt_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """The KeyboardInterrupt that lies behind an error: Beam wraps one that is raised inside a step."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error
    return _interrupt_behind(error.__cause__ or error.__context__)
