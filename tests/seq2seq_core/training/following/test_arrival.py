from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

import pytest

from seq2seq_core.data.columns import Columns
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.loader import Loader, LoaderConfig
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.errors import TrainingError
from seq2seq_core.training.following.arrival import Arrivals
from tests.growing_rows import GrowingRows

PLAN = StreamConfig(batch_tokens=512, max_source_tokens=32, max_target_tokens=32)


@pytest.fixture
def growing(tiny_dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GrowingRows:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    return GrowingRows(tiny_dataset, tmp_path / "dataset")


def arrivals_of(growing: GrowingRows) -> tuple[Arrivals, Loader]:
    columns = Columns.open(growing.dataset, "train")
    stream = BatchStream(columns.lengths, PLAN, 1)
    loader = Loader(columns, stream, LoaderConfig(max_tokens_per_device=512), rank=0, world=1)
    return Arrivals(growing.dataset, loader, 0.05), loader


def test_rows_are_read_beside_and_enter(growing: GrowingRows) -> None:
    arrivals, loader = arrivals_of(growing)
    growing.grow(50)
    growing.grow(20)
    arrival = arrivals.begin(450).result(timeout=20)
    assert arrival.part.rows == (400, 450)
    arrivals.enter(arrival, 2, 0)
    more = arrivals.ready(470)
    assert more.columns is arrival.columns
    arrivals.enter(more, 3, 0)
    assert [part.rows for part in loader.parts] == [(0, 400), (400, 450), (450, 470)]
    arrivals.close()


def test_what_cannot_be_read_is_tried_again(growing: GrowingRows, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    arrivals, _ = arrivals_of(growing)
    shard = Path(growing.root, growing.grow(50).splits["train"].shards[-1].path)
    shutil.move(shard, shard.with_suffix(".away"))
    future = arrivals.begin(450)
    until = time.monotonic() + 20
    while not caplog.records and time.monotonic() < until:
        time.sleep(0.01)
    assert "new rows cannot be read yet" in caplog.text
    shutil.move(shard.with_suffix(".away"), shard)
    assert future.result(timeout=20).part.rows == (400, 450)
    arrivals.close()


def test_folded_rows_are_the_same_and_others_are_not(growing: GrowingRows) -> None:
    growing.grow(30)
    arrivals, _ = arrivals_of(growing)
    growing.grow(50)
    growing.fold()
    assert arrivals.ready(480).part.rows == (430, 480)
    arrivals, _ = arrivals_of(growing)
    growing.replace(1)
    growing.grow(5)
    with pytest.raises(TrainingError, match="other training rows where those of the run stood"):
        arrivals.begin(485).result(timeout=20)
