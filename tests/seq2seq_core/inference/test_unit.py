from __future__ import annotations

import dataclasses

from seq2seq_core.documents.inputs import InputFile
from seq2seq_core.documents.plan import InputPlan, RecordRange
from seq2seq_core.inference.unit import cut_units

PLAN = InputPlan(
    InputFile("in/a.txt.gz", "x/a", ".txt.gz", "text"), "digest", 9, (RecordRange(0, 2, 0, 5), RecordRange(2, 1, 5, 3))
)


def test_names_follow_from_input_and_number() -> None:
    units = cut_units(PLAN, "job")
    assert [unit.path for unit in units] == ["x/a-00000-of-00002.txt.gz", "x/a-00001-of-00002.txt.gz"]
    assert units[1].marker_path == ".units/x/a-00001-of-00002.txt.gz.json"
    assert units[1].failures_path == "failures/x/a-00001-of-00002.txt.gz.jsonl"
    assert units[1].where == "in/a.txt.gz, records 2 to 2"


def test_fingerprints_differ_by_content_range_format_and_job_but_not_by_place() -> None:
    usual = [unit.fingerprint for unit in cut_units(PLAN, "job")]
    assert len(set(usual)) == 2
    moved = dataclasses.replace(PLAN, file=dataclasses.replace(PLAN.file, url="s3://elsewhere/b.txt.gz"))
    assert [unit.fingerprint for unit in cut_units(moved, "job")] == usual
    others = [
        cut_units(PLAN, "other job"),
        cut_units(dataclasses.replace(PLAN, fingerprint="other"), "job"),
        cut_units(dataclasses.replace(PLAN, file=dataclasses.replace(PLAN.file, format="jsonl")), "job"),
        cut_units(dataclasses.replace(PLAN, ranges=(RecordRange(0, 1), RecordRange(1, 2))), "job"),
        cut_units(
            dataclasses.replace(PLAN, ranges=tuple(dataclasses.replace(p, digest="x") for p in PLAN.ranges)), "job"
        ),
    ]
    for units in others:
        assert not {unit.fingerprint for unit in units} & set(usual)


def test_a_piece_is_only_a_way_to_read() -> None:
    copied = tuple(dataclasses.replace(part, piece="out/.units/.pieces/x.zst") for part in PLAN.ranges)
    usual = [unit.fingerprint for unit in cut_units(PLAN, "job")]
    assert [unit.fingerprint for unit in cut_units(dataclasses.replace(PLAN, ranges=copied), "job")] == usual
