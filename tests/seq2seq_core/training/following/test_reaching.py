from __future__ import annotations

import threading
from pathlib import Path

import pytest

from seq2seq_core.errors import DatasetError
from seq2seq_core.training.following.reaching import reached
from tests.growing_rows import GrowingRows


def test_rows_that_another_process_saw_are_waited_for(tiny_dataset: str, tmp_path: Path) -> None:
    growing = GrowingRows(tiny_dataset, tmp_path / "dataset")
    assert reached(growing.root, 400).split("train").rows == 400
    later = threading.Timer(0.2, growing.grow, (10,))
    later.start()
    assert reached(growing.root, 410).split("train").rows == 410
    later.join()


def test_nobody_waits_for_ever(tiny_dataset: str) -> None:
    with pytest.raises(DatasetError, match="fewer rows than it had; found 400 training rows; expected 401 or more"):
        reached(tiny_dataset, 401, is_over=lambda: True)
