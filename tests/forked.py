"""`python -m tests.forked JOBS`: trainings in; each done by as many processes as it says, one after the other, out.

JOBS is a JSON file: of each training its values, the number of its processes, and, where one of them is to be killed,
its rank and before which write of its own. The processes are forked from this one, which has imported all and trained
before, so that many of them take little time. Exit codes go to standard output as JSON, a list for each training.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from seq2seq_core import storage
from seq2seq_core.config import build
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.processes.early import LAUNCHER
from seq2seq_core.training.processes.place import Place, variables
from seq2seq_core.training.trainer import train
from tests.processes import free_port

_PEERS_SECONDS = 20


def main(jobs_file: str) -> None:
    jobs = json.loads(Path(jobs_file).read_text())
    torch.set_num_threads(1)
    _train(jobs[0]["values"] | {"output": f"{jobs_file}.before", "sharding": {"kind": "none"}})
    assert threading.active_count() == 1
    json.dump([_ended(job["values"], job["processes"], job.get("killed")) for job in jobs], sys.stdout)


def _ended(values: Mapping[str, Any], processes: int, killed: Sequence[int] | None) -> list[int]:
    address = ("127.0.0.1", free_port())
    children = {}
    for rank in range(processes):
        place = variables(Place(rank, processes, rank, processes, address)) if processes > 1 else {}
        place.pop(LAUNCHER, None)  # rank 0 holds the store
        child = os.fork()
        if child == 0:
            os.environ |= place
            _as_rank(values, killed[1] if killed is not None and killed[0] == rank else None)
        children[child] = rank
    codes: dict[int, int] = {}
    until = None
    while children:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child:
            codes[children.pop(child)] = os.waitstatus_to_exitcode(status)
            until = until or (time.monotonic() + _PEERS_SECONDS if codes and any(codes.values()) else None)
        else:
            time.sleep(0.02)
        if until is not None and time.monotonic() > until:
            for left in children:
                os.kill(left, signal.SIGKILL)
    return [codes[rank] for rank in range(processes)]


def _as_rank(values: Mapping[str, Any], moment: int | None) -> None:
    """Train, and end: the interpreter's own end would run what the parent's is to."""
    code = 1
    try:
        if moment is not None:
            _kill_before(moment)
        _train(values)
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _kill_before(moment: int) -> None:
    publish, count = storage.publish_bytes, iter(range(1 << 30))

    def counted(*arguments: Any, **options: Any) -> Any:
        if next(count) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return publish(*arguments, **options)

    storage.publish_bytes = counted


def _train(values: Mapping[str, Any]) -> None:
    train(build(TrainConfig, values))


if __name__ == "__main__":
    main(sys.argv[1])
