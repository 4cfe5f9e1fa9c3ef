from __future__ import annotations

import os
import signal
import threading

import pytest

from seq2seq_core.config import build
from seq2seq_core.errors import ConfigError
from seq2seq_core.training.processes.stop import LimitsConfig, StopFlag, exit_code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_remembered_and_repeats_change_nothing(number: int) -> None:
    before = signal.getsignal(number)
    flag = StopFlag()
    with flag.listening():
        assert flag.received is None
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert flag.received == number
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    handlers: list[object] = []

    def listen() -> None:
        with StopFlag().listening():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]


def test_exit_codes_are_those_of_a_process_ended_by_the_signal() -> None:
    assert (exit_code(None), exit_code(signal.SIGTERM), exit_code(signal.SIGINT)) == (0, 143, 130)


def test_a_run_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="all null"):
        build(LimitsConfig, {"max_steps": None})
    assert build(LimitsConfig, {"max_steps": None, "max_minutes": 5}).max_minutes == 5
