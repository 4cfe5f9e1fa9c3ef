"""Progress and other figures of running work in, the samples of its metrics out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psutil

from seq2seq_core.monitoring import table
from seq2seq_core.monitoring.table import Metric
from seq2seq_core.progress import Progress

Sample = tuple[tuple[str, ...], float]


class Board:
    """What is known of the work now; written by whoever does it, and read when somebody asks."""

    def __init__(self) -> None:
        self._values: dict[str, dict[tuple[str, ...], float]] = {}
        self._lock = threading.Lock()
        self._latest: tuple[str, int, int] | None = None

    def put(self, metric: Metric, value: float | None, *labels: str) -> None:
        """Set a sample, by the values of the metric's labels; None takes it away."""
        with self._lock:
            samples = self._values.setdefault(metric.name, {})
            if value is None:
                samples.pop(labels, None)
            else:
                samples[labels] = float(value)

    def add(self, metric: Metric, value: float) -> None:
        """Let a counter without labels grow."""
        with self._lock:
            samples = self._values.setdefault(metric.name, {})
            samples[()] = samples.get((), 0.0) + value

    def forget(self, metric: Metric) -> None:
        """Take all samples of a metric away."""
        with self._lock:
            self._values.pop(metric.name, None)

    def tell(self, progress: Progress) -> None:
        """Say how far the work is."""
        counted = table.COUNTED.get(progress.noun)
        if counted is not None:
            self.put(counted.done, progress.done - progress.before, progress.phase)
            self.put(counted.expected, progress.total or None, progress.phase)
        if progress.parts:
            self.put(table.PARTS_DONE, progress.parts_done, progress.parts)
            self.put(table.PARTS_EXPECTED, progress.parts_total, progress.parts)
        self.put(table.FAILURES, progress.failed)
        self.put(table.THROUGHPUT, progress.rate, progress.noun)
        self.put(table.REMAINING, progress.seconds_left)
        self._tell_of_lag(progress)
        latest = (progress.phase, progress.parts_done, progress.done)
        if latest != self._latest:
            self._latest = latest
            self.put(table.LAST_PROGRESS, time.time())

    def samples(self) -> Iterator[tuple[Metric, list[Sample]]]:
        """All that is known, by metric, in the order of the table."""
        with self._lock:
            values = {name: list(samples.items()) for name, samples in self._values.items()}
        values[table.MEMORY.name] = [((), float(memory_bytes()))]
        for name, metric in table.METRICS.items():
            if values.get(name):
                yield metric, values[name]

    def _tell_of_lag(self, progress: Progress) -> None:
        lag = progress.lag
        if lag is not None:
            self.put(table.LAG_FILES, lag.files)
            self.put(table.LAG_ROWS, lag.rows)
            self.put(table.LAG_OLDEST, lag.oldest_seconds)


def memory_bytes() -> int:
    """Resident memory of this process and all that it has started."""
    this = psutil.Process()
    return sum(_resident(process) for process in [this, *this.children(recursive=True)])


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0
