from __future__ import annotations

import json
from pathlib import Path

from seq2seq_core import storage
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange
from seq2seq_core.inference.commit import commit
from seq2seq_core.inference.folder import UNITS_PATH
from seq2seq_core.inference.unit import DocumentUnit, units_of
from seq2seq_core.inference.watch import UnitWatch, forget_units
from seq2seq_core.progress import Progress

INPUT = CountedInput(
    InputFile("in/a.txt", "x/a", ".txt", "text"), "fa", 9, tuple(RecordRange(i * 10, 10) for i in range(4))
)


def listed(root: Path, job: str = "job") -> list[DocumentUnit]:
    units = units_of(INPUT, job)
    rows = [[unit.marker_path, unit.fingerprint, unit.part.records] for unit in units]
    storage.publish_text(storage.join(str(root), UNITS_PATH), json.dumps(rows))
    return units


def progress(units: int, units_done: int, records: int, done: int, before: int, seconds: float) -> Progress:
    return Progress("", "units", units_done, units, "records", done, records, before, seconds)


def test_finished_units_are_counted_and_the_rate_is_of_the_watched_time(tmp_path: Path) -> None:
    watch = UnitWatch(str(tmp_path))
    assert watch.look(0.0) is None
    units = listed(tmp_path)
    commit(str(tmp_path), units[0], b"", [])
    assert watch.look(100.0) == progress(4, 1, 40, 10, 10, 0.0)
    commit(str(tmp_path), units[2], b"", [])
    later = watch.look(104.0)
    assert later == progress(4, 2, 40, 20, 10, 4.0)
    assert (later.rate, later.seconds_left) == (2.5, 8.0)


def test_markers_of_other_options_do_not_count_until_they_are_replaced(tmp_path: Path) -> None:
    for unit in listed(tmp_path, "old"):
        commit(str(tmp_path), unit, b"", [])
    forget_units(str(tmp_path))
    watch = UnitWatch(str(tmp_path))
    assert watch.look(0.0) is None
    units = listed(tmp_path, "new")
    assert watch.look(1.0) == progress(4, 0, 40, 0, 0, 0.0)
    commit(str(tmp_path), units[3], b"", [])
    assert watch.look(2.0) == progress(4, 1, 40, 10, 0, 1.0)
