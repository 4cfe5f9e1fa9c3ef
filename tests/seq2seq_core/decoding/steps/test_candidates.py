from __future__ import annotations

import pytest
import torch

from seq2seq_core.decoding.steps.candidates import best_next
from seq2seq_core.tokenizer.vocabulary import BOS_ID, PAD_ID


@pytest.mark.parametrize("vocabulary", [4, 5, 33, 1024, 3000, 4000, 4001])
@pytest.mark.parametrize("count", [1, 4, 11])
def test_candidates_are_the_best_of_the_log_softmax_without_pad_and_bos(vocabulary: int, count: int) -> None:
    logits_NV = torch.randn(7, vocabulary, generator=torch.Generator().manual_seed(vocabulary)) * 4
    expected_NV = logits_NV.log_softmax(1)
    expected_NV[:, [PAD_ID, BOS_ID]] = -torch.inf
    scores_NK, ids_NK = best_next(logits_NV.clone(), count)
    assert scores_NK.shape == ids_NK.shape == (7, min(count + 2, vocabulary))
    torch.testing.assert_close(scores_NK, expected_NV.gather(1, ids_NK))
    wanted = min(count, vocabulary)
    torch.testing.assert_close(scores_NK.topk(wanted).values, expected_NV.topk(wanted).values)


def test_the_largest_logits_may_stand_in_one_block_or_behind_the_last_full_one() -> None:
    logits_NV = torch.zeros(2, 4002)
    logits_NV[0, 64:70] = torch.arange(10.0, 16.0)
    logits_NV[1, 3998:4002] = torch.arange(10.0, 14.0)
    _, ids_NK = best_next(logits_NV, 2)
    assert ids_NK.tolist() == [[69, 68, 67, 66], [4001, 4000, 3999, 3998]]


def test_pad_and_bos_are_never_probable() -> None:
    logits_NV = torch.zeros(1, 4000)
    logits_NV[0, [PAD_ID, BOS_ID]] = 50.0
    logits_NV[0, 7] = 1.0
    scores_NK, ids_NK = best_next(logits_NV, 1)
    assert ids_NK[0, scores_NK.argmax()] == 7


def test_half_precision_is_normalised_in_single() -> None:
    logits_NV = torch.randn(3, 50).bfloat16()
    scores_NK, ids_NK = best_next(logits_NV, 48)
    assert scores_NK.dtype == torch.float32
    expected_NK = logits_NV.float().log_softmax(1).gather(1, ids_NK)
    torch.testing.assert_close(scores_NK, expected_NK.masked_fill(scores_NK.isinf(), -torch.inf))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_row_that_is_not_a_number_says_so_and_leaves_its_neighbours_alone(bad: float) -> None:
    logits_NV = torch.randn(2, 3500)
    logits_NV[0, 1234] = bad
    scores_NK, _ = best_next(logits_NV, 2)
    assert scores_NK[0].isnan().any()
    assert not scores_NK[1].isnan().any()
