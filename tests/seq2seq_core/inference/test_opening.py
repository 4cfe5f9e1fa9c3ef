from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.ranges import CountedInput, UnitSize
from seq2seq_core.errors import InputError
from seq2seq_core.inference.folder import OUTPUT_NAME, UNITS_PATH
from seq2seq_core.inference.manifest import ModelEntry, Output, publish_output
from seq2seq_core.inference.opening import fingerprint, open_output, withdraw

FIELDS = Fields("text", "translation")


def counted(folder: Path, **files: bytes) -> list[CountedInput]:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / f"{name}.jsonl").write_bytes(data)
    found = find_inputs([str(folder)], None, "elsewhere")
    return [format_of(file).count(file, UnitSize(2, 1 << 20), FIELDS) for file in found]


def test_units_stand_in_order_whatever_order_the_inputs_come_in(tmp_path: Path) -> None:
    made = counted(tmp_path / "in", b=b'{"text": "x"}\n' * 3, a=b'{"text": "x"}\n')
    units = open_output(str(tmp_path / "out"), made, "job", FIELDS)
    assert [unit.path for unit in units] == [
        "a-00000-of-00001.jsonl",
        "b-00000-of-00002.jsonl",
        "b-00001-of-00002.jsonl",
    ]
    assert open_output(str(tmp_path / "out"), made[::-1], "job", FIELDS) == units
    rows = json.loads((tmp_path / "out" / UNITS_PATH).read_text())
    assert rows == [[unit.marker_path, unit.fingerprint, unit.part.records] for unit in units]


def test_one_odd_file_among_good_ones_is_for_the_ledger(tmp_path: Path) -> None:
    made = counted(tmp_path / "in", a=b'{"text": "x"}\n', b=b"odd\n", c=b"")
    assert [entry.doubt for entry in made] == [None, "no JSON object in a line", None]
    assert len(open_output(str(tmp_path / "out"), made, "job", FIELDS)) == 3


def test_nothing_but_odd_files_is_an_error_and_nothing_is_touched(tmp_path: Path) -> None:
    made = counted(tmp_path / "in", a=b'{"body": "x"}\n', b=b"odd\n", c=b"")
    with pytest.raises(InputError, match=r"a\.jsonl: none of the first 100 records has a text in the field 'text'"):
        open_output(str(tmp_path / "out"), made, "job", FIELDS)
    assert not (tmp_path / "out").exists()


def test_another_runs_manifest_is_withdrawn_and_ones_own_stays(tmp_path: Path) -> None:
    withdraw(str(tmp_path), "any")
    output = Output(
        fingerprint="own",
        model=ModelEntry(url="m", digest="d", lineage={}),
        records_in=0,
        records_out=0,
        failed=0,
        inputs=(),
        configuration={},
        software={},
    )
    publish_output(str(tmp_path), output)
    withdraw(str(tmp_path), "own")
    assert (tmp_path / OUTPUT_NAME).exists()
    withdraw(str(tmp_path), "of another")
    assert not (tmp_path / OUTPUT_NAME).exists()


def test_the_name_of_a_run_is_that_of_its_units(tmp_path: Path) -> None:
    units = open_output(str(tmp_path / "out"), counted(tmp_path / "in", a=b'{"text": "x"}\n' * 3), "job", FIELDS)
    names = {fingerprint(units), fingerprint(units[1:]), fingerprint(units[:1])}
    assert len(names) == 3
