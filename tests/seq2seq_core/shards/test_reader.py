from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.shards import reader
from seq2seq_core.shards.manifest import publish_manifest
from seq2seq_core.shards.reader import Dataset

DatasetMaker = Callable[..., Dataset]


def test_lengths_come_from_the_length_columns_alone(
    random_dataset: DatasetMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = random_dataset()
    tables = [dataset.read_shard(shard) for shard in dataset.split("train").shards]
    asked: set[str] = set()
    inner = reader.row_groups

    def spy(*arguments: object) -> object:
        asked.update(arguments[3])  # type: ignore[call-overload]
        return inner(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reader, "row_groups", spy)
    lengths = dataset.lengths("train")
    assert asked == {"source_length", "target_length"}
    for side, found in zip(("source", "target"), lengths, strict=True):
        expected = [len(row) for table in tables for row in table.column(side).to_pylist()]
        assert found.dtype == np.int32
        assert found.tolist() == expected


def test_references(random_dataset: DatasetMaker) -> None:
    references = random_dataset().references("valid")
    assert references.sources == [f"source text {i}" for i in range(7)]
    assert references.targets == [f"target text {i}" for i in range(7)]
    with pytest.raises(DatasetError, match="missing columns"):
        random_dataset().references("train")


def test_an_object_store(random_dataset: DatasetMaker) -> None:
    dataset = random_dataset(root=f"memory://{uuid.uuid4().hex}")
    assert len(dataset.lengths("train").source) == 65
    assert dataset.source_tokenizer is dataset.target_tokenizer


def test_a_missing_split(random_dataset: DatasetMaker) -> None:
    with pytest.raises(DatasetError, match=r"no split 'test'; expected one of \['train', 'valid'\]"):
        random_dataset().lengths("test")


def test_row_groups_are_read_one_by_one(random_dataset: DatasetMaker) -> None:
    dataset = random_dataset()
    full, empty, _ = dataset.split("train").shards
    assert len(list(dataset.row_groups(full, ["line"]))) > 1
    assert [table.num_rows for table in dataset.row_groups(empty, ["line"])] == [0]


def test_paths_of_the_manifest_never_leave_the_folder(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    (tmp_path / "outside.parquet").write_bytes((tmp_path / "dataset" / shard.path).read_bytes())
    for path in ("../outside.parquet", str(tmp_path / "outside.parquet"), "train/../../outside.parquet"):
        with pytest.raises(StorageError, match="leaves its folder"):
            dataset.read_shard(shard.model_copy(update={"path": path}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), r"part-00000-of-00003\.parquet: no such file"),
        (lambda path: path.write_bytes(b""), r"part-00000-of-00003\.parquet: a damaged Parquet file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), r"a damaged Parquet file.*Restore the file"),
    ],
)
def test_a_damaged_shard(random_dataset: DatasetMaker, damage: Callable[[Path], object], message: str) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    damage(Path(dataset.root) / shard.path)
    with pytest.raises(DatasetError, match=message):
        dataset.read_shard(shard)


def test_a_wrong_row_count(random_dataset: DatasetMaker) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    with pytest.raises(DatasetError, match="wrong number of rows; found 40; expected 41"):
        dataset.read_shard(shard.model_copy(update={"rows": 41}))


def test_a_tokenizer_that_is_not_the_datasets(random_dataset: DatasetMaker) -> None:
    dataset = random_dataset()
    other = dataset.manifest.source_tokenizer.model_copy(update={"digest": "0" * 32})
    publish_manifest(dataset.root, dataset.manifest.model_copy(update={"source_tokenizer": other}))
    with pytest.raises(DatasetError, match="not the one this dataset was encoded with"):
        _ = Dataset.open(dataset.root).source_tokenizer
    assert storage.exists(storage.join(dataset.root, other.path))
