"""A function and the arguments of many calls in, what it returns for each out: whoever does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

R = TypeVar("R")


class Workers(Protocol):
    """Do calls of functions of modules; they can be sent with a graph to where it runs, on the same machine."""

    def map(self, function: Callable[..., R], calls: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """What the function returns for the arguments of each call, in the order of the calls.

        Raises:
            Seq2SeqError: A worker died. What the function raises comes as it is, and nothing more is begun.
        """


@dataclass(frozen=True)
class _Here:
    def map(self, function: Callable[..., R], calls: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        return (function(*arguments) for arguments in calls)


HERE: Workers = _Here()
"""The thread that asks for it, one call after the other."""
