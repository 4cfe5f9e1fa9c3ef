from __future__ import annotations

import io
import itertools
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.dataset import writer
from seq2seq_core.dataset.schema import REJECTED_SCHEMA
from seq2seq_core.dataset.writer import length_histogram, merge_histograms, write_rejected, write_shard
from seq2seq_core.errors import DatasetError, StorageError
from tests.text_sides import text_sides

SIDES = text_sides(44)

TableMaker = Callable[..., pa.Table]


def other_layout(table: pa.Table) -> pa.Table:
    """The same rows, cut out of longer chunks, with dictionaries in another order and with unused values."""
    parts = [table.slice(0, 3), table.slice(3, 1), table.slice(4)]
    odd = pa.concat_tables([table.slice(1, 1), *parts]).slice(1)
    names = odd.column("origin").to_pylist()
    words = ["unused", *sorted(set(names), reverse=True)]
    codes = pa.array([words.index(name) for name in names], pa.int32())
    origin = pa.DictionaryArray.from_arrays(codes, pa.array(words))
    position = odd.schema.get_field_index("origin")
    return odd.set_column(position, odd.schema.field(position), origin).replace_schema_metadata({"a": "b"})


def test_equal_rows_give_equal_bytes(tmp_path: Path, random_table: TableMaker) -> None:
    table = random_table(50)
    first = write_shard(str(tmp_path), "a.parquet", table, SIDES, row_group_tokens=100)
    second = write_shard(str(tmp_path), "b.parquet", other_layout(table), SIDES, row_group_tokens=100)
    assert other_layout(table).column("source").num_chunks > 1
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert first == second.model_copy(update={"path": "a.parquet"})
    assert first.digest != write_shard(str(tmp_path), "c.parquet", random_table(50, 1), SIDES).digest


NAMES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=5)
CHUNKS = st.lists(NAMES.flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, len(n) - 1)))), max_size=4)


@given(CHUNKS)
def test_dictionaries_stand_in_order_of_appearance(chunks: list[tuple[list[str], list[int]]]) -> None:
    """As if the texts of all rows had been written out and read again."""
    kind = pa.dictionary(pa.int32(), pa.string())
    arrays = [pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names)) for names, codes in chunks]
    column = pa.chunked_array(arrays, kind)
    texts = column.cast(pa.string()).combine_chunks().dictionary_encode()
    found = writer._canonical(pa.table({"origin": column})).column("origin").combine_chunks()
    assert found.type == kind
    assert found.indices.to_pylist() == texts.indices.to_pylist()
    assert found.dictionary.to_pylist() == texts.dictionary.to_pylist()


@pytest.mark.parametrize("store", ["local", "memory"])
def test_the_entry_says_what_was_written(tmp_path: Path, random_table: TableMaker, store: str) -> None:
    root = str(tmp_path) if store == "local" else f"memory://{uuid.uuid4().hex}"
    table = random_table(30)
    entry = write_shard(root, "train/part.parquet", table, SIDES, generation=2)
    data = storage.read_bytes(storage.join(root, entry.path))
    assert (entry.path, entry.rows, entry.generation) == ("train/part.parquet", 30, 2)
    assert (entry.bytes, entry.digest) == (len(data), storage.digest_bytes(data))
    assert entry.source_tokens == sum(map(len, table.column("source").to_pylist()))
    assert entry.target_tokens == sum(map(len, table.column("target").to_pylist()))
    assert pq.read_table(io.BytesIO(data)).to_pylist() == table.to_pylist()


def test_an_empty_shard_is_a_valid_file(tmp_path: Path, random_table: TableMaker) -> None:
    entry = write_shard(str(tmp_path), "a.parquet", random_table(0), SIDES)
    read = pq.read_table(tmp_path / "a.parquet")
    assert (entry.rows, entry.source_tokens, read.num_rows) == (0, 0, 0)
    assert read.column_names == random_table(0).column_names


