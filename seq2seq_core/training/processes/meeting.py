"""This process's place in; the store through which all processes find one another out, or one line on who is missing.

The first process says in the store by which name it gathers the others; each of them says under that name that it is
here, and the first one, when all are, who they are. A launcher that starts its processes again may hold the same
store: whoever is not among those that are complete then waits for the next gathering. Waiting is done in short pieces,
so that a stop signal is heard.
"""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import torch.distributed as dist
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]  # it has them where it is built with it

from seq2seq_core.errors import ConfigError, TrainingError
from seq2seq_core.training.processes.place import Place

LOCAL_HOST = "127.0.0.1"

_PREFIX = "seq2seq/"
_GATHERING = f"{_PREFIX}gathering"
_COMPLETE = "complete"
_PAUSE_SECONDS, _TRY_SECONDS = 0.1, 10.0
_MOST_NAMED = 8

logger = logging.getLogger(__name__)


class Patience:
    """How long peers are waited for, and when that is said: after a few seconds, and every minute from then on."""

    def __init__(self, seconds: float = 1800, quiet_seconds: float = 5, between_seconds: float = 60) -> None:
        self._seconds = seconds
        self._between_seconds = between_seconds
        self._until = time.monotonic() + seconds
        self._next = time.monotonic() + quiet_seconds

    def wait(self, place: Place, for_whom: Callable[[], str]) -> None:
        """Wait a moment, and say for whom where that is due: once on each machine.

        Raises:
            TrainingError: It has been long enough.
        """
        now = time.monotonic()
        if now >= self._until:
            raise TrainingError(
                "not all processes have come",
                where=place.meeting,
                found=f"rank {place.rank} of {place.size} waiting for {for_whom()} for {self._seconds:.0f} s",
                advice="Start all of them, with the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE, and see that they "
                "reach one another. The same command carries on from what is finished.",
            )
        if now >= self._next and place.local_rank == 0:
            logger.warning("rank %d of %d waits for %s at %s", place.rank, place.size, for_whom(), place.meeting)
            self._next = now + self._between_seconds
        time.sleep(_PAUSE_SECONDS)


def meet(place: Place, patience: Patience | None = None) -> Store:
    """Return a store of these processes alone, when all have come.

    Raises:
        ConfigError: The port is in use, or the processes do not agree on how many they are, or two have one rank.
        TrainingError: Not all came in time.
    """
    patience = patience or Patience()
    store, card = _opened(place, patience), uuid.uuid4().hex
    gathering, sizes, cards = (_gathered if place.rank == 0 else _told)(place, store, patience, card)
    if sizes != str(place.size):
        raise ConfigError(
            "the processes do not agree on how many they are",
            where="WORLD_SIZE",
            found=f"{place.size} for rank {place.rank}, and {sizes} among those at {place.meeting}",
            advice="Start all of them with the same WORLD_SIZE.",
        )
    if card not in cards:
        raise _one_too_many(place)
    return PrefixStore(_key(gathering, ""), store)


def _opened(place: Place, patience: Patience) -> Store:
    host, port = place.address
    if place.rank == 0 and not place.is_hosted:
        return opened_store(port)
    while (problem := _unreachable(host, port)) is not None:
        patience.wait(place, partial("rank 0 ({})".format, problem))
    try:
        return _answer(lambda: _store(host, port, is_master=False))
    except RuntimeError as error:
        raise TrainingError(
            "what listens here is no rank 0 of a training",
            where=place.meeting,
            found=_first_line(error),
            advice="Choose a port that nothing else uses, for all processes alike.",
        ) from None


def opened_store(port: int = 0) -> TCPStore:
    """A store that this process holds for all; with port 0, at one that is free: see its attribute `port`.

    Raises:
        ConfigError: The port is in use.
    """
    try:
        return _store(LOCAL_HOST, port, is_master=True)
    except RuntimeError as error:
        raise ConfigError(
            "this port cannot be opened",
            where="MASTER_PORT",
            found=f"{port} ({_first_line(error)})",
            advice="Choose a port that nothing uses, for all processes alike.",
        ) from None


