from __future__ import annotations

import json
from pathlib import Path

from seq2seq_core import storage
from seq2seq_core.inference.commit import commit
from seq2seq_core.inference.planning import PLAN_PATH
from seq2seq_core.inference.progress import Progress, Watch, clear_plan
from seq2seq_core.inference.records.inputs import InputFile
from seq2seq_core.inference.records.plan import InputPlan, RecordRange
from seq2seq_core.inference.unit import Unit, cut_units

PLAN = InputPlan(
    InputFile("in/a.txt", "x/a", ".txt", "text"), "fa", 9, tuple(RecordRange(i * 10, 10) for i in range(4))
)


def plan(root: Path, job: str = "job") -> list[Unit]:
    units = cut_units(PLAN, job)
    rows = [[unit.marker_path, unit.fingerprint, unit.part.records] for unit in units]
    storage.publish_text(storage.join(str(root), PLAN_PATH), json.dumps(rows))
    return units


def test_finished_units_are_counted_and_the_rate_is_of_the_watched_time(tmp_path: Path) -> None:
    watch = Watch(str(tmp_path))
    assert watch.look(0.0) is None
    units = plan(tmp_path)
    commit(str(tmp_path), units[0], b"", [])
    assert watch.look(100.0) == Progress(4, 1, 40, 10, 10, 0.0)
    commit(str(tmp_path), units[2], b"", [])
    progress = watch.look(104.0)
    assert progress == Progress(4, 2, 40, 20, 10, 4.0)
    assert (progress.records_per_second, progress.seconds_left) == (2.5, 8.0)
    assert str(progress) == "units 2/4, records 20/40, 2.5 records/s, 0:08 left"


def test_markers_of_other_options_do_not_count_until_they_are_replaced(tmp_path: Path) -> None:
    for unit in plan(tmp_path, "old"):
        commit(str(tmp_path), unit, b"", [])
    clear_plan(str(tmp_path))
    watch = Watch(str(tmp_path))
    assert watch.look(0.0) is None
    units = plan(tmp_path, "new")
    assert watch.look(1.0) == Progress(4, 0, 40, 0, 0, 0.0)
    commit(str(tmp_path), units[3], b"", [])
    assert watch.look(2.0) == Progress(4, 1, 40, 10, 0, 1.0)


def test_a_line_says_only_what_is_known() -> None:
    assert str(Progress(4, 0, 40, 0, 0, 3.0)) == "units 0/4, records 0/40"
    assert str(Progress(4, 4, 4000, 4000, 0, 2.0)) == "units 4/4, records 4,000/4,000, 2,000.0 records/s"
    assert str(Progress(4, 1, 9000, 1, 0, 1.0)).endswith("2:29:59 left")
