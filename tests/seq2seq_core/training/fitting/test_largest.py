from __future__ import annotations

import numpy as np
import pytest

from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.errors import TrainingError
from seq2seq_core.training.fitting import largest as module
from seq2seq_core.training.fitting.largest import Largest
from tests.seq2seq_core.data.test_loader import columns_of

DATA = StreamConfig(batch_tokens=1000, max_source_tokens=15, max_target_tokens=18)


def test_it_has_the_longest_of_each_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_ROWS", 7)
    columns = columns_of(60, seed=3)
    found = columns.lengths.between(0, 60)
    kept = DATA.keeps(found)
    longest = [int(side[kept].max()) for side in found]
    largest = Largest.of(columns, DATA)
    assert largest.length == max(longest) + 1
    batch = largest.batch(5 * largest.length + 1)
    assert len(batch) == largest.rows(5 * largest.length + 1) == 5
    assert (batch.source_BS.shape[1] - 1, batch.target_out_BT.shape[1] - 1) == tuple(longest)
    assert np.unique(batch.source_lengths_B).size == 1
    assert largest.rows(1) == 1


def test_some_row_is_trained_on() -> None:
    with pytest.raises(TrainingError, match="no row is left"):
        Largest.of(columns_of(0), DATA)
