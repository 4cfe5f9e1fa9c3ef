"""A command and a number in; so many processes of it on this machine, started and ended together, and how, out.

They find the variables that torchrun sets. Unlike there, a stop signal is a flag that is looked at and breaks into
nothing, and how they ended follows from a rule, not from which was looked at first.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq_core.errors import TrainingError
from seq2seq_core.training.processes.early import STOP_SIGNALS
from seq2seq_core.training.processes.endings import shell_code
from seq2seq_core.training.processes.parent import GRACE_SECONDS
from seq2seq_core.training.processes.place import Place, variables
from seq2seq_core.training.processes.stop import StopFlag

_PEERS_SECONDS = 30
_LOOK_SECONDS = 0.05
_STOPPED = {code for number in STOP_SIGNALS for code in (128 + number, -number)}


@dataclass(frozen=True)
class Ending:
    """How the processes ended: all well, by a stop signal, or for one of them, the first that failed.

    Attributes:
        stopped_by: The stop signal that this process got, or None.
        rank: The process that failed; None where none did.
        signal: The signal that ended it, or None.
        code: The exit code of it all, as shells show it.
    """

    stopped_by: int | None
    rank: int | None
    signal: int | None
    code: int


def run_ranks(command: Sequence[str], count: int, address: tuple[str, int]) -> Ending:
    """Run a command in several processes that meet at an address, until all have ended.

    When one fails, or this process is asked to stop, all are asked to, and killed if they have not in some time. They
    have sessions of their own: Ctrl-C on a terminal reaches this process alone, which passes it on as SIGTERM.

    Raises:
        TrainingError: The system starts no more processes.
    """
    places = [Place(rank, count, rank, count, address) for rank in range(count)]
    ranks: list[subprocess.Popen[bytes]] = []
    with StopFlag().listening() as stop:
        try:
            ranks.extend(_started(command, place) for place in places)
            return _Watch(ranks, stop).until_all_ended()
        finally:
            _end(ranks)


def _started(command: Sequence[str], place: Place) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **variables(place)}
    try:
        return subprocess.Popen(  # noqa: S603 (it is this program)
            command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise TrainingError(
            "the system starts no more processes",
            where=f"rank {place.rank} of {place.size}",
            found=error,
            advice="Start fewer, by --processes.",
        ) from None


def _end(ranks: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in ranks:
        if process.poll() is None:
            process.kill()
            process.wait()


class _Watch:
    """Looks at processes until the last one has ended."""

    def __init__(self, ranks: Sequence[subprocess.Popen[bytes]], stop: StopFlag) -> None:
        self._ranks, self._stop = ranks, stop
        self._failed: dict[int, int] = {}
        self._until: float | None = None

    def until_all_ended(self) -> Ending:
        while self._look():
            time.sleep(_LOOK_SECONDS)
        return self._ending()

    def _look(self) -> bool:
        """Note what has failed, in the order in which it is seen, and end the others in time; whether any is left."""
        codes = [process.poll() for process in self._ranks]
        for rank, code in enumerate(codes):
            if code and rank not in self._failed:
                self._failed[rank] = code
        if self._until is None and (self._failed or self._stop.received is not None):
            is_stopped = _STOPPED.issuperset(self._failed.values())
            self._until = time.monotonic() + (GRACE_SECONDS if is_stopped else _PEERS_SECONDS)
            for process in self._ranks:
                process.terminate()  # does nothing to one that has ended
        elif self._until is not None and time.monotonic() > self._until:
            _end(self._ranks)
        return None in codes

    def _ending(self) -> Ending:
        """Those that were stopped count only if there are no others: all are stopped when one has failed."""
        stopped_by = self._stop.received
        for rank, code in self._failed.items():
            if code not in _STOPPED:
                return Ending(stopped_by, rank, -code if code < 0 else None, shell_code(code))
        if stopped_by is not None:
            return Ending(stopped_by, None, None, 128 + stopped_by)
        return Ending(None, None, None, shell_code(next(iter(self._failed.values()), 0)))