def test_tokens_and_lengths_are_stored_in_the_encodings_that_pay(tmp_path: Path, random_table: TableMaker) -> None:
    write_shard(str(tmp_path), "a.parquet", random_table(50), SIDES)
    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert "BYTE_STREAM_SPLIT" in columns["source.list.element"].encodings
    assert "DELTA_BINARY_PACKED" in columns["line"].encodings
    assert "BYTE_STREAM_SPLIT" in columns["target_length"].encodings
    assert [name for name, column in columns.items() if column.has_dictionary_page] == ["origin"]


def test_row_groups_are_bounded_by_tokens(tmp_path: Path, random_table: TableMaker) -> None:
    table = random_table(60)
    write_shard(str(tmp_path), "a.parquet", table, SIDES, row_group_tokens=40)
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert file.num_row_groups > 10
    for index in range(file.num_row_groups):
        group = file.read_row_group(index, columns=["source_length", "target_length"])
        tokens = sum(np.sum(column.to_numpy()) for column in group.columns)
        assert tokens <= 40 or group.num_rows == 1


@given(st.lists(st.integers(0, 50)), st.integers(1, 60))
def test_row_group_cuts(tokens: list[int], limit: int) -> None:
    cuts = writer._row_group_cuts(np.array(tokens, np.int64), limit)
    assert cuts[0] == 0
    assert cuts[-1] == len(tokens)
    groups = [tokens[begin:end] for begin, end in itertools.pairwise(cuts)]
    assert all(group and (sum(group) <= limit or len(group) == 1) for group in groups)
    assert all(sum(a) + b[0] > limit for a, b in itertools.pairwise(groups))


def test_a_length_that_is_not_that_of_the_tokens_is_refused(tmp_path: Path, random_table: TableMaker) -> None:
    table = random_table(5)
    lengths = table.column("target_length").to_numpy().copy()
    lengths[3] += 1
    position = table.schema.get_field_index("target_length")
    wrong = table.set_column(position, table.schema.field(position), pa.array(lengths))
    with pytest.raises(DatasetError, match=rf"a\.parquet row 3: wrong target_length; found {lengths[3]};"):
        write_shard(str(tmp_path), "a.parquet", wrong, SIDES)
    assert list(tmp_path.iterdir()) == []


def test_a_path_outside_the_dataset_is_refused(tmp_path: Path, random_table: TableMaker) -> None:
    with pytest.raises(StorageError, match="leaves its folder"):
        write_shard(str(tmp_path / "dataset"), "../a.parquet", random_table(1), SIDES)


def test_rejected_rows(tmp_path: Path) -> None:
    rows = [
        {"origin": "a.en", "line": 3, "rule": "ratio", "value": "9", "threshold": "3", "source": "x", "target": None},
        {"origin": "a.en", "line": 4, "rule": "empty", "value": "0", "threshold": "1", "source": "", "target": "y"},
    ]
    table = pa.Table.from_pylist(rows, schema=REJECTED_SCHEMA)
    entry = write_rejected(str(tmp_path), "rejected/a.parquet", table)
    again = write_rejected(str(tmp_path), "rejected/b.parquet", pa.concat_tables([table.slice(0, 1), table.slice(1)]))
    assert pq.read_table(tmp_path / entry.path).to_pylist() == rows
    assert (entry.rows, entry.digest) == (2, storage.digest_file(str(tmp_path / entry.path)))
    assert entry.digest == again.digest
    assert write_rejected(str(tmp_path), "rejected/c.parquet", table.slice(0, 0)).rows == 0


def test_histogram() -> None:
    assert length_histogram(np.array([], np.int32)) == ()
    assert length_histogram(np.array([0, 2, 2])) == (1, 0, 2)
    assert length_histogram(np.array([1, 3, 9, 4]), bins=4) == (0, 1, 0, 3)


@given(st.lists(st.lists(st.integers(0, 20))))
def test_histograms_add_up(parts: list[list[int]]) -> None:
    histograms = [length_histogram(np.array(part, np.int32), bins=16) for part in parts]
    together = np.array([length for part in parts for length in part], np.int32)
    assert merge_histograms(histograms) == length_histogram(together, bins=16)
