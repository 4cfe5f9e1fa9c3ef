"""A unit from its name to its committed output, without Beam: the same functions that the steps of the graph call."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange, UnitSize
from seq2seq_core.errors import InputError
from seq2seq_core.files.encodings import encoding_by_mark, encoding_of_head
from seq2seq_core.inference.commit import OnError, UnitEntry, commit_unit
from seq2seq_core.inference.unit import read_unit, translate_unit, units_of

INPUT = CountedInput(
    InputFile("in/a.txt.gz", "x/a", ".txt.gz", "text"), "digest", 9, (RecordRange(0, 2, 0, 5), RecordRange(2, 1, 5, 3))
)


def test_names_follow_from_input_and_number() -> None:
    units = units_of(INPUT, "job")
    assert [unit.path for unit in units] == ["x/a-00000-of-00002.txt.gz", "x/a-00001-of-00002.txt.gz"]
    assert units[1].marker_path == ".units/x/a-00001-of-00002.txt.gz.json"
    assert units[1].failures_path == "failures/x/a-00001-of-00002.txt.gz.jsonl"
    assert units[1].where == "in/a.txt.gz, records 2 to 2"


def test_fingerprints_differ_by_content_range_format_and_job_but_not_by_place() -> None:
    usual = [unit.fingerprint for unit in units_of(INPUT, "job")]
    assert len(set(usual)) == 2
    moved = dataclasses.replace(INPUT, file=dataclasses.replace(INPUT.file, url="s3://elsewhere/b.txt.gz"))
    assert [unit.fingerprint for unit in units_of(moved, "job")] == usual
    others = [
        units_of(INPUT, "other job"),
        units_of(dataclasses.replace(INPUT, fingerprint="other"), "job"),
        units_of(dataclasses.replace(INPUT, file=dataclasses.replace(INPUT.file, format="jsonl")), "job"),
        units_of(dataclasses.replace(INPUT, ranges=(RecordRange(0, 1), RecordRange(1, 2))), "job"),
        units_of(
            dataclasses.replace(INPUT, ranges=tuple(dataclasses.replace(p, digest="x") for p in INPUT.ranges)), "job"
        ),
    ]
    for units in others:
        assert not {unit.fingerprint for unit in units} & set(usual)


def test_a_piece_is_only_a_way_to_read() -> None:
    copied = tuple(dataclasses.replace(part, piece="out/.units/.pieces/x.zst") for part in INPUT.ranges)
    usual = [unit.fingerprint for unit in units_of(INPUT, "job")]
    assert [unit.fingerprint for unit in units_of(dataclasses.replace(INPUT, ranges=copied), "job")] == usual


FIELDS = Fields("text", "translation")


class Upper:
    def translate(
        self, texts: Sequence[str | None], *, is_prose: bool = False, prefixes: Sequence[str] = ()
    ) -> list[Prediction]:
        assert None not in texts
        return [Prediction(error="too odd") if text == "odd" else Prediction((text or "").upper()) for text in texts]


def translate(path: Path, output: Path, size: int = 2, on_error: OnError = "keep") -> list[UnitEntry]:
    (file,) = find_inputs([str(path)], None, str(output))
    units = units_of(format_of(file).count(file, UnitSize(size, 1 << 20), FIELDS), "job")
    translated = [translate_unit(read_unit(unit, FIELDS), Upper()) for unit in units]
    return [commit_unit(entry, str(output), FIELDS, on_error) for entry in translated]


@given(data=st.binary(max_size=60) | st.text("aé\n\r \x85", max_size=60).map(str.encode), size=st.integers(1, 5))
def test_any_bytes_have_as_many_lines_out_as_in(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, size: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        encoding_of_head(data, "a.txt")
    except InputError:
        reject()
    assume(encoding_by_mark(data) is None)
    (folder / "a.txt").write_bytes(data)
    entries = translate(folder / "a.txt", folder / "out", size)
    found = b"".join((folder / "out" / entry.path).read_bytes() for entry in entries)
    assert found.count(b"\n") == data.count(b"\n")
    assert sum(entry.records for entry in entries) == data.count(b"\n") + (data != b"" and not data.endswith(b"\n"))
    failed = 0
    for before, after in zip(data.split(b"\n"), found.split(b"\n"), strict=True):
        try:
            expected = before.decode().upper()
        except UnicodeDecodeError:
            failed += 1
            expected = "\r" if before.endswith(b"\r") else ""
        mark = "\ufeff" if before.startswith(b"\xef\xbb\xbf") and not expected else ""
        assert after.decode() == mark + expected
    assert sum(entry.failed for entry in entries) == failed


def test_failures_of_reading_and_of_translating_stand_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"odd\n\xff\nodd\none\n")
    (entry,) = translate(tmp_path / "a.txt", tmp_path / "out", 9)
    assert (tmp_path / "out" / entry.path).read_bytes() == b"\n\n\nONE\n"
    assert entry.failed == 3
    assert entry.failures is not None
    rows = [json.loads(line) for line in (tmp_path / "out" / entry.failures).read_text().splitlines()]
    assert [(row["line"], row["reason"], row["text"]) for row in rows] == [
        (1, "too odd", "odd"),
        (2, "not UTF-8 at byte 1", "\\xff"),
        (3, "too odd", "odd"),
    ]


def test_on_error_fail_names_the_line_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\none\nodd\n")
    with pytest.raises(InputError, match=r"a\.txt, line 4: a record cannot be translated: too odd; found 'odd'"):
        translate(tmp_path / "a.txt", tmp_path / "out", on_error="fail")
    assert [path.name for path in sorted((tmp_path / "out").glob("*.txt"))] == ["a-00000-of-00002.txt"]
