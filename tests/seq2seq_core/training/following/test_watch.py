from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core import storage
from seq2seq_core.training.following.watch import Watch
from tests.growing_rows import GrowingRows


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_stands_there_is_seen_also_after_it_could_not_be_read(
    tiny_dataset: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    growing, manifest = GrowingRows(tiny_dataset, tmp_path / "dataset"), str(tmp_path / "dataset" / "dataset.json")
    caplog.set_level(logging.WARNING)
    watch = Watch(growing.root, 0.01)
    until(lambda: watch.found is not None and watch.found.rows == 400)
    whole = storage.read_bytes(manifest)
    storage.publish_bytes(manifest, b"{")
    until(lambda: bool(caplog.records))
    storage.publish_bytes(manifest, whole)
    growing.grow(7)
    until(lambda: watch.found is not None and (watch.found.rows, watch.found.generation) == (407, 1))
    watch.close()
    assert len([r for r in caplog.records if "cannot be followed just now" in r.message]) == 1
