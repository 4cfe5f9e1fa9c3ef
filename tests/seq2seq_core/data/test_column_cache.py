from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_core.data import column_cache
from seq2seq_core.data.column_cache import cache_folder, open_shards
from seq2seq_core.data.column_layout import FILES
from seq2seq_core.dataset.manifest import ShardEntry
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import DatasetError, StorageError

DatasetMaker = Callable[..., Dataset]
Sides = tuple[list[list[int]], list[list[int]]]


def shards_of(dataset: Dataset) -> tuple[ShardEntry, ...]:
    return dataset.split("train").shards


def read(dataset: Dataset, cache: Path, shards: tuple[ShardEntry, ...] | None = None) -> Sides:
    """All rows of both sides of the training shards."""
    source, target = (
        [tokens.tolist() for tokens in np.split(piece.tokens, piece.offsets[1:-1])][: len(piece.offsets) - 1]
        for piece in open_shards(dataset, shards or shards_of(dataset), cache)
    )
    return source, target


def truth(dataset: Dataset) -> Sides:
    tables = [dataset.read_shard(shard) for shard in shards_of(dataset)]
    source, target = (list(chain(*(t.column(side).to_pylist() for t in tables))) for side in ("source", "target"))
    return source, target


def folder_of(cache: Path) -> Path:
    (folder,) = (cache / "columns-2").iterdir()
    return folder


def without_shards(dataset: Dataset) -> Dataset:
    shutil.rmtree(Path(dataset.root) / "train")
    return dataset


def age(cache: Path, seconds: float = 86_401) -> None:
    """As if the files had last been compared some time ago."""
    path = folder_of(cache) / "checked.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"time": time.time() - seconds}))


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
    pieces = [open_shards(dataset, shards_of(dataset), tmp_path) for _ in range(3)]
    assert open_files() == before
    maps = Path("/proc/self/maps").read_text()
    assert all(maps.count(str(folder_of(tmp_path) / file)) == 3 for file in FILES)
    piece = pieces[0][0]
    assert not piece.tokens.flags.writeable
    assert (piece.tokens.dtype, piece.offsets.dtype, len(piece.offsets)) == (np.uint16, np.int64, 66)


@pytest.mark.parametrize("rows", [(0,), (0, 0), (0, 3), (3, 0), (1,), (0, 1, 0, 2)])
def test_shards_without_rows(random_dataset: DatasetMaker, tmp_path: Path, rows: tuple[int, ...]) -> None:
    dataset = random_dataset(rows)
    assert read(dataset, tmp_path / "cache") == truth(dataset)
    assert read(dataset, tmp_path / "cache") == truth(dataset)


