from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.decoding.batched import generate
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.decoding.steps.repetition import RepetitionPenalty
from seq2seq_core.modalities.text import Text
from seq2seq_core.models.interface import Memory
from seq2seq_core.tokenizer.vocabulary import BOS_ID


def test_logits_of_what_came_move_away_from_0_downwards(hashed_model: Callable[..., Any]) -> None:
    process = RepetitionPenalty(2.0).start(hashed_model(), Memory(torch.zeros(2, 1, 1), torch.ones(2, 1).bool()), 1)
    logits_NV = torch.tensor([[1.0, -1.0, 4.0], [1.0, -1.0, 4.0]])
    assert process(logits_NV.clone(), torch.full((2,), BOS_ID)).equal(logits_NV)
    assert process(logits_NV.clone(), torch.tensor([2, 1])).tolist() == [[1, -1, 2], [1, -2, 4]]
    process.reorder(torch.tensor([1, 1]))
    assert process(logits_NV.clone(), torch.tensor([1, 0])).tolist() == [[1, -2, 4], [0.5, -2, 4]]


@pytest.mark.parametrize("beam", [1, 4])
def test_outputs_repeat_less(hashed_model: Callable[..., Any], beam: int) -> None:
    sources = [np.arange(4, 4 + n).astype(np.int32) for n in range(8)]

    def repeats(penalty: float) -> int:
        options = SearchConfig(beam=beam, repetition_penalty=penalty)
        found = generate(hashed_model(end_bonus=-2.0), Text(), sources, options, 1000)
        return sum(len(row[0].tokens) - len(set(row[0].tokens.tolist())) for row in found)

    assert repeats(3.0) < repeats(1.0)
