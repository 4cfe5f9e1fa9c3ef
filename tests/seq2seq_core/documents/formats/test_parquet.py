from __future__ import annotations

import io
import itertools
from pathlib import Path
from random import Random
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.documents import content as content_module
from seq2seq_core.documents import faithful, row_groups, rows
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats import parquet
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.parquet import count_rows, read_rows, render_rows
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import InputFile, RecordRange, UnitSize
from seq2seq_core.errors import InputError
from seq2seq_core.files.parquet_footer import read_footer, row_group_spans

FIELDS = Fields("text", "translation")


def write(path: Path, table: pa.Table, rows: int = 1000) -> InputFile:
    pq.write_table(table, path, row_group_size=rows)
    return find_inputs([str(path)], None, "elsewhere")[0]


def ranges(file: InputFile, records: int = 1000, fields: Fields = FIELDS) -> tuple[RecordRange, ...]:
    return count_rows(file, UnitSize(records, 1), fields).ranges


@given(count=st.integers(0, 30), group=st.integers(1, 12), records=st.integers(1, 9), batch=st.integers(1, 7))
def test_the_ranges_of_a_file_join_to_the_file(
    tmp_path_factory: pytest.TempPathFactory, count: int, group: int, records: int, batch: int
) -> None:
    table = pa.table(
        {"text": pa.array([f"t{i}" for i in range(count)], pa.string()), "id": pa.array(range(count), pa.int64())}
    )
    file = write(tmp_path_factory.mktemp("rows") / "a.parquet", table, group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_groups, "_BATCH_ROWS", batch)
        read = [read_rows(file, part, FIELDS) for part in ranges(file, records)]
    assert pa.concat_tables([content.carrier for content in read]).equals(table)
    assert [text for content in read for text in content.texts] == table.column("text").to_pylist()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_every_kind_of_text_column(tmp_path: Path, kind: pa.DataType) -> None:
    table = pa.table({"text": pa.array(["one", None, "one"], pa.string()).cast(kind)})
    file = write(tmp_path / "a.parquet", table)
    (part,) = ranges(file)
    content = read_rows(file, part, FIELDS)
    assert content.texts == ["one", None, "one"]
    assert content.failures == []
    found = pq.read_table(io.BytesIO(render_rows(file, content, [Prediction("1"), None, Prediction("2")], FIELDS)))
    assert found.select(["text"]).equals(table)
    assert found.column("translation").to_pylist() == ["1", None, "2"]


def test_bytes_that_are_not_utf8_fail_alone(tmp_path: Path) -> None:
    texts = pa.array([b"one", b"a\xff", None], pa.binary()).view(pa.string())
    file = write(tmp_path / "a.parquet", pa.table({"text": texts}))
    (part,) = ranges(file)
    content = read_rows(file, part, FIELDS)
    assert content.texts == ["one", None, None]
    assert [(failure.record, failure.reason) for failure in content.failures] == [(1, "not UTF-8 at byte 2")]


