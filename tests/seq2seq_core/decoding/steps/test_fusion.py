from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.decoding.batched import pad
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.decoding.search import search
from seq2seq_core.decoding.steps.fusion import Fusion
from seq2seq_core.modalities.text import Text
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID

EMPTY = pad(Text(), [np.zeros(0, np.int32)])
SOURCES = [np.array(ids, np.int32) for ids in ([5, 6, 7, 8], [], [9, 4], [11])]


def log_probability(model: Seq2Seq, source: np.ndarray, tokens: list[int]) -> float:
    logits_TV = model(*pad(Text(), [source]), torch.tensor([[BOS_ID, *tokens[:-1]]])).logits_BTV[0].double()
    return float(logits_TV.log_softmax(1)[torch.arange(len(tokens)), torch.tensor(tokens)].sum())


@pytest.mark.parametrize("beam", [1, 4])
def test_scores_are_those_of_both_models(hashed_model: Callable[..., Any], beam: int) -> None:
    model, language_model = hashed_model(end_bonus=0.5), hashed_model(sharpness=4.0, end_bonus=0.5)
    options, fusion = SearchConfig(beam=beam, n_best=beam), Fusion(language_model, *EMPTY, 0.6)
    plain = [row[0].tokens.tolist() for row in search(model, *pad(Text(), SOURCES), options)]
    found = search(model, *pad(Text(), SOURCES), options, [fusion])
    for source, row in zip(SOURCES, found, strict=True):
        for h in row:
            tokens = h.tokens.tolist() + [EOS_ID] * h.finished
            both = log_probability(model, source, tokens)
            both += 0.6 * log_probability(language_model, np.zeros(0, np.int32), tokens)
            assert h.log_probability == pytest.approx(both, abs=1e-4)
    assert [row[0].tokens.tolist() for row in found] != plain


def test_a_language_model_that_ends_early_ends_the_output(hashed_model: Callable[..., Any]) -> None:
    model, language_model = hashed_model(end_bonus=-1000.0), hashed_model()
    language_model.max_length = 4
    found = search(model, *pad(Text(), SOURCES), SearchConfig(beam=2), [Fusion(language_model, *EMPTY, 0.1)])
    assert {len(row[0].tokens) for row in found} == {4}
