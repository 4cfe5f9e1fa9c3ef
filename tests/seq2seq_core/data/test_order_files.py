from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.data import cache_folder
from seq2seq_core.data.epoch_order import EpochOrder
from seq2seq_core.data.order_files import OrderFiles
from seq2seq_core.errors import TrainingError


class Maker:
    """Makes an order of few rows, and counts how often."""

    def __init__(self, rows: int = 7, error: BaseException | None = None) -> None:
        self.rows, self.error, self.calls = rows, error, 0

    def __call__(self, put: Callable[[Any], None]) -> tuple[Any, Any]:
        self.calls += 1
        for part in np.array_split(np.arange(self.rows, dtype=np.uint32)[::-1], 3):
            put(part)
            if self.error is not None:
                raise self.error
        return np.array([0, self.rows // 2, self.rows]), np.array([1, 0])


def plain(order: EpochOrder | None) -> list[list[int]]:
    assert order is not None
    return [order.rows.tolist(), order.cuts.tolist(), order.order.tolist()]


def expected(rows: int = 7) -> list[list[int]]:
    return [list(range(rows))[::-1], [0, rows // 2, rows], [1, 0]]


@settings(max_examples=20)
@given(st.integers(0, 40))
def test_an_order_is_made_once_and_mapped_after_that(rows: int) -> None:
    with TemporaryDirectory() as folder:
        cache, make = Path(folder), Maker(rows)
        for _ in range(3):
            order = OrderFiles(cache, "stream").order(3, make)
            assert plain(order) == expected(rows)
            assert order is not None
            assert not order.rows.flags.writeable
        assert make.calls == 1
        assert {path.name for path in cache.rglob("*") if path.is_file()} == {"00000003.order", "lock"}


def test_files_of_earlier_epochs_go_and_who_has_them_mapped_keeps_them(tmp_path: Path) -> None:
    files = OrderFiles(tmp_path, "stream")
    orders = [files.order(number, Maker(7 + number)) for number in range(4)]
    assert [path.name for path in tmp_path.rglob("*.order")] == ["00000003.order"]
    assert [plain(order) for order in orders] == [expected(7 + number) for number in range(4)]
    assert plain(files.order(1, Maker(8))) == expected(8)
    assert len(list(tmp_path.rglob("*.order"))) == 2  # one that is ahead may be wanted by others


def test_streams_that_nobody_has_used_for_a_day_go(tmp_path: Path) -> None:
    for name in ("old", "new"):
        OrderFiles(tmp_path, name).order(0, Maker())
    os.utime(tmp_path / "epochs-1" / "old", (0, time.time() - 86_500))
    OrderFiles(tmp_path, "another").order(0, Maker())
    assert {path.name for path in (tmp_path / "epochs-1").iterdir()} == {"new", "another"}


def change(place: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        *map(change, (0, 8, 20, 33, -1)),
        lambda path: path.write_bytes(b""),
        lambda path: os.truncate(path, 20),
        lambda path: os.truncate(path, 40),
        lambda path: os.truncate(path, 999),
    ],
)
def test_a_damaged_file_is_made_again(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    OrderFiles(tmp_path, "stream").order(0, Maker())
    (path,) = tmp_path.rglob("*.order")
    damage(path)
    make = Maker()
    assert plain(OrderFiles(tmp_path, "stream").order(0, make)) == expected()
    assert make.calls == 1
    assert "is damaged and made again" in caplog.text
    assert plain(OrderFiles(tmp_path, "stream").order(0, make)) == expected()
    assert make.calls == 1


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="too many"):
        OrderFiles(tmp_path, "stream").order(0, Maker(error=TrainingError("too many")))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["lock"]
    assert plain(OrderFiles(tmp_path, "stream").order(0, Maker())) == expected()


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from seq2seq_core.data.order_files import OrderFiles

def make(put):
    put(np.arange(100_000, dtype=np.uint32))
    os.kill(os.getpid(), signal.SIGKILL)

OrderFiles(Path(sys.argv[1]), "stream").order(0, make)
"""


def test_a_killed_process_is_gone_on_without(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert list(tmp_path.rglob("*.tmp"))
    assert plain(OrderFiles(tmp_path, "stream").order(0, Maker())) == expected()
    assert not list(tmp_path.rglob("*.tmp"))


def test_processes_that_race_make_it_once(tmp_path: Path) -> None:
    """Threads stand for processes: a lock belongs to the open file, so it keeps threads apart too."""
    start, make = threading.Barrier(4), Maker(10_001)

    def race(_: int) -> list[list[int]]:
        start.wait()
        return plain(OrderFiles(tmp_path, "stream").order(0, make))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(race, range(4))) == [expected(10_001)] * 4
    assert make.calls == 1


def test_where_files_cannot_be_locked_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError("this file system has no locks")

    monkeypatch.setattr(cache_folder.fcntl, "flock", no_locks)
    make = Maker()
    assert OrderFiles(tmp_path, "stream").order(0, make) is None
    assert make.calls == 0


def test_where_files_cannot_be_written_there_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("x")
    with caplog.at_level(logging.INFO):
        assert OrderFiles(tmp_path / "file", "stream").order(0, Maker()) is None
    assert "kept in memory" in caplog.text
    full = Maker(error=OSError(28, "No space left on device"))
    assert OrderFiles(tmp_path, "stream").order(0, full) is None
    assert not list(tmp_path.rglob("*.tmp"))