def test_dots_reach_into_structs(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", pa.table({"doc": [{"en": "one", "n": 1}, None, {"en": None, "n": 2}]}))
    fields = Fields("doc.en", "de")
    (part,) = ranges(file, fields=fields)
    assert read_rows(file, part, fields).texts == ["one", None, None]


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
        count_rows(file, UnitSize(9, 1), fields)


def test_a_column_that_is_there_twice_is_said_to_be(tmp_path: Path) -> None:
    columns = [pa.array(["five"]), pa.array(["six"]), pa.array([1])]
    file = write(tmp_path / "a.parquet", pa.Table.from_arrays(columns, names=["text", "text", "id"]))
    with pytest.raises(InputError, match="the column 'text' is there more than once; found columns text, text, id"):
        count_rows(file, UnitSize(9, 1), FIELDS)


def test_other_columns_may_be_there_twice(tmp_path: Path) -> None:
    columns = [pa.array(["five"]), pa.array(["six"]), pa.array([1])]
    file = write(tmp_path / "a.parquet", pa.Table.from_arrays(columns, names=["text", "id", "id"]))
    content = read_rows(file, ranges(file)[0], FIELDS)
    found = pq.ParquetFile(io.BytesIO(render_rows(file, content, [Prediction("5")], FIELDS))).read()
    assert found.column_names == ["text", "id", "id", "translation"]
    assert [column.to_pylist() for column in found.columns] == [["five"], ["six"], [1], ["5"]]


def test_a_column_that_cannot_pass_through_is_refused_before_work(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", pa.table({"text": ["a"], "odd": [1]}))
    written = faithful.write_rows

    def refuse(table: pa.Table, where: str) -> bytes:
        return written(table.set_column(1, "odd", pa.nulls(len(table), pa.time32("s"))), where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "write_rows", refuse)
        with pytest.raises(InputError, match=r"a\.parquet: the column 'odd' \(time32\[s\]\) would not pass through"):
            count_rows(file, UnitSize(9, 1), FIELDS)


def versions(word: str, rows: int, **options: Any) -> bytes:
    out = io.BytesIO()
    columns = {"text": [f"{word} {i:05}" for i in range(rows)], "id": list(range(rows))}
    pq.write_table(pa.table(columns), out, row_group_size=10, **options)
    return out.getvalue()


@pytest.mark.parametrize("rows", [60, 61, 30, 0])
@pytest.mark.parametrize("options", [{}, {"compression": "none", "write_statistics": False, "use_dictionary": False}])
def test_a_file_that_was_replaced_is_an_error(tmp_path: Path, rows: int, options: dict[str, Any]) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(versions("old", 60, **options))
    (file,) = find_inputs([str(path)], None, "elsewhere")
    parts = ranges(file, 20)
    path.write_bytes(versions("new", rows, **options))
    for part in parts:
        with pytest.raises(InputError, match=f"a.parquet, rows from {part.first}: the file has changed"):
            read_rows(file, part, FIELDS)


@pytest.mark.parametrize("reading", range(12))
def test_a_file_replaced_while_it_is_read_gives_no_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: int
) -> None:
    """The file is written over, byte by byte in its place, between any two looks at it."""
    monkeypatch.setattr(row_groups, "BLOCK_BYTES", 200)
    options = {"compression": "none", "write_statistics": False, "use_dictionary": False}
    path = tmp_path / "a.parquet"
    path.write_bytes(versions("old", 60, **options))
    (file,) = find_inputs([str(path)], None, "elsewhere")
    part = ranges(file, 20)[1]
    looks = itertools.count()
    opened = storage.open_input

    class Replacing(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if next(looks) == reading:
                with path.open("r+b") as out:
                    out.write(versions("new", 60, **options))
            return super().read(size) or b""

    def open_input(url: str, block_bytes: int | None = None) -> IO[bytes]:
        return Replacing(url) if url == str(path) else opened(url, block_bytes)  # type: ignore[return-value]

    monkeypatch.setattr(storage, "open_input", open_input)
    found: object
    try:
        found = read_rows(file, part, FIELDS).texts
    except InputError as error:
        found = error.problem
    assert found == "the file has changed since it was counted" or found == [f"old {i:05}" for i in range(20, 40)]


def test_only_the_row_groups_of_a_range_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(versions("old", 1000, compression="none"))
    (file,) = find_inputs([str(path)], None, "elsewhere")
    parts = ranges(file, 20)
    marks = len(b"PAR1") + len(b"size") + len(b"PAR1")
    whole = path.stat().st_size - int.from_bytes(path.read_bytes()[-8:-4], "little") - marks
    assert sum(part.bytes for part in parts) == whole


@given(seed=st.integers(0, 1 << 32), changes=st.integers(1, 20), cut=st.booleans(), checked=st.booleans())
@settings(max_examples=150)
def test_damage_is_named_or_was_none(
    tmp_path_factory: pytest.TempPathFactory, seed: int, changes: int, cut: bool, checked: bool
) -> None:
    """Whatever bytes of a file are damaged before or after counting: an error of ours, or rows without a crash."""
    path = tmp_path_factory.mktemp("damage") / "a.parquet"
    good = versions("old", 60, write_page_checksum=checked)
    random = Random(seed)
    data = bytearray(good)
    for _ in range(changes):
        data[random.randrange(len(data))] = random.randrange(256)
    path.write_bytes(data[: random.randrange(len(data))] if cut else data)
    (file,) = find_inputs([str(path)], None, "elsewhere")
    try:
        contents = [read_rows(file, part, FIELDS) for part in ranges(file, 20)]
    except InputError as error:
        assert "a.parquet" in str(error)  # noqa: PT017
    else:
        assert len(contents) == 3


@pytest.mark.parametrize("compression", ["none", "snappy"])
def test_a_damaged_page_is_named_with_its_rows(tmp_path: Path, compression: str) -> None:
    """Of a page that is not compressed only its checksum can tell."""
    data = bytearray(versions("old", 60, compression=compression, write_page_checksum=True))
    begin, end = row_group_spans(read_footer(io.BytesIO(data), len(data)), len(data))[3]
    data[data.index(b"00035") if compression == "none" else begin + (end - begin) // 2] ^= 1
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    (file,) = find_inputs([str(path)], None, "elsewhere")
    first, second, _ = ranges(file, 20)
    assert read_rows(file, first, FIELDS).texts[0] == "old 00000"
    with pytest.raises(InputError, match=r"a\.parquet: the Parquet file is .* in the row groups 2 to 3, after row 3"):
        read_rows(file, second, FIELDS)


def test_a_text_longer_than_a_record_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (content_module, rows):
        monkeypatch.setattr(module, "MAX_RECORD_BYTES", 40)
    file = write(tmp_path / "a.parquet", pa.table({"text": ["one", "x" * 41, "x" * 40, None]}))
    content = read_rows(file, ranges(file)[0], FIELDS)
    assert content.texts == ["one", None, "x" * 40, None]
    assert [(failure.record, failure.reason) for failure in content.failures] == [(1, "longer than 0 MiB")]
