from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.data.batch import Batch, Gathered, collate
from seq2seq_core.data.columns import Ragged
from seq2seq_core.modalities.text import Text
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID

TEXT = Text()
Rows = list[list[int]]


def ragged(rows: Rows) -> Ragged:
    return Ragged(np.array([i for row in rows for i in row], np.uint16), np.array(list(map(len, rows)), np.int64))


def padded(rows: Rows) -> Rows:
    width = max(map(len, rows))
    return [row + [PAD_ID] * (width - len(row)) for row in rows]


def test_an_example() -> None:
    batch = collate(TEXT, Gathered(ragged([[5, 6], [7]]), ragged([[8], [9, 10, 11]])))
    assert batch.source_BS.tolist() == [[5, 6, 3], [7, 3, 0]]
    assert batch.source_lengths_B.tolist() == [3, 2]
    assert batch.target_in_BT.tolist() == [[2, 8, 0, 0], [2, 9, 10, 11]]
    assert batch.target_out_BT.tolist() == [[8, 3, 0, 0], [9, 10, 11, 3]]
    assert batch.target_tokens == 6
    assert len(batch) == 2


@given(st.lists(st.tuples(*[st.lists(st.integers(4, 65535), max_size=6)] * 2), min_size=1, max_size=8))
def test_collate_equals_padding_row_by_row(pairs: list[tuple[list[int], list[int]]]) -> None:
    sources, targets = ([list(pair[side]) for pair in pairs] for side in (0, 1))
    batch = collate(TEXT, Gathered(ragged(sources), ragged(targets)))
    assert batch.source_BS.tolist() == padded([[*row, EOS_ID] for row in sources])
    assert batch.source_lengths_B.tolist() == [len(row) + 1 for row in sources]
    assert batch.target_in_BT.tolist() == padded([[BOS_ID, *row] for row in targets])
    assert batch.target_out_BT.tolist() == padded([[*row, EOS_ID] for row in targets])
    assert batch.target_tokens == int((batch.target_out_BT != PAD_ID).sum())
    assert {tensor.dtype for tensor in tensors(batch)} == {torch.int64}


def test_large_ids_stay_whole() -> None:
    wide = Ragged(np.array([70_000], np.uint32), np.array([1], np.int64))
    assert collate(TEXT, Gathered(wide, wide)).source_BS.tolist() == [[70_000, EOS_ID]]


def test_a_batch_moves_to_a_device() -> None:
    batch = collate(TEXT, Gathered(ragged([[5]]), ragged([[6]]))).to("meta")
    assert {tensor.device.type for tensor in tensors(batch)} == {"meta"}
    assert batch.target_tokens == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs a CUDA device")
def test_pinned() -> None:
    batch = collate(TEXT, Gathered(ragged([[5]]), ragged([[6]]))).pinned()
    assert all(tensor.is_pinned() for tensor in tensors(batch))


def tensors(batch: Batch) -> list[torch.Tensor]:
    return [batch.source_BS, batch.source_lengths_B, batch.target_in_BT, batch.target_out_BT]
