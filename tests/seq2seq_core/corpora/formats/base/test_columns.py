"""Parquet and Arrow files against the values they were written from: every type of text, cut anywhere, damaged."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.errors import ConfigError, InputError

quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
TEXT = st.text(alphabet="ab\n\r\t\0\u2028\x85\x0c\ufeff😀é", max_size=6)
ROWS = st.lists(st.tuples(st.one_of(st.none(), TEXT), TEXT), min_size=1, max_size=12)
KINDS = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.large_binary(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.int32(), pa.large_string()),
]
WORDS = pa.table({"source": ["some", "words", "here"] * 4, "target": ["and", "others", "there"] * 4})
FORMATS = ["parquet", "stream.arrow", "file.arrow"]


def write(path: Path, table: pa.Table, rows_a_piece: int) -> str:
    """A file in the format its name tells of, in pieces of so many rows."""
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=rows_a_piece)
    else:
        make = pa.ipc.new_stream if "stream" in path.name else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=rows_a_piece)
    return str(path)


def texts(values: list[Any], kind: pa.DataType) -> pa.Array:
    """A column of a type; bytes that are not UTF-8 too."""
    octets = pa.array([value.encode() if isinstance(value, str) else value for value in values], pa.binary())
    if pa.types.is_dictionary(kind):
        encoded = octets.dictionary_encode()
        words = texts(encoded.dictionary.to_pylist(), kind.value_type)
        return pa.DictionaryArray.from_arrays(encoded.indices.cast(kind.index_type), words)
    if pa.types.is_string(kind):
        return octets.view(kind)
    if pa.types.is_large_string(kind):
        return octets.cast(pa.large_binary()).view(kind)
    if pa.types.is_string_view(kind):
        return octets.cast(pa.binary_view()).view(kind)
    return octets.cast(kind)


@quietly
@given(
    rows=ROWS,
    format_=st.sampled_from(FORMATS),
    kind=st.sampled_from(KINDS),
    nested=st.booleans(),
    piece=st.integers(1, 5),
    unit_rows=st.integers(1, 6),
)
def test_rows_are_those_that_were_written(
    tmp_path: Path,
    reading: Any,
    rows: list[tuple[str | None, str]],
    format_: str,
    kind: pa.DataType,
    nested: bool,
    piece: int,
    unit_rows: int,
) -> None:
    sides = [texts([row[side] for row in rows], kind) for side in (0, 1)]
    if nested:
        table = pa.table({"n": range(len(rows)), "t": pa.StructArray.from_arrays(sides, ["en", "de"])})
    else:
        table = pa.table({"t.en": sides[0], "n": range(len(rows)), "t.de": sides[1]})
    path = write(tmp_path / f"c.{format_}", table, len(rows) if kind == pa.string_view() else piece)
    found = reading.read(unit_rows, path=path, source_field="t.en", target_field="t.de")
    assert found.rows == [(line, *row) for line, row in enumerate(rows, 1) if row[0] is not None]
    assert found.rejects == [(line, "missing_field", "no t.en") for line, row in enumerate(rows, 1) if row[0] is None]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_unreadable_texts_are_set_aside(tmp_path: Path, reading: Any, format_: str, kind: pa.DataType) -> None:
    table = pa.table(
        {"source": texts(["a", b"a\xff", "b" * 9, None], kind), "target": texts(["x", "y", "z", "u"], kind)}
    )
    path = write(tmp_path / f"c.{format_}", table, 10)
    if format_ == "parquet" and kind == pa.dictionary(pa.int8(), pa.string()):  # Arrow itself turns the words into text
        with pytest.raises(InputError, match=r"c\.parquet: .*Invalid UTF8"):
            reading.read(path=path)
        return
    assert reading.read(limit=8, path=path) == (
        [(1, "a", "x")],
        [
            (2, "not_utf8", "source byte 0xff at 2"),
            (3, "too_many_bytes", "source 9 bytes"),
            (4, "missing_field", "no source"),
        ],
    )


@quietly
@given(
    rows=st.lists(
        st.tuples(st.one_of(st.none(), st.lists(TEXT, max_size=3)), st.one_of(st.none(), st.lists(TEXT, max_size=3))),
        min_size=1,
        max_size=6,
    ),
    format_=st.sampled_from(FORMATS),
    large=st.booleans(),
)
def test_lists_are_joined_or_picked_from(tmp_path: Path, reading: Any, rows: Any, format_: str, large: bool) -> None:
    kind = pa.large_list(pa.large_string()) if large else pa.list_(pa.string())
    table = pa.table({"s": pa.array([row[0] for row in rows], kind), "t": pa.array([row[1] for row in rows], kind)})
    path = write(tmp_path / f"c.{format_}", table, 2)
    found = reading.read(2, path=path, source_field="s.*", target_field="t.1")
    expected = [
        (line, " ".join(source), target[1])
        for line, (source, target) in enumerate(rows, 1)
        if source is not None and target is not None and len(target) > 1
    ]
    assert found.rows == expected
    assert len(found.rejects) == len(rows) - len(expected)


@pytest.mark.parametrize("format_", FORMATS)
def test_scores_and_texts_alone(tmp_path: Path, reading: Any, format_: str) -> None:
    table = pa.table({"text": ["a b c", "d"], "s": pa.array([1.5, None], pa.float32())})
    path = write(tmp_path / f"c.{format_}", table, 1)
    assert reading.read(path=path, text_field="text") == ([(1, "", "a b c"), (2, "", "d")], [])
    assert reading.read(path=path, text_field="text", prompt_words=1) == ([(1, "a", "b c"), (2, "d", "")], [])
    scored = reading.read(path=path, text_field="text", score_field="s")
    assert scored == ([(1, "", "a b c", 1.5)], [(2, "bad_score", "no score")])


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source_field": "en"}, r"no column 'en'; found columns t\.x \(string\), n \(int64\), target \(string\)"),
        ({"source_field": "t"}, r"the column 't' holds no text; found type struct<x: string> among columns t\.x"),
        ({"source_field": "n"}, r"the column 'n' holds no text; found type int64 .*; expected string"),
        ({"source_field": "n.x"}, "no column 'n.x'"),
        ({"source_field": "t.x.*"}, r"no column 't\.x\.\*'"),
        ({"source_field": "t.x", "score_field": "n.0"}, "no column 'n.0'"),
        ({"source_field": "t.x", "score_field": "twice"}, "the column 'twice' is there more than once"),
        ({"source_field": "t.x", "target_field": "n", "score_field": "target"}, "'n' holds no text"),
        ({"source_field": "t.x", "target_field": "target", "score_field": "t"}, None),
        ({"source_field": "t.x", "score_field": "word"}, "the column 'word' holds no numbers; found type string"),
    ],
)
def test_columns_that_do_not_fit_are_found_before_work_starts(
    tmp_path: Path, reading: Any, format_: str, fields: dict[str, str], message: str | None
) -> None:
    table = pa.table({"t": [{"x": "a"}], "n": [1], "target": ["b"]})
    if "twice" in fields.values():
        table = table.append_column("twice", pa.array([1])).append_column("twice", pa.array([1]))
    if "word" in fields.values():
        table = table.append_column("word", pa.array(["1"]))
    path = write(tmp_path / f"c.{format_}", table, 1)
    if message is None:
        with pytest.raises(ConfigError, match="different values"):
            reading.source(path=path, **fields)
        return
    with pytest.raises(InputError, match=message) as caught:
        index_source(reading.source(path=path, **fields), 10, 100)
    assert Path(path).name in str(caught.value)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(("piece", "unit_rows", "firsts"), [(4, 1, [1, 5, 9]), (4, 8, [1, 9]), (1, 4, [1, 5, 9])])
def test_parts_are_groups_of_pieces(
    tmp_path: Path, reading: Any, format_: str, piece: int, unit_rows: int, firsts: list[int]
) -> None:
    table = pa.table({"source": list("abcdefghij"), "target": list("abcdefghij")})
    source = reading.source(path=write(tmp_path / f"c.{format_}", table, piece))
    indexes = index_source(source, unit_rows, 100)
    assert [part.first_line for part in cut(source, indexes)] == firsts
    assert (indexes[0].lines, indexes[0].bytes) == (10, Path(source.urls[0]).stat().st_size)


def test_batches_that_share_dictionaries_stay_together(tmp_path: Path, reading: Any) -> None:
    words = pa.array(list("abcdefghij")).dictionary_encode()
    path = write(tmp_path / "c.stream.arrow", pa.table({"source": words, "target": words}), 3)
    source = reading.source(path=path)
    assert len(cut(source, index_source(source, 1, 100))) == 1


@pytest.mark.parametrize("format_", FORMATS[1:])
def test_an_arrow_file_that_has_become_shorter_is_an_error(tmp_path: Path, reading: Any, format_: str) -> None:
    path = Path(write(tmp_path / f"c.{format_}", WORDS, 3))
    source = reading.source(path=str(path))
    indexes = index_source(source, 6, 100)
    path.write_bytes(path.read_bytes()[: indexes[0].cuts[1]])
    first, second = cut(source, indexes)
    assert sum(sifted.read for sifted in read_part(first, 100)) == 6
    with pytest.raises(InputError, match="the file has changed since it was counted"):
        list(read_part(second, 100))


def test_a_column_of_nothing_has_no_texts(tmp_path: Path, reading: Any) -> None:
    path = write(tmp_path / "c.parquet", pa.table({"source": pa.nulls(2), "target": ["a", "b"]}), 5)
    assert [rule for _, rule, _ in reading.read(path=path).rejects] == ["missing_field"] * 2


def test_large_rows_come_in_small_batches(tmp_path: Path, reading: Any) -> None:
    table = pa.table({"source": ["x" * 500_000] * 60, "target": ["y"] * 60})
    for format_ in FORMATS:
        source = reading.source(path=write(tmp_path / f"c.{format_}", table, 60))
        (part,) = cut(source, index_source(source, 1000, 1 << 20))
        sizes = [sifted.kept.source.nbytes for sifted in read_part(part, 1 << 20)]
        assert len(sizes) > 2
        assert max(sizes) < 12_000_000


@quietly
@given(data=st.data(), format_=st.sampled_from(FORMATS))
def test_a_truncated_file_is_an_error(tmp_path: Path, reading: Any, data: st.DataObject, format_: str) -> None:
    path = Path(write(tmp_path / f"c.{format_}", WORDS, 4))
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole) - 1))])
    with pytest.raises(
        InputError, match=rf"c\.{format_}: the (Arrow|Parquet) file is truncated or corrupt; found .*, "
    ):
        reading.read(path=str(path))


@quietly
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), format_=st.sampled_from(FORMATS))
@example(place=0.5, value=0xFF, format_="stream.arrow")
def test_a_damaged_file_is_an_error_or_other_text(
    tmp_path: Path, reading: Any, place: float, value: int, format_: str
) -> None:
    path = Path(write(tmp_path / f"c.{format_}", WORDS, 4))
    octets = bytearray(path.read_bytes())
    octets[int(place * len(octets))] = value
    path.write_bytes(octets)
    with contextlib.suppress(InputError):
        found = reading.read(path=str(path))
        assert len(found.rows) + len(found.rejects) == 12


@pytest.mark.parametrize(
    ("format_", "tail", "message"),
    [
        ("stream.arrow", -8, "the mark of the end is missing, after 12 rows"),
        ("file.arrow", -1, "Not an Arrow file, after 12 rows"),
        ("stream.arrow", 9, "9 bytes stand behind the end"),
        ("parquet", -1, "in the footer at its end, before any row"),
    ],
)
def test_how_far_a_file_was_readable(tmp_path: Path, reading: Any, format_: str, tail: int, message: str) -> None:
    path = Path(write(tmp_path / f"c.{format_}", WORDS, 4))
    octets = path.read_bytes()
    path.write_bytes(octets[:tail] if tail < 0 else octets + b"x" * tail)
    with pytest.raises(InputError, match=message):
        reading.read(path=str(path))


def test_a_batch_that_hides_the_ones_behind_it_is_noticed(tmp_path: Path, reading: Any) -> None:
    path = Path(write(tmp_path / "c.file.arrow", WORDS, 4))
    (index,) = index_source(reading.source(path=str(path)), 1, 100)
    octets = bytearray(path.read_bytes())
    octets[index.cuts[1] + 4 : index.cuts[1] + 8] = bytes(4)  # a length of nothing is the mark of the end
    path.write_bytes(octets)
    with pytest.raises(InputError, match="the footer tells of 3 record batches, found 1, after 4 rows"):
        reading.read(path=str(path))


def test_a_damaged_page_of_parquet_says_after_which_row(tmp_path: Path, reading: Any) -> None:
    texts_ = [f"a longer text of its own, number {number * number}" for number in range(3000)]
    table = pa.table({"source": texts_, "target": texts_})
    path = tmp_path / "c.parquet"
    pq.write_table(table, path, row_group_size=1500, use_dictionary=False)
    place = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    octets = bytearray(path.read_bytes())
    octets[place : place + 60] = b"\xff" * 60
    path.write_bytes(octets)
    with pytest.raises(InputError, match=r"c\.parquet: .*corrupt; found .*, after row 1500\."):
        reading.read(unit_rows=1000, path=str(path))


def test_an_archive_around_a_columnar_file_is_refused(tmp_path: Path, reading: Any) -> None:
    (tmp_path / "c.parquet.gz").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"a Parquet file is not read through an archive.*Unpack it"):
        reading.source(path=str(tmp_path / "c.parquet.gz"))
