"""A number of training steps in; how long the demo will take on this machine, as busy as it is now, out.

The same small work is timed at the start and at the end: a time of the demo means little without it, as machines
differ, and other work on them comes and goes.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

_NUMBERS, _TIMES = 1 << 16, 4000
"""The reference work: exponentials of so many numbers, so many times, on each core at once.

They need one thread each; products of matrices would use all cores together, and wait for the slowest all the while.
"""

_REFERENCE_SECONDS = 0.20
_TRAINING_SECONDS, STEPS = 180.0, 1200
_OTHER_SECONDS = 25.0
"""What the work, the training of so many steps, and all other stages took on two idle cores."""


@dataclass(frozen=True)
class Pace:
    """Seconds of the reference work."""

    seconds: float

    def expected(self, steps: int) -> float:
        """Seconds of a demo of so many steps."""
        return (_OTHER_SECONDS + _TRAINING_SECONDS * steps / STEPS) * self.seconds / _REFERENCE_SECONDS

    def line(self, steps: int) -> str:
        """What is said at the start."""
        minutes = max(0.5, self.expected(steps) / 60)
        return (
            f"This will take about {minutes:.1f} minutes, if the machine stays as busy as it is now: "
            f"a reference work took {self.seconds:.2f} s ({_REFERENCE_SECONDS:.2f} s on two idle cores)"
        )


def measured(cores: int) -> Pace:
    """Do the reference work on so many cores."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(cores) as threads:
        list(threads.map(_work, range(cores)))
    return Pace(time.perf_counter() - begin)


def _work(number: int) -> float:
    values = np.linspace(0, 1, _NUMBERS, dtype=np.float32) + number
    room = np.empty_like(values)
    for _ in range(_TIMES):
        np.exp(values, out=room)
    return float(room[0])
