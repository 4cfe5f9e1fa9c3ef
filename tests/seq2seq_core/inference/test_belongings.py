from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange
from seq2seq_core.errors import ForeignFileError
from seq2seq_core.inference.belongings import stem_of, sweep, take_places
from seq2seq_core.inference.closing import reconcile
from seq2seq_core.inference.commit import commit, read_marker
from seq2seq_core.inference.folder import NOTE_PATH, OUTPUT_NAME
from seq2seq_core.inference.manifest import ModelEntry, Provenance, publish_output
from seq2seq_core.inference.unit import DocumentUnit, units_of

PROVENANCE = Provenance(
    fingerprint="job", model=ModelEntry(url="m", digest="d", lineage={}), configuration={}, software={}
)


def inputs(count: int) -> list[CountedInput]:
    ranges = tuple(RecordRange(first, 1, first, 1) for first in range(count))
    return [CountedInput(InputFile(f"{name}.txt", name, ".txt", "text"), "f", count, ranges) for name in ("a", "x/b")]


def units(count: int) -> list[DocumentUnit]:
    return [unit for counted in inputs(count) for unit in units_of(counted, "job")]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def translate(root: Path, count: int) -> None:
    """A whole run whose inputs have so many units."""
    take_places(str(root), units(count))
    for unit in units(count):
        commit(str(root), unit, b"x", [])
    entries = [read_marker(str(root / unit.marker_path)) or pytest.fail("no marker") for unit in units(count)]
    output = reconcile(inputs(count), PROVENANCE, entries)
    publish_output(str(root), output)
    stems = {(counted.file.name, counted.file.suffix) for counted in inputs(count)}
    sweep(str(root), lambda path: stem_of(path) in stems, {unit.path for unit in output.units})


@pytest.mark.parametrize(
    "name", ["a-00000-of-00002.txt", "x/b-00001-of-00002.txt", "failures/a-00001-of-00002.txt.jsonl", OUTPUT_NAME]
)
def test_a_file_of_others_in_the_way_is_named_before_any_work(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, "a-00003-of-00009.txt")
    with pytest.raises(
        ForeignFileError, match=rf"{name}: a file that this program has not written stands where an output"
    ):
        take_places(str(tmp_path), units(2))
    assert files(tmp_path) == {name, "a-00003-of-00009.txt"}


def test_files_of_others_are_left_alone_whatever_they_are_called(tmp_path: Path) -> None:
    foreign = {
        "a-00003-of-00009.txt",
        "x/b-00000-of-00001.txt",
        "failures/a-00000-of-00001.txt.jsonl",
        f".notes.txt.{'f' * 32}.tmp",
        "a.txt",
    }
    touch(tmp_path, *foreign)
    translate(tmp_path, 2)
    translate(tmp_path, 3)
    assert foreign <= files(tmp_path)


def test_what_earlier_and_killed_runs_left_goes(tmp_path: Path) -> None:
    translate(tmp_path, 4)
    take_places(str(tmp_path), units(3))  # and then it is killed, after an output that has no marker yet
    touch(tmp_path, "a-00000-of-00003.txt", f".a-00001-of-00003.txt.{'0' * 32}.tmp")
    touch(tmp_path, f".units/x/.b-00001-of-00003.txt.json.{'1' * 32}.tmp", "failures/x/b-00002-of-00003.txt.jsonl")
    translate(tmp_path, 2)
    outputs = {unit.path for unit in units(2)}
    assert files(tmp_path) == outputs | {unit.marker_path for unit in units(2)} | {OUTPUT_NAME, NOTE_PATH}
    assert set(json.loads((tmp_path / NOTE_PATH).read_text())) == outputs


def test_the_outputs_of_other_inputs_stay(tmp_path: Path) -> None:
    other = [CountedInput(InputFile("c.txt", "c", ".txt", "text"), "f", 1, (RecordRange(0, 1, 0, 1),))]
    unit = units_of(other[0], "job")[0]
    take_places(str(tmp_path), [unit])
    commit(str(tmp_path), unit, b"x", [])
    translate(tmp_path, 2)
    assert unit.path in files(tmp_path)
    take_places(str(tmp_path), [unit])


def test_folders_of_before_there_were_notes_are_known_by_their_markers(tmp_path: Path) -> None:
    translate(tmp_path, 3)
    (tmp_path / NOTE_PATH).unlink()
    translate(tmp_path, 2)
    assert {path for path in files(tmp_path) if path.endswith(".txt")} == {unit.path for unit in units(2)}
