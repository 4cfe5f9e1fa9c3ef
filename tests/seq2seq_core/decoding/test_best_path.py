from __future__ import annotations

import pytest
import torch

from seq2seq_core.decoding.best_path import best_path
from seq2seq_core.errors import ModelError
from seq2seq_core.tokenizer.vocabulary import PAD_ID


def frames(*paths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Frame scores whose best path is this, and behind the last frame another token."""
    longest = max(map(len, paths))
    scores_BSV = torch.full((len(paths), longest, 9), -5.0)
    scores_BSV[:, :, 8] = -0.1
    for b, path in enumerate(paths):
        scores_BSV[b, torch.arange(len(path)), torch.tensor(path)] = -0.01
    return scores_BSV, torch.arange(longest) < torch.tensor([len(path) for path in paths])[:, None]


def test_repetitions_fall_together_unless_a_blank_stands_between_them() -> None:
    blank = PAD_ID
    found = best_path(*frames([4, 4, blank, 4, 5, 5], [blank, 7], [blank], [6, blank, 6, blank, blank]))
    assert [row[0].tokens.tolist() for row in found] == [[4, 4, 5], [7], [], [6, 6]]
    assert [row[0].log_probability for row in found] == pytest.approx([-0.06, -0.02, -0.01, -0.05], abs=1e-6)
    assert [row[0].score for row in found] == pytest.approx([-0.01] * 4, abs=1e-6)
    scores = [row[0].token_scores for row in found]
    assert [row.tolist() for row in scores if row is not None] == [
        pytest.approx(expected, abs=1e-6) for expected in ([-0.03, -0.01, -0.02], [-0.02], [], [-0.02, -0.03])
    ]
    assert all(row[0].finished and row[0].tokens.dtype == "int32" for row in found)


def test_frames_that_are_not_numbers_are_an_error() -> None:
    scores_BSV, mask_BS = frames([4, 5])
    scores_BSV[0, 1] = torch.nan
    with pytest.raises(ModelError, match="not a number"):
        best_path(scores_BSV, mask_BS)
