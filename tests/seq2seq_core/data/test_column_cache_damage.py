from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.data import cache_folder
from seq2seq_core.data.column_cache import open_shards
from seq2seq_core.dataset.manifest import ShardEntry
from seq2seq_core.dataset.reader import Dataset
from tests.cached_columns import FILES, Sides, age, folder_of, read, shards_of, truth, without_shards

DatasetMaker = Callable[..., Dataset]


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
    lambda folder: (folder / "sections.jsonl").write_bytes(b"\n\xff{\n0123 {}\n[]"),
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


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"time": "x", "sections": 1, "files": {}}', '{"time": 1e99, "sections": 3, "files": {}}'],
)
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
    flip_a_byte(folder_of(tmp_path / "cache") / "target.values")
    with caplog.at_level(logging.INFO):
        assert read(dataset, tmp_path / "cache") == expected
    assert caplog.text.count("decoding") == 1
    assert "part-00002-of-00003" in caplog.text


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
        out.write('\n0123 {"shard": 2, "dig')  # and while it wrote a line
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


def test_what_only_another_dataset_has_is_never_written_over(
    random_dataset: DatasetMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who finds it damaged cannot mend it; its place stays its own until its dataset comes."""
    dataset = random_dataset((20, 10, 5))
    first, second, third = shards_of(dataset)
    expected = read(dataset, tmp_path / "cache", (first, second))
    age(tmp_path / "cache")
    flip_a_byte(folder_of(tmp_path / "cache") / "source.values")  # of the second shard
    both = read(dataset, tmp_path / "cache", (first, third))
    assert "is damaged" in caplog.text
    caplog.clear()
    assert read(dataset, tmp_path / "cache", (first, third)) == both
    assert not caplog.text
    with caplog.at_level(logging.INFO):
        assert read(dataset, tmp_path / "cache", (first, second)) == expected
    assert caplog.text.count("decoding") == 1
    assert read(without_shards(dataset), tmp_path / "cache", (first, third)) == both


@pytest.mark.parametrize("damage", NOTES)
def test_who_has_files_mapped_keeps_what_was_right(
    random_dataset: DatasetMaker, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    """Notes are lost, and another dataset comes: its shards go behind all that is there."""
    dataset = random_dataset((20, 10, 5, 8))
    first, second, third, fourth = shards_of(dataset)
    sides, _ = open_shards(dataset, (first, second, third), tmp_path / "cache")
    before = [(side.values.tolist(), side.offsets.tolist()) for side in sides]
    damage(folder_of(tmp_path / "cache"))
    changed = read(dataset, tmp_path / "cache", (first, fourth, second))
    assert [(side.values.tolist(), side.offsets.tolist()) for side in sides] == before
    assert changed == read(dataset, tmp_path / "other", (first, fourth, second))
    assert read(dataset, tmp_path / "cache", (first, second, third)) == read(
        dataset, tmp_path / "third", (first, second, third)
    )


@pytest.mark.parametrize("locks", [True, False])
def test_processes_that_race(
    random_dataset: DatasetMaker, tmp_path: Path, locks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads stand for processes: a lock belongs to the open file, so it keeps threads apart too.

    They have datasets that grew apart.
    """
    dataset = random_dataset((3000, 500, 0, 1000))
    first, *others = shards_of(dataset)
    branches = [[first, *others], [first, *others[::-1]], [first, others[0]], [first, others[2]]]
    expected = [read(dataset, tmp_path / "other", branch) for branch in branches]
    if not locks:
        monkeypatch.setattr(cache_folder.fcntl, "flock", no_locks)
    start = threading.Barrier(8)

    def race(number: int) -> Sides:
        start.wait()
        return read(dataset, tmp_path / "cache", branches[number % 4])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(race, range(8))) == expected * 2
    for note in (tmp_path / "cache").rglob("checked.json"):
        note.unlink()
    without_shards(dataset)
    assert [read(dataset, tmp_path / "cache", branch) for branch in branches] == expected


APPEND = """
import sys
from pathlib import Path
from seq2seq_core.data.column_cache import open_shards
from seq2seq_core.dataset.reader import Dataset

dataset = Dataset.open(sys.argv[1])
first, *others = dataset.split("train").shards
for count in range(int(sys.argv[3]), len(others) + 1, 2):
    open_shards(dataset, (first, *others[count - 1:count]), Path(sys.argv[2]))
"""


def test_two_processes_that_add_to_one_folder_while_one_is_killed(random_dataset: DatasetMaker, tmp_path: Path) -> None:
    dataset = random_dataset((5,) * 30)
    words = [sys.executable, "-c", APPEND, dataset.root, str(tmp_path / "cache")]
    killed = subprocess.Popen([*words, "1"])
    while not list((tmp_path / "cache").rglob("sections.jsonl")):
        time.sleep(0.01)
    others = [subprocess.Popen([*words, number]) for number in "12"]
    killed.kill()
    assert [other.wait() for other in others] == [0, 0]
    killed.wait()
    expected = truth(dataset)
    assert read(dataset, tmp_path / "cache") == expected
    (folder_of(tmp_path / "cache") / "checked.json").unlink()
    assert read(without_shards(dataset), tmp_path / "cache") == expected


def test_racing_processes_decode_once(
    random_dataset: DatasetMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = random_dataset((3000,))
    with caplog.at_level(logging.INFO), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: read(dataset, tmp_path), range(4)))
    assert caplog.text.count("decoding") == 1


def no_locks(*_: object) -> None:
    raise OSError("this file system has no locks")
