"""What an engine is to do in, what it made of each item or why it failed on it out: one must not lose the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from seq2seq_core.errors import ModelError, Seq2SeqError

_log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


def isolated(run: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], nothing: T, noun: str) -> list[R | str]:
    """Do all items together; when that fails, find those that it fails for.

    Args:
        run: The engine: a result for each item.
        items: What it is given.
        nothing: An empty item, with which the engine itself is tried.
        noun: What messages call items.

    Returns:
        A result for each item, or the reason on one line.

    Raises:
        Seq2SeqError: The engine fails even on an empty item: it, not an item, is broken.
    """
    if not items:
        return []
    try:
        return [*run(items)]
    except Exception as error:  # noqa: BLE001 - whatever an engine raises, one record must not lose the others
        _log.debug("the engine failed on %d %s", len(items), noun, exc_info=True)
        _check(run, nothing)
        _log.warning("the engine failed on %d %s, which are tried apart: %s", len(items), noun, reason_of(error))
    return [outcome for half in _halves(items) for outcome in _halved(run, half, noun)]


def reason_of(error: Exception) -> str:
    """Why something failed, on one line."""
    if isinstance(error, Seq2SeqError):
        return str(error)
    return f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"


def _check(run: Callable[[Sequence[T]], Sequence[R]], nothing: T) -> None:
    """Raise when the engine is broken as a whole: that is for the caller, not for a ledger."""
    try:
        run([nothing])
    except Seq2SeqError:
        raise
    except Exception as error:
        raise ModelError(
            "the engine fails on every input, even an empty one",
            found=reason_of(error),
            advice="Try another device or model, or see the log at debug level.",
        ) from error


def _halved(run: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], noun: str) -> list[R | str]:
    """Halve until each item that fails stands alone."""
    try:
        return [*run(items)]
    except Exception as error:  # noqa: BLE001 - as above
        _log.debug("the engine failed on %d %s", len(items), noun, exc_info=True)
        if len(items) == 1:
            return [reason_of(error)]
    return [outcome for half in _halves(items) for outcome in _halved(run, half, noun)]


def _halves(items: Sequence[T]) -> list[Sequence[T]]:
    middle = len(items) // 2
    return [half for half in (items[:middle], items[middle:]) if half]
