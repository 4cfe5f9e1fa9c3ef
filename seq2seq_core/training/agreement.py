"""What single processes found in; what all of them go by, or the same error on every one of them, out.

Nothing here lets a process wait for another that has left: whatever ends the work of one ends that of all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from seq2seq_core.errors import ConfigError, Seq2SeqError
from seq2seq_core.training.checkpoints.identity import first_difference
from seq2seq_core.training.processes.distributed import World
from seq2seq_core.training.processes.endings import PeerError
from seq2seq_core.training.processes.stop import STOP_SIGNALS, StopFlag

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 (it is none)
    """A stop signal has come; all processes leave at the same place. `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


class OtherFailedError(PeerError):
    """The work of another process failed."""


class LeftError(PeerError):
    """Another process is there no more."""


def together(world: World, work: Callable[[], T]) -> T:
    """Do some work on every process; what it gives on this one.

    Raises:
        Seq2SeqError: It failed somewhere: its own error, or that of the first other process, on every one.
    """
    error: Seq2SeqError | None = None
    try:
        value = work()
    except Seq2SeqError as caught:
        error = caught
    first = next((found for found in world.gather(error) if found is not None), None)
    if first is not None:
        raise error or first
    return value


def on_main(world: World, work: Callable[[], T]) -> T:
    """Do some work on the main process alone; what it gives, on all. Errors are those of `together`."""
    found: T = world.agree(together(world, lambda: work() if world.is_main else None))
    return found


def any_of(world: World, flags: Sequence[bool]) -> list[bool]:
    """Which of some flags any process has raised."""
    return [raised > 0 for raised in world.sum(torch.tensor(flags, dtype=torch.float64)).tolist()]


def check_alike(world: World, facts: Mapping[str, Any], problem: str, where: str, advice: str) -> None:
    """Make sure that all processes have the same facts; else a ConfigError on every one that names the first other."""
    first, *others = world.gather(dict(facts))
    for rank, other in enumerate(others, start=1):
        difference = first_difference(other, first)
        if difference is not None:
            name, found, expected = difference
            raise ConfigError(
                f"{problem}: {name} differs",
                where=where,
                found=f"{name} = {found} for process {rank}",
                expected=f"{name} = {expected} of process 0",
                advice=advice,
            )


class Turns:
    """Work that each process does in pieces of its own, and that all leave together.

    Between two pieces the processes meet. Those that are done with theirs go on meeting until all are, so that a
    stop signal to any of them, or the failure of one, reaches all at once.
    """

    def __init__(self, world: World, stop: StopFlag) -> None:
        self._world, self._stop = world, stop

    def over(self, pieces: Iterable[T]) -> Iterator[T]:
        """The pieces, with a meeting before each."""
        for piece in pieces:
            self.meet()
            yield piece

    def meet(self) -> None:
        """Hear of the others between two pieces of work.

        Raises:
            Stopped: A stop signal has come to one of the processes.
            TrainingError: The work of another one failed, or it is there no more.
        """
        self._meet(working=True)

    def sum(self, work: Callable[[], Tensor]) -> Tensor:
        """The sum over all processes of what the work of each gives; errors are those of `meet` and of the work."""
        try:
            mine = work()
        except (Stopped, LeftError, OtherFailedError):
            raise
        except Exception:
            with contextlib.suppress(Stopped, LeftError):
                self._meet(failed=True)
            raise
        while self._meet():
            pass
        return self._sum(mine)

    def _meet(self, *, working: bool = False, failed: bool = False) -> bool:
        """Whether any process still works."""
        mine = [working, failed, *(self._stop.received == number for number in STOP_SIGNALS)]
        some_work, some_failed, *signals = self._sum(torch.tensor(mine, dtype=torch.float64)).tolist()
        if some_failed and not failed:
            raise OtherFailedError("another process failed, and tells why")
        for number, times in zip(STOP_SIGNALS, signals, strict=True):
            if times:
                raise Stopped(number)
        return bool(some_work)

    def _sum(self, values: Tensor) -> Tensor:
        try:
            return self._world.sum(values)
        except RuntimeError as error:  # what torch.distributed raises
            raise LeftError("another process has left", found=str(error).partition("\n")[0]) from error
