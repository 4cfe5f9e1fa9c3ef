from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from seq2seq_core.data import column_cache
from seq2seq_core.data.column_cache import open_shards
from seq2seq_core.data.columns import Column
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.modalities.base import Element
from seq2seq_core.modalities.text import Text
from tests.cached_columns import FILES, age, folder_of, read, shards_of, truth, without_shards

DatasetMaker = Callable[..., Dataset]


def test_shards_are_decoded_once(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    expected = truth(dataset)
    assert read(dataset, tmp_path / "cache") == expected
    assert read(without_shards(dataset), tmp_path / "cache") == expected


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_arrays_are_mapped_not_read_and_keep_no_descriptor(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    before = open_files()
    opened = [open_shards(dataset, shards_of(dataset), tmp_path) for _ in range(3)]
    assert open_files() == before
    maps = Path("/proc/self/maps").read_text()
    assert all(maps.count(str(folder_of(tmp_path) / file)) == 3 for file in FILES)
    source = opened[0].columns[0]
    assert not source.values.flags.writeable
    assert (source.values.dtype, source.offsets.dtype, len(source.offsets)) == (np.uint16, np.int64, 66)


@pytest.mark.parametrize("rows", [(0,), (0, 0), (0, 3), (3, 0), (1,), (0, 1, 0, 2)])
def test_shards_without_rows(random_dataset: DatasetMaker, tmp_path: Path, rows: tuple[int, ...]) -> None:
    dataset = random_dataset(rows)
    assert read(dataset, tmp_path / "cache") == truth(dataset)
    assert read(dataset, tmp_path / "cache") == truth(dataset)


def test_a_split_without_shards(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    assert read(random_dataset(), tmp_path, []) == ([], [])
    assert read(random_dataset(), tmp_path, []) == ([], [])


def test_the_order_of_shards_is_that_of_the_rows(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    source, _ = read(dataset, tmp_path / "cache")
    turned, _ = read(dataset, tmp_path / "cache", shards_of(dataset)[::-1])
    assert turned == source[40:] + source[:40]


def test_datasets_that_begin_alike_share_a_folder(
    random_dataset: DatasetMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two that have grown apart: each finds its rows, and what both have is decoded once."""
    dataset = random_dataset((20, 10, 5, 8))
    first, second, third, fourth = shards_of(dataset)
    branches = [(first, second), (first, third), (first, third, fourth), (first, second, fourth), (first, second)]
    with caplog.at_level(logging.INFO):
        found = [read(dataset, tmp_path / "cache", branch) for branch in branches]
    assert caplog.text.count("decoding") == 4
    assert folder_of(tmp_path / "cache")
    assert found == [read(dataset, tmp_path / "other", branch) for branch in branches]


def test_a_shard_that_stands_twice(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset((3, 2))
    first, second = shards_of(dataset)
    source, _ = read(dataset, tmp_path, (first, second, first))
    assert source == read(dataset, tmp_path)[0] + read(dataset, tmp_path, (first,))[0]


def test_another_type_of_ids_is_refused(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    tokenizer = dataset.manifest.source_tokenizer.model_copy(update={"vocabulary_size": 70_000})
    wide = Dataset(dataset.root, dataset.manifest.model_copy(update={"source_tokenizer": tokenizer}))
    with pytest.raises(DatasetError, match="wrong type of source; found uint16; expected uint32"):
        read(wide, tmp_path)


def test_a_shard_that_is_not_what_the_manifest_says(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    first, _, third = shards_of(dataset)
    sound = (Path(dataset.root) / first.path).read_bytes()
    shutil.copy(Path(dataset.root) / third.path, Path(dataset.root) / first.path)
    with pytest.raises(DatasetError, match=rf"part-00000-of-00003\.parquet: wrong digest; found {third.digest}"):
        read(dataset, tmp_path)
    (Path(dataset.root) / first.path).unlink()
    with pytest.raises(DatasetError, match="no such file"):
        read(dataset, tmp_path)
    (Path(dataset.root) / first.path).write_bytes(sound)
    assert read(dataset, tmp_path) == truth(dataset)


def test_a_shard_that_cannot_be_read_is_not_the_fault_of_the_cache(
    random_dataset: DatasetMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, _: int) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Dataset, "open_file", lambda *_: Failing())
    with pytest.raises(StorageError, match=r"part-00000-of-00003\.parquet: the disk does not read or write"):
        read(random_dataset(), tmp_path)


def test_a_cache_that_cannot_be_written(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"cache of columns cannot be used.*SEQ2SEQ_CACHE"):
        read(random_dataset(), tmp_path / "file")


def test_a_full_disk_is_named(random_dataset: DatasetMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(column_cache.tempfile, "TemporaryFile", fails)
    with pytest.raises(StorageError, match=r"found \[Errno 28\].*Free space there"):
        read(random_dataset(), tmp_path)


def test_a_cache_that_may_only_be_read(
    random_dataset: DatasetMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only file system stands behind a call that refuses: tests may run as root."""
    dataset = random_dataset()
    expected = read(dataset, tmp_path / "cache")
    age(tmp_path / "cache")
    inner = Path.open

    def open_to_read(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if set(mode) & set("aw+"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return inner(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_to_read)
    assert read(without_shards(dataset), tmp_path / "cache") == expected


def test_a_cache_of_an_earlier_version_is_named(
    random_dataset: DatasetMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("columns-1", "columns-2"):
        (tmp_path / name).mkdir()
    with caplog.at_level(logging.INFO):
        read(random_dataset(), tmp_path)
    for name in ("columns-1", "columns-2"):
        assert f"{tmp_path / name} is from an earlier version" in caplog.text
        assert (tmp_path / name).is_dir()


def test_a_side_of_vectors(random_dataset: DatasetMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a side is comes from its modality alone: here one of three numbers a position."""
    dataset = random_dataset()
    monkeypatch.setattr(Text, "element", lambda *_: Element(np.dtype("<f2"), 3))
    monkeypatch.setattr(Text, "flat", lambda _, content: triples(pc.list_flatten(content).to_numpy()))
    for _ in range(2):
        (source, _), runs = open_shards(dataset, shards_of(dataset), tmp_path)
        assert (source.values.dtype, source.values.shape[1], runs.rows) == (np.float16, 3, 65)
        rows = [source.values[slice(*source.offsets[row : row + 2]), 2].tolist() for row in range(65)]
        assert rows == truth(dataset)[0]
        found = Column(source, runs).gather(np.array([64, 0]))
        assert found.flat[:, 0].tolist() == truth(dataset)[0][64] + truth(dataset)[0][0]
    monkeypatch.setattr(Text, "element", lambda *_: Element(np.dtype("<f2"), 4))
    with pytest.raises(DatasetError, match="wrong type of source; found 3 x float16; expected 4 x float16"):
        read(dataset, tmp_path)


def triples(ids: Any) -> Any:
    return np.repeat(ids.astype(np.float16)[:, None], 3, axis=1)


def test_files_are_compared_once_a_day(
    random_dataset: DatasetMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, compared = random_dataset(), []
    inner = column_cache._digest
    monkeypatch.setattr(column_cache, "_digest", lambda *a: compared.append(a) or inner(*a))  # type: ignore[func-returns-value]
    for _ in range(3):
        read(dataset, tmp_path / "cache")
    assert not compared  # what was just written is known
    for seconds in (86_401, -60):  # a day ago, and at a time that has not come
        age(tmp_path / "cache", seconds)
        for _ in range(3):
            read(dataset, tmp_path / "cache")
        assert len(compared) == len(FILES) * 3
        compared.clear()
    (folder_of(tmp_path / "cache") / "source.values").touch()
    read(dataset, tmp_path / "cache")
    assert len(compared) == len(FILES) * 3


def test_a_cache_made_for_another_manifest_is_not_used(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    first, *others = shards_of(dataset)
    read(dataset, tmp_path)
    changes: dict[str, tuple[dict[str, Any], ...]] = {
        "wrong number of rows; found 40; expected 39": ({"rows": 39},),
        "wrong number of source tokens": ({"source_tokens": 1}, {"source_tokens": 9_999}),
        "wrong number of target tokens": ({"target_tokens": 1}, {"target_tokens": 9_999}),
        "wrong digest": ({"digest": "../../x"}, {"digest": others[0].digest}),
    }
    for message, updates in changes.items():
        for update in updates:
            with pytest.raises(DatasetError, match=message):
                open_shards(dataset, (first.model_copy(update=update), *others), tmp_path)
    assert read(dataset, tmp_path) == truth(dataset)
