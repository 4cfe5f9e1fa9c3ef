"""What processes of a pool are asked to do in tests: functions of a module, which they import."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from seq2seq_core.errors import InputError


class StubbornError(Exception):
    """An error that cannot be sent: it is made of two things, and tells of one."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


def process(*_: object) -> int:
    return os.getpid()


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def fail() -> None:
    raise InputError("it is damaged", where="a.txt, line 3", found="x")


def fail_of_the_system() -> None:
    raise OSError(28, "No space left on device", "out/unit-3")


def fail_stubbornly() -> None:
    raise StubbornError("a.txt", "no")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt() -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return os.getpid()


def tell(number: int) -> None:
    logging.getLogger("pipelines.test").debug("nobody asked for %d", number)
    logging.getLogger("pipelines.test").info("told %d", number)


def idle(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)


def tell_when_both_are_there(folder: str, number: int) -> int:
    """One call of two: each waits for the other, and then tells its own caller, and so does a thread of it."""
    (Path(folder) / str(number)).touch()
    await_idle(folder, 2)
    tell(number)
    also = threading.Thread(target=tell, args=(number + 10,))
    also.start()
    also.join()
    return os.getpid()


def fail_when_others_are_idle(folder: str, count: int) -> None:
    await_idle(folder, count)
    fail()


def await_idle(folder: str, count: int) -> None:
    while len(list(Path(folder).iterdir())) < count:
        time.sleep(0.01)


def call(function: Callable[..., object], *arguments: object) -> object:
    return function(*arguments)
