from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.data import column_cache
from seq2seq_core.data.column_cache import cache_folder, open_shard
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.shards.reader import Dataset

DatasetMaker = Callable[..., Dataset]


def read(dataset: Dataset, cache: Path, shard: int = 0) -> tuple[list[int], list[int]]:
    """All tokens of both sides of a training shard."""
    source, target = open_shard(dataset, dataset.split("train").shards[shard], cache)
    return source.tokens.tolist(), target.tokens.tolist()


def truth(dataset: Dataset, shard: int = 0) -> tuple[list[int], list[int]]:
    table = dataset.read_shard(dataset.split("train").shards[shard])
    source, target = (list(chain(*table.column(side).to_pylist())) for side in ("source", "target"))
    return source, target


def test_a_shard_is_decoded_once(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    expected = truth(dataset)
    assert read(dataset, tmp_path / "cache") == expected
    shutil.rmtree(Path(dataset.root) / "train")
    assert read(dataset, tmp_path / "cache") == expected


def test_arrays_are_mapped_not_read(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    piece, _ = open_shard(dataset, dataset.split("train").shards[0], tmp_path)
    assert isinstance(piece.tokens.base, np.memmap)
    assert not piece.tokens.flags.writeable
    assert (piece.tokens.dtype, piece.offsets.dtype, len(piece.offsets)) == (np.uint16, np.int64, 41)


def test_a_shard_without_rows(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    assert read(dataset, tmp_path, shard=1) == ([], [])
    assert read(dataset, tmp_path, shard=1) == ([], [])


def flip_a_byte(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)


DAMAGE: list[Callable[[Path], object]] = [
    lambda folder: flip_a_byte(folder, "source.tokens.npy"),
    lambda folder: flip_a_byte(folder, "target.offsets.npy"),
    lambda folder: (folder / "target.tokens.npy").write_bytes(b""),
    lambda folder: (folder / "target.tokens.npy").unlink(),
    lambda folder: (folder / "digests.json").unlink(),
    lambda folder: (folder / "digests.json").write_text("{"),
    lambda folder: (folder / "digests.json").write_text("{}"),
    lambda folder: (folder / "digests.json").write_text("[]"),
    lambda folder: [path.unlink() for path in folder.iterdir()],
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_made_again(
    random_dataset: DatasetMaker, tmp_path: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    dataset = random_dataset()
    expected = read(dataset, tmp_path / "cache")
    (folder,) = (path for path in (tmp_path / "cache" / "columns-1").iterdir() if not path.name.startswith("."))
    damage(folder)
    with caplog.at_level(logging.WARNING):
        assert read(dataset, tmp_path / "cache") == expected
    assert "is damaged and made again" in caplog.text
    caplog.clear()
    shutil.rmtree(Path(dataset.root) / "train")
    assert read(dataset, tmp_path / "cache") == expected
    assert not caplog.text


def test_a_cache_made_for_another_manifest_is_not_used(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    read(dataset, tmp_path)
    with pytest.raises(DatasetError, match="wrong number of rows; found 40; expected 39"):
        open_shard(dataset, shard.model_copy(update={"rows": 39}), tmp_path)
    with pytest.raises(DatasetError, match="wrong number of source tokens"):
        open_shard(dataset, shard.model_copy(update={"source_tokens": 1}), tmp_path)


def test_what_a_killed_process_left_is_swept(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    left = tmp_path / "columns-1" / f".{shard.digest}.making-x"
    left.mkdir(parents=True)
    (left / "half").write_text("x")
    assert read(dataset, tmp_path) == truth(dataset)
    assert {path.name for path in left.parent.iterdir()} == {shard.digest, f".{shard.digest}.lock"}


def test_a_shard_that_is_not_what_the_manifest_says(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    first, _, third = dataset.split("train").shards
    shutil.copy(Path(dataset.root) / third.path, Path(dataset.root) / first.path)
    with pytest.raises(DatasetError, match=rf"part-00000-of-00003\.parquet: wrong digest; found {third.digest}"):
        read(dataset, tmp_path)
    (Path(dataset.root) / first.path).unlink()
    with pytest.raises(DatasetError, match="no such file"):
        read(dataset, tmp_path)
    assert not list((tmp_path / "columns-1").glob("[!.]*"))


def test_a_digest_that_is_a_path_is_refused(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    shard = dataset.split("train").shards[0]
    with pytest.raises(DatasetError, match="not a digest"):
        open_shard(dataset, shard.model_copy(update={"digest": "../../x"}), tmp_path)


def test_a_cache_that_cannot_be_written(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"cache of columns cannot be used.*SEQ2SEQ_CACHE"):
        read(random_dataset(), tmp_path / "file")


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SEQ_CACHE", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "seq2seq"


@pytest.mark.parametrize("locks", [True, False])
def test_processes_that_race(
    random_dataset: DatasetMaker, tmp_path: Path, locks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads stand for processes: a lock belongs to the open file, so it keeps threads apart too."""
    dataset = random_dataset((3000,))
    if not locks:
        monkeypatch.setattr(column_cache.fcntl, "flock", no_locks)
    start = threading.Barrier(4)

    def race() -> tuple[list[int], list[int]]:
        start.wait()
        return read(dataset, tmp_path)

    with ThreadPoolExecutor(4) as pool:
        found = [work.result() for work in [pool.submit(race) for _ in range(4)]]
    assert found == [truth(dataset)] * 4
    shard = dataset.split("train").shards[0]
    assert {path.name for path in (tmp_path / "columns-1").iterdir()} == {shard.digest, f".{shard.digest}.lock"}


def test_racing_processes_decode_once(
    random_dataset: DatasetMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = random_dataset((3000,))
    with caplog.at_level(logging.INFO), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: read(dataset, tmp_path), range(4)))
    assert caplog.text.count("decoding") == 1


def no_locks(*_: object) -> None:
    raise OSError("this file system has no locks")
