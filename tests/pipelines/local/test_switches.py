from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from pipelines.local import switches
from seq2seq_core import stopping

KEEP = """
import pyarrow as pa
from pipelines.local import switches

switches.keep_memory()
assert pa.default_memory_pool().backend_name == "system"
"""


def test_memory_is_the_system_s() -> None:
    """In a process of its own, for which it is set."""
    subprocess.run([sys.executable, "-c", KEEP], check=True, timeout=60)


def test_it_is_the_system_s_where_that_takes_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switches.ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr("pyarrow.set_memory_pool", lambda pool: None)
    switches.keep_memory()


def test_an_interrupt_waits_for_the_end_of_a_block_that_would_throw_it_away() -> None:
    passed = []

    def import_something() -> None:
        with stopping.interrupts_wait():
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                return
            passed.append("all of it")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            import_something()
    finally:
        signal.signal(signal.SIGINT, before)
    assert passed == ["all of it"]


def test_an_interrupt_is_heard_where_the_block_has_failed() -> None:
    def fail() -> None:
        with stopping.interrupts_wait():
            signal.raise_signal(signal.SIGINT)
            raise ValueError

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fail()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_block_in_such_a_block_changes_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopping.interrupts_wait():
        waiting = signal.getsignal(signal.SIGINT)
        with stopping.interrupts_wait():
            assert signal.getsignal(signal.SIGINT) is waiting
        assert signal.getsignal(signal.SIGINT) is waiting
    assert waiting is not before is signal.getsignal(signal.SIGINT)


def test_other_threads_hear_of_none_anyway() -> None:
    def enter() -> None:
        with stopping.interrupts_wait():
            entered.append(signal.getsignal(signal.SIGINT))

    entered: list[object] = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [signal.getsignal(signal.SIGINT)]