def _store(host: str, port: int, *, is_master: bool) -> TCPStore:
    store = TCPStore(
        host, port, None, is_master, timedelta(seconds=_TRY_SECONDS), wait_for_workers=False, multi_tenant=True
    )
    store.set_timeout(dist.default_pg_timeout)
    store.check([_GATHERING])
    return store


def _answer(ask: Callable[[], Store]) -> Store:
    """What is asked for, which may wait for ever: another program says nothing where a store would."""
    answers: queue.SimpleQueue[Store | RuntimeError] = queue.SimpleQueue()

    def listen() -> None:
        try:
            answers.put(ask())
        except RuntimeError as error:
            answers.put(error)

    threading.Thread(target=listen, name="store", daemon=True).start()
    try:
        answer = answers.get(timeout=_TRY_SECONDS)
    except queue.Empty:
        answer = RuntimeError(f"no answer in {_TRY_SECONDS:.0f} s")
    if isinstance(answer, RuntimeError):
        raise answer
    return answer


def _unreachable(host: str, port: int) -> OSError | None:
    try:
        socket.create_connection((host, port), timeout=_TRY_SECONDS).close()
    except OSError as error:
        return error
    return None


_Gathering = tuple[str, str, Sequence[str]]
"""Its name, the world sizes that its processes know, and a card of each."""


def _gathered(place: Place, store: Store, patience: Patience, card: str) -> _Gathering:
    """Wait for all as rank 0, and tell them who they are."""
    gathering = uuid.uuid4().hex
    keys = [_key(gathering, rank) for rank in range(place.size)]
    store.set(keys[0], f"{place.size} {card}")
    store.set(_GATHERING, gathering)
    while not store.check(keys):
        if store.get(_GATHERING).decode() != gathering:
            raise _one_too_many(place)
        patience.wait(place, lambda: _missing(keys, store))
    found = [store.get(key).decode().split() for key in keys]
    sizes = sorted({int(size) for size, _ in found})
    told, cards = "+".join(map(str, sizes)), [card for _, card in found]
    store.set(_key(gathering, _COMPLETE), " ".join([told, *cards]))
    if len(sizes) > 1:
        time.sleep(10 * _PAUSE_SECONDS)  # the others read it before the store goes with this process
    return gathering, told, cards


def _told(place: Place, store: Store, patience: Patience, card: str) -> _Gathering:
    """Come to where rank 0 gathers, and wait to hear who is there."""
    gathering = ""
    while True:
        now = store.get(_GATHERING).decode() if store.check([_GATHERING]) else ""
        if now != gathering:
            gathering = now
            store.set(_key(gathering, place.rank), f"{place.size} {card}")
        if gathering and store.check([_key(gathering, _COMPLETE)]):
            sizes, *cards = store.get(_key(gathering, _COMPLETE)).decode().split()
            if card in cards or not place.is_hosted:
                return gathering, sizes, cards
        patience.wait(place, lambda: "other ranks")


def _missing(keys: Sequence[str], store: Store) -> str:
    ranks = [rank for rank, key in enumerate(keys) if not store.check([key])]
    named = ", ".join(map(str, ranks[:_MOST_NAMED]))
    more = f" and {len(ranks) - _MOST_NAMED} more" if len(ranks) > _MOST_NAMED else ""
    return f"rank{'s' if len(ranks) > 1 else ''} {named}{more}"


def _one_too_many(place: Place) -> ConfigError:
    return ConfigError(
        "another process has this rank",
        where="RANK",
        found=f"{place.rank} of {place.size}, twice at {place.meeting}",
        advice="Give each process another RANK, or each training another MASTER_PORT.",
    )


def _key(gathering: str, name: object) -> str:
    return f"{_PREFIX}{gathering}/{name}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
