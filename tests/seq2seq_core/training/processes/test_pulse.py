"""Processes that wait for one another, as threads of one."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import torch.distributed as dist

from seq2seq_core.training.processes.pulse import Pulse

HOST = socket.gethostname()


@contextlib.contextmanager
def pulses(count: int, patience: float = 0.6, size: int | None = None) -> Iterator[tuple[list[Pulse], threading.Event]]:
    """Some processes, and whether one of them has ended."""
    store, ended = dist.HashStore(), threading.Event()
    found = [
        Pulse(store, rank, size or count, patience, lambda code: ended.set(), beat_seconds=0.02)
        for rank in range(count)
    ]
    try:
        yield found, ended
    finally:
        for pulse in found:
            pulse.close()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr("seq2seq_core.training.processes.pulse.say", lines.append)
    return lines


def test_who_does_not_come_is_named_by_one_that_waits(said: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pulses(4) as (found, ended), contextlib.ExitStack() as stack:
        for pulse in (found[0], found[1], found[3]):
            stack.enter_context(pulse.exchanging())
        assert ended.wait(10)
    (warning,) = caplog.messages
    assert warning.startswith(f"waiting for rank 2 of 4 on {HOST} for ")
    assert len(said) == 1
    assert said[0].startswith(f"training (rank 0): rank 2 of 4 on {HOST}: the others have waited too long; found ")
    assert "rank 2: it is still at work before that" in said[0]
    assert "late_minutes gives more time" in said[0]


def test_who_is_silent_is_named_though_it_came(said: list[str]) -> None:
    with pulses(2) as (found, ended), found[0].exchanging(), found[1].exchanging():
        found[1].close()
        assert ended.wait(10)
    assert f"rank 1 of 2 on {HOST}" in said[0]
    assert "nothing is heard of it" in said[0]


def test_an_exchange_that_all_are_in_and_that_does_not_end_is_told(said: list[str]) -> None:
    with pulses(2) as (found, ended), found[0].exchanging(), found[1].exchanging():
        assert ended.wait(10)
    assert said[0].startswith("training (rank 0): all 2 processes: an exchange of all processes does not end")


def test_who_waits_no_longer_goes_on(said: list[str]) -> None:
    with pulses(2, patience=0.3) as (found, ended):
        for _ in range(4):
            for pulse in found:
                with pulse.exchanging(), pulse.exchanging():  # the inner one is part of the outer
                    time.sleep(0.02)
            time.sleep(0.1)
        assert not ended.is_set()
    assert not said


def test_a_store_that_is_gone_ends_nothing(said: list[str]) -> None:
    store = dist.TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
    client = dist.TCPStore("127.0.0.1", store.port, None, False, wait_for_workers=False)
    pulse = Pulse(client, 1, 2, 0.2, lambda code: said.append("ended"), beat_seconds=0.02)
    time.sleep(0.05)
    del store
    with pulse.exchanging():
        time.sleep(0.5)
    pulse.close()
    assert not said
