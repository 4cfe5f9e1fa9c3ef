from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from seq2seq_core.documents import faithful
from seq2seq_core.documents.faithful import write_rows
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.parquet import count_rows, read_rows, render_rows
from seq2seq_core.documents.ranges import UnitSize
from seq2seq_core.documents.row_groups import open_file
from seq2seq_core.errors import InputError

NAN = float("nan")
_INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
FLAT: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.null(): st.none(),
    pa.bool_(): st.booleans(),
    pa.int8(): st.integers(-128, 127),
    pa.uint64(): st.integers(0, (1 << 64) - 1),
    pa.float16(): st.floats(width=16),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.string(): st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    pa.large_string(): st.text("aé\0", max_size=3),
    pa.string_view(): st.text("aé", max_size=20),
    pa.binary(): st.binary(max_size=3),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.binary_view(): st.binary(max_size=20),
    pa.dictionary(pa.int8(), pa.string()): st.sampled_from(["a", "b", ""]),
    pa.date32(): st.dates(),
    pa.time32("ms"): st.times().map(lambda time: time.replace(microsecond=0)),
    pa.time64("ns"): st.times(),
    pa.decimal128(38, 5): st.decimals(-1000, 1000, places=5),
    pa.decimal256(70, 5): st.decimals(-1000, 1000, places=5),
    pa.duration("us"): st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999)),
    **{
        pa.timestamp(unit, zone): st.integers(0, 1 << 62)
        for unit in ("ms", "us", "ns")
        for zone in (None, "UTC", "Asia/Kolkata", "+02:30")
    },
}


def columns(depth: int = 2) -> st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    flat = st.sampled_from([(kind, st.none() | values) for kind, values in FLAT.items()])
    if not depth:
        return flat
    inner = columns(depth - 1)
    return flat | st.one_of(
        inner.map(lambda c: (pa.list_(c[0]), st.none() | st.lists(c[1], max_size=3))),
        inner.map(lambda c: (pa.large_list(c[0]), st.none() | st.lists(c[1], max_size=3))),
        inner.map(
            lambda c: (
                pa.map_(pa.string(), c[0]),
                st.none() | st.dictionaries(st.sampled_from("abc"), c[1], max_size=3).map(lambda d: list(d.items())),
            )
        ),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda cs: (
                pa.struct([(f"f{i}", kind) for i, (kind, _) in enumerate(cs)]),
                st.none() | st.fixed_dictionaries({f"f{i}": values for i, (_, values) in enumerate(cs)}),
            )
        ),
    )


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 6))
    kinds = draw(st.lists(columns(), max_size=4))
    arrays = [pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind) for kind, values in kinds]
    names = draw(st.lists(st.sampled_from(["a", "b", "c c", "ü"]), min_size=len(kinds), max_size=len(kinds)))
    metadata = draw(st.dictionaries(st.sampled_from(["k", "pandas", "ü"]), st.sampled_from(["v", ""]), max_size=2))
    fields = [
        pa.field(
            name,
            array.type,
            nullable=bool(array.null_count) or pa.types.is_null(array.type) or draw(st.booleans()),
            metadata=draw(st.sampled_from([None, {"m": "n"}, {"PARQUET:field_id": "7"}])),
        )
        for name, array in zip(names, arrays, strict=True)
    ]
    texts = pa.array([str(i) for i in range(rows)], pa.string())
    return pa.Table.from_arrays([texts, *arrays], schema=pa.schema([pa.field("text", pa.string()), *fields], metadata))


def read_all(parquet: pq.ParquetFile) -> pa.Table:
    """A whole file, one row group after the other: some types are not read across their borders."""
    groups = [parquet.read_row_group(group) for group in range(parquet.num_row_groups)]
    return pa.concat_tables([parquet.schema_arrow.empty_table(), *groups])


def shown(column: pa.ChunkedArray) -> str:
    """What a column holds; unlike Python's values it knows every date."""
    return column.combine_chunks().to_string(window=100, container_window=100)  # type: ignore[no-any-return]


