from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.data.column_cache import Piece
from seq2seq_core.data.columns import TokenColumn, TokenColumns
from seq2seq_core.shards.reader import Dataset

DatasetMaker = Callable[..., Dataset]


def column_of(shards: list[list[list[int]]]) -> TokenColumn:
    pieces = [
        Piece(
            np.array([token for row in rows for token in row], np.uint16),
            np.cumsum([0, *map(len, rows)], dtype=np.int64),
        )
        for rows in shards
    ]
    return TokenColumn(pieces)


ROWS = st.lists(st.lists(st.integers(0, 65535), max_size=5), max_size=6)


@settings(deadline=None)
@given(st.lists(ROWS, max_size=5), st.data())
def test_gather(shards: list[list[list[int]]], data: st.DataObject) -> None:
    column = column_of(shards)
    rows = [row for shard in shards for row in shard]
    numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20)) if rows else []
    flat, lengths = column.gather(np.array(numbers, np.int64))
    assert len(column) == len(rows)
    assert column.lengths.tolist() == list(map(len, rows))
    assert lengths.tolist() == [len(rows[number]) for number in numbers]
    assert flat.tolist() == [token for number in numbers for token in rows[number]]


def test_gather_keeps_the_integer_type() -> None:
    assert column_of([[[1, 2]], [[3]]]).gather(np.array([1, 0])).flat.dtype == np.uint16


@pytest.mark.parametrize("number", [-1, 3])
def test_a_row_that_is_not_there(number: int) -> None:
    with pytest.raises(IndexError, match="of 3"):
        column_of([[[1], [2]], [[3]]]).gather(np.array([0, number]))


def test_columns_of_a_split(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    columns = TokenColumns.open(dataset, "train", tmp_path / "cache")
    expected = [dataset.read_shard(shard) for shard in dataset.split("train").shards]
    numbers = np.random.default_rng(0).permutation(len(columns))
    for side, column in (("source", columns.source), ("target", columns.target)):
        rows = [row for table in expected for row in table.column(side).to_pylist()]
        flat, lengths = column.gather(numbers)
        assert np.split(flat, np.cumsum(lengths)[:-1])[7].tolist() == rows[numbers[7]]
        assert flat.tolist() == [token for number in numbers for token in rows[number]]
    assert all(np.array_equal(*sides) for sides in zip(columns.lengths, dataset.lengths("train"), strict=True))


def test_the_digest_names_rows_and_order(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    digests = [
        TokenColumns.open(random_dataset(rows, root=str(tmp_path / name)), split, tmp_path / "cache").digest
        for name, rows, split in (
            ("a", (5, 6), "train"),
            ("b", (5, 6), "train"),
            ("c", (6, 5), "train"),
            ("d", (5, 6), "valid"),
        )
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_the_cache_folder_is_configurable(
    random_dataset: DatasetMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "elsewhere"))
    TokenColumns.open(random_dataset(), "valid")
    assert len(list((tmp_path / "elsewhere").glob("columns-1/*/source.tokens.npy"))) == 1