def test_the_order_of_shards_is_part_of_the_name(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    source, _ = read(dataset, tmp_path / "cache")
    turned, _ = read(dataset, tmp_path / "cache", shards_of(dataset)[::-1])
    assert turned == source[40:] + source[:40]


def flip_a_byte(path: Path, place: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


DAMAGE: list[Callable[[Path], object]] = [
    *(lambda folder, file=file: flip_a_byte(folder / file) for file in FILES),
    *(lambda folder, file=file: flip_a_byte(folder / file, 0) for file in FILES),
    *(lambda folder, file=file: cut(folder / file) for file in FILES),
    *(lambda folder, file=file: (folder / file).unlink() for file in FILES),
    *(lambda folder, file=file: os.truncate(folder / file, 9_999) for file in FILES),
    lambda folder: [flip_a_byte(path) for path in folder.iterdir() if path.name not in ("lock", "checked.json")],
    lambda folder: [path.unlink() for path in folder.iterdir() if path.name != "checked.json"],
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_made_again(
    random_dataset: DatasetMaker, tmp_path: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    dataset = random_dataset()
    expected = read(dataset, tmp_path / "cache")
    time.sleep(0.02)  # clocks of file systems tick slowly
    damage(folder_of(tmp_path / "cache"))
    with caplog.at_level(logging.WARNING):
        assert read(dataset, tmp_path / "cache") == expected
    assert "is damaged and made again" in caplog.text
    caplog.clear()
    age(tmp_path / "cache")
    assert read(without_shards(dataset), tmp_path / "cache") == expected
    assert not caplog.text


NOTES: list[Callable[[Path], object]] = [
    lambda folder: (folder / "sections.jsonl").unlink(),
    lambda folder: (folder / "sections.jsonl").write_text('\n{"shard": 0, "digests": [1]}\n[]\nnull\n{"shard": [0]}'),
    lambda folder: (folder / "sections.jsonl").write_bytes(b'\n\xff{\n{"shard": 99, "digests": []}\n{"shard": "0"}'),
    lambda folder: cut(folder / "sections.jsonl"),
]


@pytest.mark.parametrize("damage", NOTES)
def test_damaged_notes_are_made_again(
    random_dataset: DatasetMaker, tmp_path: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    dataset = random_dataset()
    expected = read(dataset, tmp_path / "cache")
    damage(folder_of(tmp_path / "cache"))
    age(tmp_path / "cache")
    assert read(dataset, tmp_path / "cache") == expected
    assert "is damaged and made again" in caplog.text
    age(tmp_path / "cache")
    assert read(without_shards(dataset), tmp_path / "cache") == expected


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"time": "x", "files": {}}', '{"time": 1e99, "files": {}}'])
def test_without_a_sound_note_of_it_all_is_compared(random_dataset: DatasetMaker, tmp_path: Path, text: str) -> None:
    dataset = random_dataset()
    expected = read(dataset, tmp_path / "cache")
    (folder_of(tmp_path / "cache") / "checked.json").write_text(text)
    assert read(without_shards(dataset), tmp_path / "cache") == expected
    assert json.loads((folder_of(tmp_path / "cache") / "checked.json").read_text())["files"]


def test_only_what_is_damaged_is_decoded_again(
    random_dataset: DatasetMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = random_dataset((20, 20, 20))
    expected = read(dataset, tmp_path / "cache")
    flip_a_byte(folder_of(tmp_path / "cache") / "target.tokens")
    with caplog.at_level(logging.INFO):
        assert read(dataset, tmp_path / "cache") == expected
    assert caplog.text.count("decoding") == 1
    assert "part-00002-of-00003" in caplog.text


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
    (folder_of(tmp_path / "cache") / "source.tokens").touch()
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


def test_another_type_of_ids_is_refused(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset()
    tokenizer = dataset.manifest.source_tokenizer.model_copy(update={"vocabulary_size": 70_000})
    wide = Dataset(dataset.root, dataset.manifest.model_copy(update={"source_tokenizer": tokenizer}))
    with pytest.raises(DatasetError, match="wrong type of token ids; found uint16; expected uint32"):
        read(wide, tmp_path)


def test_a_killed_process_is_gone_on_with(
    random_dataset: DatasetMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = random_dataset((20, 20, 20, 20))
    inner = Dataset.blocks

    def dies(self: Dataset, entry: ShardEntry) -> Any:
        if entry == shards_of(dataset)[2]:
            raise KeyboardInterrupt
        return inner(self, entry)

    monkeypatch.setattr(Dataset, "blocks", dies)
    with pytest.raises(KeyboardInterrupt):
        read(dataset, tmp_path / "cache")
    monkeypatch.setattr(Dataset, "blocks", inner)
    with (folder_of(tmp_path / "cache") / "sections.jsonl").open("a") as out:
        out.write('\n{"shard": 2, "dig')  # and while it wrote a line
    with caplog.at_level(logging.INFO):
        assert read(dataset, tmp_path / "cache") == truth(dataset)
    assert caplog.text.count("decoding") == 2
    assert "damaged" not in caplog.text
    assert {path.name for path in folder_of(tmp_path / "cache").iterdir()} == {
        *FILES,
        "sections.jsonl",
        "checked.json",
        "lock",
    }


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


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "Free space there, or set SEQ2SEQ_CACHE"),
        (errno.EDQUOT, "Free space there, or set SEQ2SEQ_CACHE"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENFILE, "this machine may have open"),
        (errno.EACCES, r"\. Set SEQ2SEQ_CACHE"),
        (errno.EROFS, r"\. Set SEQ2SEQ_CACHE"),
        (errno.EIO, r"\. Set SEQ2SEQ_CACHE"),
    ],
)
def test_the_advice_is_for_what_happened(
    random_dataset: DatasetMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(column_cache.tempfile, "TemporaryFile", fails)
    with pytest.raises(StorageError, match=rf"found \[Errno {code}\] {os.strerror(code)}.*{advice}"):
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
    (tmp_path / "columns-1").mkdir()
    with caplog.at_level(logging.INFO):
        read(random_dataset(), tmp_path)
    assert f"{tmp_path / 'columns-1'} is from an earlier version" in caplog.text
    assert (tmp_path / "columns-1").is_dir()


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SEQ_CACHE", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "seq2seq"


def test_the_folder_is_a_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SEQ_CACHE", "~/columns")
    assert cache_folder() == Path.home() / "columns"
    monkeypatch.setenv("SEQ2SEQ_CACHE", "s3://bucket/columns")
    with pytest.raises(StorageError, match="a local folder is needed here"):
        cache_folder()


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SEQ_CACHE", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654_321)
    with pytest.raises(StorageError, match=r"without a home directory\. Set SEQ2SEQ_CACHE"):
        cache_folder()


@pytest.mark.parametrize("locks", [True, False])
def test_processes_that_race(
    random_dataset: DatasetMaker, tmp_path: Path, locks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads stand for processes: a lock belongs to the open file, so it keeps threads apart too."""
    dataset = random_dataset((3000, 500, 0, 1000))
    if not locks:
        monkeypatch.setattr(column_cache.fcntl, "flock", no_locks)
    start = threading.Barrier(4)

    def race() -> Sides:
        start.wait()
        return read(dataset, tmp_path / "cache")

    with ThreadPoolExecutor(4) as pool:
        found = [work.result() for work in [pool.submit(race) for _ in range(4)]]
    assert found == [truth(dataset)] * 4
    age(tmp_path / "cache")
    assert read(without_shards(dataset), tmp_path / "cache") == found[0]


def test_racing_processes_decode_once(
    random_dataset: DatasetMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = random_dataset((3000,))
    with caplog.at_level(logging.INFO), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: read(dataset, tmp_path), range(4)))
    assert caplog.text.count("decoding") == 1


def no_locks(*_: object) -> None:
    raise OSError("this file system has no locks")
