from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from seq2seq_core.dataset import writer
from seq2seq_core.dataset.manifest import MANIFEST_NAME, Manifest, publish_manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import DatasetError

DatasetMaker = Callable[..., Dataset]
TableMaker = Callable[..., pa.Table]


def test_a_sound_dataset(random_dataset: DatasetMaker, tiny_dataset: str) -> None:
    dataset = random_dataset()
    found = verify(dataset.root)
    assert (found.files, found.rows, found.rejected, found.unlisted) == (7, 72, 3, ())
    shards = [shard for split in dataset.manifest.splits.values() for shard in split.shards]
    assert found.source_tokens == sum(shard.source_tokens for shard in shards)
    assert "72 rows" in found.summary()
    assert verify(tiny_dataset).rows == 424


def test_files_the_manifest_does_not_name_are_noted(random_dataset: DatasetMaker) -> None:
    dataset = random_dataset()
    names = [f"extra/file-{i}" for i in range(7)]
    for name in names:
        path = Path(dataset.root) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    found = verify(dataset.root)
    assert found.unlisted == tuple(names)
    assert "not named by the manifest: extra/file-0, " in found.summary()
    assert found.summary().endswith("and 2 more")


def test_an_object_store(random_dataset: DatasetMaker) -> None:
    assert verify(random_dataset(root="memory://verify").root).unlisted == ()


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("train/part-00000-of-00003.parquet", flip_a_byte, "wrong digest; found"),
        ("train/part-00002-of-00003.parquet", lambda p: p.write_bytes(p.read_bytes() + b"x"), "wrong bytes; found"),
        ("valid/part-00000-of-00001.parquet", Path.unlink, "a file is missing"),
        ("rejected/part-0.parquet", flip_a_byte, "wrong digest; found"),
        ("tokenizer/joint.model", flip_a_byte, "wrong digest; found"),
    ],
)
def test_a_damaged_file_is_named(
    random_dataset: DatasetMaker, file: str, damage: Callable[[Path], object], message: str
) -> None:
    dataset = random_dataset()
    damage(Path(dataset.root) / file)
    with pytest.raises(DatasetError, match=message) as caught:
        verify(dataset.root)
    assert caught.value.where == f"{dataset.root}/{file}"


@pytest.mark.parametrize(
    ("keys", "change", "message"),
    [
        (("splits", "train", "shards", 0, "rows"), 1, r"part-00000-of-00003\.parquet: wrong number of rows; found 40"),
        (("splits", "train", "shards", 2, "source_tokens"), 1, r"part-00002-of-00003\.parquet: wrong source tokens"),
        (("splits", "valid", "target_lengths", 3), 1, r"dataset\.json: wrong target_lengths\[3\] of split valid"),
        (("ledger", "read"), 2, r"neither kept, duplicates nor rejected; found 2; expected 0"),
        (("ledger", "duplicates"), 3, r"neither kept, duplicates nor rejected; found -3; expected 0"),
        (("ledger", "kept", "train"), -1, r"wrong rows kept in split train; found 65; expected 64"),
        (("ledger", "rejected", "empty"), 1, r"wrong rows rejected by empty; found 2; expected 3"),
        (("ledger", "rejected", "long"), 1, r"wrong rows rejected by long; found 0; expected 1"),
        (("source_tokenizer", "vocabulary_size"), 9, r"joint\.model: wrong vocabulary size; found 44; expected 53"),
    ],
)
def test_a_wrong_number_is_named(
    random_dataset: DatasetMaker, keys: tuple[str | int, ...], change: int, message: str
) -> None:
    dataset = random_dataset()
    path = Path(dataset.root) / MANIFEST_NAME
    values = json.loads(path.read_text())
    inner: Any = values
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] += change
    path.write_text(json.dumps(values))
    with pytest.raises(DatasetError, match=message):
        verify(dataset.root)


def republish(dataset: Dataset, table: pa.Table) -> None:
    """Replace the first training shard, its entry included, so that only what is in it can be wrong."""
    entry = writer.write_shard(dataset.root, dataset.split("train").shards[0].path, table, dataset.manifest.sides)
    train = dataset.split("train")
    train = train.model_copy(update={"shards": (entry, *train.shards[1:])})
    manifest: Manifest = dataset.manifest
    publish_manifest(dataset.root, manifest.model_copy(update={"splits": {**manifest.splits, "train": train}}))


def test_ids_outside_the_vocabulary(random_dataset: DatasetMaker, random_table: TableMaker) -> None:
    dataset = random_dataset()
    republish(dataset, random_table(40, vocabulary=60))
    with pytest.raises(DatasetError, match=r"wrong largest token id of source; found 59; expected less than 44"):
        verify(dataset.root)


def test_missing_columns(random_dataset: DatasetMaker, random_table: TableMaker) -> None:
    dataset = random_dataset()
    republish(dataset, random_table(40).drop_columns(["id"]))
    with pytest.raises(DatasetError, match=r"wrong columns; found \['origin'"):
        verify(dataset.root)


def test_wrong_types(random_dataset: DatasetMaker, random_table: TableMaker) -> None:
    dataset = random_dataset()
    republish(dataset, random_table(40, vocabulary=70_000))
    with pytest.raises(DatasetError, match=r"wrong type of column source; found list<.*uint32.*expected list<.*uint16"):
        verify(dataset.root)


def test_lengths_that_do_not_fit_the_tokens(
    random_dataset: DatasetMaker, random_table: TableMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = random_dataset()
    table = random_table(40)
    lengths = table.column("source_length").to_pylist()
    lengths[5] += 1
    position = table.schema.get_field_index("source_length")
    monkeypatch.setattr(writer, "_checked_lengths", lambda table, side, url: table.column(side.length_name).to_numpy())
    republish(dataset, table.set_column(position, table.schema.field(position), pa.array(lengths, pa.int32())))
    message = rf"wrong source_length of the row from corpus-2\.en:6; found {lengths[5]}; expected {lengths[5] - 1}"
    with pytest.raises(DatasetError, match=message):
        verify(dataset.root)
