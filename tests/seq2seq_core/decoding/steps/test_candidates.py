from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seq2seq_core.decoding.steps.candidates import best_sums, largest, log_probabilities, normalizers
from seq2seq_core.tokenizer.vocabulary import BOS_ID, PAD_ID


def best_next(logits_NV: Tensor, so_far_AW: Tensor, count: int) -> tuple[Tensor, Tensor]:
    logits_NV = logits_NV.clone()
    return best_sums(logits_NV, so_far_AW.flatten() + normalizers(logits_NV), so_far_AW.shape[1], count)


@pytest.mark.parametrize("vocabulary", [4, 5, 33, 1024, 3000, 4000, 4001])
@pytest.mark.parametrize(("width", "count"), [(1, 1), (1, 3), (3, 6)])
def test_the_best_are_those_of_the_log_softmax_without_pad_and_bos(vocabulary: int, width: int, count: int) -> None:
    generator = torch.Generator().manual_seed(vocabulary)
    logits_NV = torch.randn(36, vocabulary, generator=generator) * 4
    so_far_AW = -torch.rand(36 // width, width, generator=generator)
    so_far_AW[1, 1:] = -torch.inf
    sums_NV = log_probabilities(logits_NV) + so_far_AW.view(-1, 1)
    assert sums_NV[:, [PAD_ID, BOS_ID]].isneginf().all()
    scores_AK, places_AK = best_next(logits_NV, so_far_AW, count)
    assert scores_AK.shape == places_AK.shape == (len(so_far_AW), count)
    torch.testing.assert_close(scores_AK, sums_NV.view(len(so_far_AW), -1).topk(count).values)
    torch.testing.assert_close(scores_AK, sums_NV.view(len(so_far_AW), -1).gather(1, places_AK))


def test_the_largest_may_stand_in_one_block_or_behind_the_last_full_one() -> None:
    values_NV = torch.zeros(2, 4002)
    values_NV[0, 64:70] = torch.arange(10.0, 16.0)
    values_NV[1, 3998:4002] = torch.arange(10.0, 14.0)
    assert largest(values_NV, 4)[1].tolist() == [[69, 68, 67, 66], [4001, 4000, 3999, 3998]]
    assert best_sums(values_NV, torch.tensor([0.0, 3.5]), 2, 4)[1].tolist() == [[8003, 8002, 69, 8001]]


def test_pad_and_bos_are_never_probable() -> None:
    logits_NV = torch.zeros(1, 4000)
    logits_NV[0, [PAD_ID, BOS_ID]] = 50.0
    logits_NV[0, 7] = 1.0
    scores_AK, places_AK = best_next(logits_NV, torch.zeros(1, 1), 1)
    assert places_AK.tolist() == [[7]]
    assert scores_AK.item() < -49


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_row_that_is_not_a_number_says_so_and_leaves_its_neighbours_alone(bad: float) -> None:
    logits_NV = torch.randn(2, 3500)
    logits_NV[0, 1234] = bad
    scores_AK, _ = best_next(logits_NV, torch.zeros(2, 1), 2)
    assert scores_AK[0].isnan().any()
    assert not scores_AK[1].isnan().any()