@given(table=tables(), store_schema=st.booleans())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_read_of_any_file_is_what_is_written(
    tmp_path_factory: pytest.TempPathFactory, table: pa.Table, store_schema: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.parquet"
    try:
        pq.write_table(table, path, row_group_size=3, store_schema=store_schema)
    except pa.ArrowNotImplementedError:  # views inside other columns
        reject()
    before = read_all(pq.ParquetFile(path))
    (file,) = find_inputs([str(path)], None, "elsewhere")
    fields = Fields("text", "translation")
    contents = [read_rows(file, part, fields) for part in count_rows(file, UnitSize(4, 1), fields).ranges]
    outputs = [
        pq.ParquetFile(io.BytesIO(render_rows(file, content, [None] * len(content), fields))) for content in contents
    ]
    after = pa.concat_tables([read_all(output) for output in outputs])
    assert after.column_names == [*before.column_names, "translation"]
    assert after.schema.metadata == before.schema.metadata
    for place, field in enumerate(before.schema):
        other = after.schema.field(place)
        assert (other.type, other.nullable, other.metadata or {}) == (field.type, field.nullable, field.metadata or {})
        assert shown(after.column(place)) == shown(before.column(place))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([NAN, None]),
        pa.array([NAN, None], pa.float16()),
        pa.array([[NAN], None], pa.list_(pa.float32())),
        pa.array([[NAN], None], pa.list_view(pa.float64())),
        pa.array([{"x": NAN}, None]),
        pa.array([[("a", NAN)], None], pa.map_(pa.string(), pa.float64())),
        pa.ExtensionArray.from_storage(pa.opaque(pa.float64(), "a", "b"), pa.array([NAN, None])),
    ],
)
def test_what_is_no_number_is_no_reason_to_refuse(column: pa.Array) -> None:
    found = open_file(io.BytesIO(write_rows(pa.table({"x": column}), "a.parquet"))).read()
    assert repr(found.column(0).to_pylist()) == repr(column.to_pylist())


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1, None], pa.time32("s")), r"the column 'odd' \(time32\[s\]\) would not pass through as it is"),
        (pa.array([dt.date(2000, 1, 1), None], pa.date64()), r"the column 'odd' \(date64\[ms\]\) would not"),
        (pa.array([{}, None], pa.struct([])), "the column 'odd' cannot be written as Parquet; found Cannot write"),
        (pa.array([(1, 2, 3), None], pa.month_day_nano_interval()), "the column 'odd' cannot be written as Parquet"),
    ],
)
def test_a_column_that_would_change_is_named(column: pa.Array, message: str) -> None:
    with pytest.raises(InputError, match=f"a.parquet: {message}"):
        write_rows(pa.table({"fine": [1, 2], "odd": column}), "a.parquet")


@pytest.mark.parametrize(
    "changed",
    [
        lambda table: table.slice(1),
        lambda table: table.replace_schema_metadata({"k": "other"}),
        lambda table: table.rename_columns(["id", "other"]),
        lambda table: table.select([1, 0]),
        lambda table: table.set_column(0, pa.field("id", pa.int64(), metadata={"a": "b"}), table.column(0)),
        lambda table: table.set_column(0, "id", table.column(0).cast(pa.int32())),
        lambda table: table.set_column(0, "id", pa.array([1, 2, 4])),
        lambda table: table.set_column(0, "id", pa.array([1, 2, None])),
        lambda table: table.set_column(1, "x", pa.array([[0.5], [NAN, 1.0], []])),
        lambda table: table.set_column(1, "x", pa.array([[0.5], [NAN], None])),
        lambda table: table.set_column(1, "x", pa.array([[0.25], [NAN], []])),
    ],
)
def test_any_change_is_seen(monkeypatch: pytest.MonkeyPatch, changed: Any) -> None:
    table = pa.table({"id": [1, 2, 3], "x": [[0.5], [NAN], []]}).replace_schema_metadata({"k": "v"})
    write_rows(table, "a.parquet")
    there_and_back = faithful._there_and_back

    def other(given: pa.Table) -> tuple[bytes, pa.Table]:
        data, found = there_and_back(given)
        return data, changed(found)

    monkeypatch.setattr(faithful, "_there_and_back", other)
    with pytest.raises(InputError, match="would not pass through as it is"):
        write_rows(table, "a.parquet")
