"""The plan and the markers of an output folder in, how far the work is out: for whoever watches, on any runner."""

from __future__ import annotations

import json
from dataclasses import dataclass

from seq2seq_core import storage
from seq2seq_core.errors import StorageError
from seq2seq_core.inference.commit import read_marker
from seq2seq_core.inference.planning import PLAN_PATH
from seq2seq_core.inference.records.inputs import MARKER_FOLDER


@dataclass(frozen=True)
class Progress:
    """How far a translation is.

    Attributes:
        records_before: Records that were finished before the watch began.
        seconds: Time since then.
    """

    units: int
    units_done: int
    records: int
    records_done: int
    records_before: int
    seconds: float

    @property
    def records_per_second(self) -> float:
        return (self.records_done - self.records_before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time left at the present rate; None while there is none."""
        rate = self.records_per_second
        return (self.records - self.records_done) / rate if rate > 0 else None

    def __str__(self) -> str:
        parts = [f"units {self.units_done:,}/{self.units:,}", f"records {self.records_done:,}/{self.records:,}"]
        if self.seconds_left is not None:
            parts.append(f"{self.records_per_second:,.1f} records/s")
        if self.seconds_left:
            parts.append(f"{_clock(self.seconds_left)} left")
        return ", ".join(parts)


class Watch:
    """Looks at an output folder again and again; a marker that was seen to be finished is not read twice."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._open: dict[str, tuple[str, int]] = {}
        self._units = self._records = self._done = self._done_records = self._before = 0
        self._began: float | None = None

    def look(self, now: float) -> Progress | None:
        """The progress at a time in seconds; None before the work is planned."""
        if self._began is None and not self._begin():
            return None
        for path in self._marked():
            fingerprint, records = self._open[path]
            entry = read_marker(storage.join(self._root, path))
            if entry is not None and entry.fingerprint == fingerprint:
                del self._open[path]
                self._done += 1
                self._done_records += records
        if self._began is None:
            self._began, self._before = now, self._done_records
        return Progress(self._units, self._done, self._records, self._done_records, self._before, now - self._began)

    def _begin(self) -> bool:
        url = storage.join(self._root, PLAN_PATH)
        if not storage.exists(url):
            return False
        rows: list[tuple[str, str, int]] = json.loads(storage.read_bytes(url))
        self._open = {path: (fingerprint, records) for path, fingerprint, records in rows}
        self._units, self._records = len(rows), sum(records for _, _, records in rows)
        return True

    def _marked(self) -> list[str]:
        """The markers that stand there now, of units not yet known to be finished."""
        folder = storage.join(self._root, MARKER_FOLDER)
        try:
            found = storage.expand(folder)
        except StorageError:
            return []
        start = len(storage.filesystem(folder)[1].rstrip("/")) + 1
        paths = (f"{MARKER_FOLDER}/{storage.filesystem(url)[1][start:]}" for url in found)
        return [path for path in paths if path in self._open]


def clear_plan(root: str) -> None:
    """Remove the plan of an earlier run, so that a watch waits for the new one."""
    storage.remove(storage.join(root, PLAN_PATH))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
