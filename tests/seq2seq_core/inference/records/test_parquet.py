from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.errors import InputError
from seq2seq_core.inference.records import parquet
from seq2seq_core.inference.records.fields import Fields
from seq2seq_core.inference.records.inputs import InputFile, find_inputs
from seq2seq_core.inference.records.parquet import check_columns, read_rows, render_rows
from seq2seq_core.inference.records.plan import RecordRange, UnitSize, plan_input
from seq2seq_core.inference.translator import Prediction

FIELDS = Fields("text", "translation")


def write(path: Path, table: pa.Table, rows: int = 1000) -> InputFile:
    pq.write_table(table, path, row_group_size=rows)
    return find_inputs([str(path)], None, "elsewhere")[0]


@given(count=st.integers(0, 30), group=st.integers(1, 12), records=st.integers(1, 9), batch=st.integers(1, 7))
def test_the_ranges_of_a_file_join_to_the_file(
    tmp_path_factory: pytest.TempPathFactory, count: int, group: int, records: int, batch: int
) -> None:
    table = pa.table({"text": [f"t{i}" for i in range(count)], "id": pa.array(range(count), pa.int64())})
    file = write(tmp_path_factory.mktemp("rows") / "a.parquet", table, group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "_BATCH_ROWS", batch)
        read = [read_rows(file, part, FIELDS) for part in plan_input(file, UnitSize(records, 1)).ranges]
    assert pa.concat_tables([content.carrier for content in read]).equals(table)
    assert [text for content in read for text in content.texts] == table.column("text").to_pylist()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_every_kind_of_text_column(tmp_path: Path, kind: pa.DataType) -> None:
    table = pa.table({"text": pa.array(["one", None, "one"], pa.string()).cast(kind)})
    file = write(tmp_path / "a.parquet", table)
    check_columns(file, FIELDS)
    content = read_rows(file, RecordRange(0, 3), FIELDS)
    assert content.texts == ["one", None, "one"]
    assert content.failures == []
    found = pq.read_table(io.BytesIO(render_rows(content, [Prediction("1"), None, Prediction("2")], FIELDS)))
    assert found.select(["text"]).equals(table)
    assert found.column("translation").to_pylist() == ["1", None, "2"]


def test_bytes_that_are_not_utf8_fail_alone(tmp_path: Path) -> None:
    texts = pa.array([b"one", b"a\xff", None], pa.binary()).view(pa.string())
    content = read_rows(write(tmp_path / "a.parquet", pa.table({"text": texts})), RecordRange(0, 3), FIELDS)
    assert content.texts == ["one", None, None]
    assert [(failure.record, failure.reason) for failure in content.failures] == [(1, "not UTF-8 at byte 2")]


def test_dots_reach_into_structs(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", pa.table({"doc": [{"en": "one", "n": 1}, None, {"en": None, "n": 2}]}))
    fields = Fields("doc.en", "de")
    check_columns(file, fields)
    assert read_rows(file, RecordRange(0, 3), fields).texts == ["one", None, None]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (Fields("body", "de"), "there is no column 'body'; found columns text, id, doc"),
        (Fields("doc.fr", "de"), "there is no column 'doc.fr'"),
        (Fields("id", "de"), "the column 'id' holds no text; found int64"),
        (Fields("text", "id"), "the field 'id' is there already"),
    ],
)
def test_columns_are_checked(tmp_path: Path, fields: Fields, message: str) -> None:
    file = write(tmp_path / "a.parquet", pa.table({"text": ["a"], "id": [1], "doc": [{"en": "b"}]}))
    with pytest.raises(InputError, match=message):
        check_columns(file, fields)


def test_a_file_that_has_changed_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", pa.table({"text": ["a", "b"]}))
    with pytest.raises(InputError, match="rows from 1: the file has changed"):
        read_rows(file, RecordRange(1, 2), FIELDS)
