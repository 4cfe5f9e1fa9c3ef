"""`python -m tests.kills VALUES FOLDER`: a training in; what it leaves when it is killed at each of its writes out.

FOLDER/straight is the undisturbed run. In FOLDER/killed-N the N-th write or meeting of a validation was the last thing
that the process did; then the same training was started again, and ended. Each is a process forked from this one,
which has trained before, so that all is imported, and has no thread left: a hundred of them take little time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from seq2seq_core import storage
from seq2seq_core.config import build
from seq2seq_core.training.agreement import Turns
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.trainer import train

Values = dict[str, Any]


def main(values_file: str, folder: str, *choice: str) -> None:
    values, root = json.loads(Path(values_file).read_text()), Path(folder)
    count_file = root / "count"
    _train(values, root / "before")
    assert threading.active_count() == 1
    _fork(lambda: _straight(values, root / "straight", count_file))
    for moment in map(int, choice) if choice else range(int(count_file.read_text())):
        output = root / f"killed-{moment:03d}"
        ended = _fork(lambda output=output, moment=moment: _killed(values, output, moment))
        assert ended in (0, -signal.SIGKILL), (moment, ended)
        assert _fork(lambda output=output: _train(values, output)) == 0, moment


def _straight(values: Values, output: Path, count_file: Path) -> None:
    moments = _watched(lambda moment: None)
    _train(values, output)
    count_file.write_text(str(len(moments)))


def _killed(values: Values, output: Path, moment: int) -> None:
    _watched(lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == moment else None)
    _train(values, output)


def _train(values: Values, output: Path) -> None:
    torch.set_num_threads(1)
    train(build(TrainConfig, {**values, "output": str(output)}))


def _watched(act: Callable[[int], None]) -> list[str]:
    """Call `act` before each moment with its number; the moments so far."""
    moments: list[str] = []

    def watch(place: Any, name: str) -> None:
        original = getattr(place, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            moments.append(name)
            act(len(moments) - 1)
            return original(*arguments, **options)

        setattr(place, name, watched)

    for name in ("publish", "append", "remove", "create_exclusively"):
        watch(storage, name)
    watch(Turns, "meet")
    return moments


def _fork(work: Callable[[], None]) -> int:
    """Do some work in a process of its own: its exit code, or the negative number of the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
