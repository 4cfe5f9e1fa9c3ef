"""The units and the markers of an output folder in, how far the work is out: for whoever watches, on any runner."""

from __future__ import annotations

import json

from seq2seq_core import storage
from seq2seq_core.inference.commit import read_marker
from seq2seq_core.inference.folder import MARKER_FOLDER, UNITS_PATH
from seq2seq_core.progress import Progress


class UnitWatch:
    """Looks at an output folder again and again; a marker that was seen to be finished is not read twice."""

    def __init__(self, root: str, noun: str = "records") -> None:
        """`noun` is what units are measured in."""
        self._root, self._noun = root, noun
        self._open: dict[str, tuple[str, int]] = {}
        self._units = self._records = self._done = self._done_records = self._before = self._failed = 0
        self._began: float | None = None

    def look(self, now: float) -> Progress | None:
        """See `progress.Watch`; None before the units are known."""
        if self._began is None and not self._begin():
            return None
        for path in self._marked():
            fingerprint, records = self._open[path]
            entry = read_marker(storage.join(self._root, path))
            if entry is not None and entry.fingerprint == fingerprint:
                del self._open[path]
                self._done += 1
                self._done_records += records
                self._failed += entry.failed
        if self._began is None:
            self._began, self._before = now, self._done_records
        return Progress(
            phase="",
            parts="units",
            parts_done=self._done,
            parts_total=self._units,
            noun=self._noun,
            done=self._done_records,
            total=self._records,
            before=self._before,
            seconds=now - self._began,
            failed=self._failed,
        )

    def _begin(self) -> bool:
        url = storage.join(self._root, UNITS_PATH)
        if not storage.exists(url):
            return False
        rows: list[tuple[str, str, int]] = json.loads(storage.read_bytes(url))
        self._open = {path: (fingerprint, records) for path, fingerprint, records in rows}
        self._units, self._records = len(rows), sum(records for _, _, records in rows)
        return True

    def _marked(self) -> list[str]:
        """The markers that stand there now, of units not yet known to be finished."""
        found = storage.files_below(storage.join(self._root, MARKER_FOLDER))
        return [path for name in found if (path := f"{MARKER_FOLDER}/{name}") in self._open]


def forget_units(root: str) -> None:
    """Remove the list of an earlier run, so that a watch waits for the new one."""
    storage.remove(storage.join(root, UNITS_PATH))
