from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange
from seq2seq_core.errors import IncompleteError
from seq2seq_core.inference.closing import confirm, reconcile
from seq2seq_core.inference.commit import UnitEntry, commit, read_marker
from seq2seq_core.inference.manifest import ModelEntry, Provenance, load_output, publish_output
from seq2seq_core.inference.unit import units_of

PROVENANCE = Provenance(
    fingerprint="job", model=ModelEntry(url="m", digest="d", lineage={"step": 1}), configuration={}, software={}
)
INPUTS = [
    CountedInput(
        InputFile("in/a.txt", "a", ".txt", "text"), "fa", 9, (RecordRange(0, 2, 0, 5), RecordRange(2, 1, 5, 4))
    ),
    CountedInput(InputFile("in/x/b.jsonl", "x/b", ".jsonl", "jsonl"), "fb", 0, (RecordRange(0, 0),)),
]
UNITS = [unit for counted in INPUTS for unit in units_of(counted, "job")]


def entries() -> list[UnitEntry]:
    return [
        UnitEntry(
            path=unit.path,
            fingerprint=unit.fingerprint,
            first_record=unit.part.first,
            records=unit.part.records,
            failed=unit.index,
            bytes=7,
            digest="x",
            failures=None,
        )
        for unit in UNITS
    ]


def test_every_unit_once_makes_an_output(tmp_path: Path) -> None:
    output = reconcile(INPUTS, PROVENANCE, reversed(entries()))
    assert (output.records_in, output.records_out, output.failed) == (3, 3, 1)
    assert [(entry.url, entry.records, entry.failed) for entry in output.inputs] == [
        ("in/a.txt", 3, 1),
        ("in/x/b.jsonl", 0, 0),
    ]
    assert [unit.path for unit in output.units] == [unit.path for unit in UNITS]
    publish_output(str(tmp_path), output)
    assert load_output(str(tmp_path)) == output


def test_a_unit_lost_doubled_unplanned_or_changed_is_an_error() -> None:
    first, *rest = entries()
    cases = [
        (rest, "a-00000-of-00002.txt: 1 outputs.*found finished 0 times; expected once"),
        ([first, first, *rest], "found finished 2 times; expected once"),
        (
            [first, *rest, first.model_copy(update={"path": "z"})],
            "z: 1 outputs.*found finished 1 times; expected never",
        ),
        ([first.model_copy(update={"records": 1}), *rest], "found 1 records.*expected 2 records"),
        ([first.model_copy(update={"fingerprint": "other"}), *rest], "fingerprint other"),
    ]
    for found, message in cases:
        with pytest.raises(IncompleteError, match=message):
            reconcile(INPUTS, PROVENANCE, found)


def test_markers_are_looked_at_again_before_the_manifest_says_what_they_say(tmp_path: Path) -> None:
    root = str(tmp_path)
    for unit in UNITS:
        commit(root, unit, b"text", [])
    output = reconcile(
        INPUTS, PROVENANCE, [read_marker(f"{root}/{unit.marker_path}") or pytest.fail("no marker") for unit in UNITS]
    )
    confirm(root, output)
    unit = UNITS[1]
    for damage in ("replaced", "other marker", "removed"):
        commit(root, unit, b"text", [])
        confirm(root, output)
        if damage == "replaced":
            commit(root, dataclasses.replace(unit, fingerprint="of another run"), b"text", [])
        elif damage == "other marker":
            (tmp_path / unit.marker_path).unlink()
        else:
            (tmp_path / unit.path).unlink()
        with pytest.raises(IncompleteError, match=rf"{unit.path}: an output was replaced or removed while"):
            confirm(root, output)
