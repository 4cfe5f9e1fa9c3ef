"""Exchanges of a process with its peers in; a line that names the one that is late, and an end, out.

Who waits in an exchange for one that does not come would wait until the group gives up, and be told no more than that.
So each process says in their store, every now and then, how many exchanges it has begun. Who has waited too long looks
there: late are those that have begun fewer, or have fallen silent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch.distributed import Store  # type: ignore[attr-defined]  # it has it where it is built with it

from seq2seq_core.errors import TrainingError
from seq2seq_core.training.processes.early import say
from seq2seq_core.training.processes.endings import EXIT_FAILED

_WARN_SHARE = 0.1
_SILENT_BEATS, _YIELD_BEATS = 4, 16
_MOST_NAMED = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Beat:
    """What a process says: exchanges that it has begun, how often it has said so, and its machine."""

    exchanges: int
    number: int
    host: str

    @staticmethod
    def parsed(text: str) -> Beat:
        """Of what stands in a store."""
        exchanges, number, host = text.split(" ", 2)
        return Beat(int(exchanges), int(number), host)

    def __str__(self) -> str:
        return f"{self.exchanges} {self.number} {self.host}"


class Pulse:
    """One process's pulse, and its feeling for that of the others.

    Args:
        store: That of the processes, which nobody else waits at.
        rank, size: This process among them.
        patience_seconds: How long an exchange may take.
        end: What is done after that.
        beat_seconds: Pause between two beats.
    """

    def __init__(
        self,
        store: Store,
        rank: int,
        size: int,
        patience_seconds: float,
        end: Callable[[int], object] = os._exit,
        beat_seconds: float = 1.0,
    ) -> None:
        self._store, self._rank, self._size, self._end = store, rank, size, end
        self._patience, self._beat_seconds = patience_seconds, min(beat_seconds, patience_seconds / 4)
        self._exchanges, self._beats = 0, 0
        self._since: float | None = None
        self._warned = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def exchanging(self) -> Iterator[None]:
        """All processes come here, and none goes on without the others; what is within another one is part of it."""
        if self._since is not None:
            yield
            return
        self._exchanges += 1
        self._warned = False
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the store is gone, and so is who holds it: exchanges tell of that
            while not self._ended.is_set():
                self._beat()
                since = self._since
                waited = 0.0 if since is None else time.monotonic() - since
                if waited > self._patience and self._gives_up(waited):
                    return
                if waited > _WARN_SHARE * self._patience and not self._warned:
                    self._warned = True
                    self._warn(waited)
                self._ended.wait(self._beat_seconds)

    def _beat(self) -> None:
        self._beats += 1
        beat = Beat(self._exchanges, self._beats, socket.gethostname())
        self._store.set(_key(self._rank), str(beat))

    def _beat_on(self, times: int) -> None:
        for _ in range(times):
            self._ended.wait(self._beat_seconds)
            self._beat()

    def _felt(self) -> dict[int, Beat]:
        """What each process has said last; nothing of one that has said nothing yet."""
        ranks = [rank for rank in range(self._size) if self._store.check([_key(rank)])]
        return {rank: Beat.parsed(self._store.get(_key(rank)).decode()) for rank in ranks}

    def _late(self) -> tuple[dict[int, Beat], dict[int, str]]:
        """All processes, and how those are late that are."""
        before = self._felt()
        self._beat_on(_SILENT_BEATS)
        now = self._felt()
        most = max(beat.exchanges for beat in now.values())
        late = {rank: "it is still at work before that" for rank, beat in now.items() if beat.exchanges < most}
        silent = [rank for rank, beat in now.items() if rank in before and beat.number == before[rank].number]
        return now, late | dict.fromkeys(silent, "nothing is heard of it")

    def _warn(self, waited: float) -> None:
        now, late = self._late()
        if late and self._rank == _first_in_time(now, late):
            logger.warning("waiting for %s for %.0f s", _named(now, late, self._size), waited)

    def _gives_up(self, waited: float) -> bool:
        """End, unless what was waited for has come meanwhile."""
        now, late = self._late()
        if self._since is None:
            return False
        if self._rank == _first_in_time(now, late):
            found = "; ".join(f"rank {rank}: {why}" for rank, why in [*late.items()][:_MOST_NAMED])
            error = TrainingError(
                "the others have waited too long" if late else "an exchange of all processes does not end",
                where=_named(now, late, self._size) if late else f"all {self._size} processes",
                found=f"{waited:.0f} s in exchange {now[self._rank].exchanges}" + (f"; {found}" if found else ""),
                expected=f"at most {self._patience:.0f} s",
                advice="Look at what it does, or at the network; late_minutes gives more time. The same command "
                "carries on from the newest checkpoint.",
            )
            say(f"training (rank {self._rank}): {error}")
        else:
            self._beat_on(_YIELD_BEATS)  # or who tells would take this one for silent
        self._end(EXIT_FAILED)
        return True


def _first_in_time(beats: dict[int, Beat], late: dict[int, str]) -> int:
    """The process that tells of those that are late."""
    return min((rank for rank in beats if rank not in late), default=0)


def _named(beats: dict[int, Beat], late: dict[int, str], size: int) -> str:
    named = ", ".join(f"rank {rank} of {size} on {beats[rank].host}" for rank in [*late][:_MOST_NAMED])
    return named + (f" and {len(late) - _MOST_NAMED} more" if len(late) > _MOST_NAMED else "")


def _key(rank: int) -> str:
    return f"pulse/{rank}"
