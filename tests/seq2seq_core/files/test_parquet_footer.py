"""Where columns stand in Parquet files, against what the library says; and footers that are damaged."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.files.parquet_footer import column_spans, read_footer, row_group_spans

OPTIONS: list[dict[str, Any]] = [
    {},
    {"compression": "none", "write_statistics": False, "use_dictionary": False},
    {"write_page_index": True, "write_page_checksum": True, "data_page_version": "2.0"},
    {"store_schema": False, "version": "1.0", "use_deprecated_int96_timestamps": True},
    {"sorting_columns": [pq.SortingColumn(0)], "bloom_filter_options": {"i": {"ndv": 10}}},
]


def written(rows: int, group: int, options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    columns = {
        "i": pa.array(range(rows), pa.int64()),
        "text": pa.array([f"text {i}" for i in range(rows)], pa.string()),
        "x": pa.array([i / 7 for i in range(rows)], pa.float64()),
        "list": pa.array(
            [[{"a": True, "b": None}] * (i % 3) for i in range(rows)],
            pa.list_(pa.struct([("a", pa.bool_()), ("b", pa.date32())])),
        ),
    }
    table = pa.table(columns).replace_schema_metadata({"long": "x" * 300, "": "y"})
    pq.write_table(table, out, row_group_size=group, **options)
    return out.getvalue()


@pytest.mark.parametrize("options", OPTIONS)
@given(rows=st.integers(0, 60), group=st.integers(1, 20))
def test_spans_are_what_the_metadata_say(options: dict[str, Any], rows: int, group: int) -> None:
    data = written(rows, group, options)
    metadata = pq.read_metadata(io.BytesIO(data))
    expected = []
    for number in range(metadata.num_row_groups):
        columns = [metadata.row_group(number).column(place) for place in range(metadata.num_columns)]
        begins = [min(c.data_page_offset, c.dictionary_page_offset or c.data_page_offset) for c in columns]
        expected.append(
            tuple((begin, begin + c.total_compressed_size) for begin, c in zip(begins, columns, strict=True))
        )
    footer = read_footer(io.BytesIO(data), len(data))
    assert column_spans(footer, len(data)) == tuple(expected)
    whole = [(min(b for b, _ in spans), max(e for _, e in spans)) for spans in expected]
    assert row_group_spans(footer, len(data)) == whole


@pytest.mark.parametrize(("writer", "margin"), [("1.2.8", 100), ("1.2.9", 0), ("1.12.3", 0), ("unknown", 100)])
def test_of_old_writers_a_little_more_is_read(writer: str, margin: int) -> None:
    footer = read_footer(io.BytesIO(GOOD), len(GOOD))
    old = footer.replace(b"parquet-cpp-arrow version", f"parquet-mr version {writer} (b)".encode().ljust(25)[:25])
    assert len(old) == len(footer)
    (plain, *_), (wide, *_) = column_spans(footer, len(GOOD)), column_spans(old, len(GOOD))
    assert [end - before for (_, end), (_, before) in zip(wide, plain, strict=True)] == [margin] * len(plain)


@given(data=st.binary(max_size=60), length=st.integers(0, 80))
def test_any_end_of_a_file_is_read_or_refused(data: bytes, length: int) -> None:
    whole = data + length.to_bytes(4, "little") + b"PAR1"
    footer = read_footer(io.BytesIO(whole), len(whole))
    assert whole.endswith(footer)
    try:
        groups = column_spans(footer, len(whole))
    except EOFError:
        return
    assert all(0 <= begin <= end <= len(whole) for spans in groups for begin, end in spans)


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_damaged_footer_is_read_or_refused(place: int, value: int) -> None:
    footer = bytearray(read_footer(io.BytesIO(GOOD), len(GOOD)))
    footer[place % (len(footer) - 8)] = value
    try:
        groups = column_spans(bytes(footer), len(GOOD))
    except EOFError:
        return
    assert all(0 <= begin <= end <= len(GOOD) for spans in groups for begin, end in spans)


GOOD = written(50, 10, {})
