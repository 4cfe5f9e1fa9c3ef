from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.decoding.batched import generate, pad
from seq2seq_core.decoding.ensemble import Ensemble
from seq2seq_core.decoding.forced import score_targets
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.errors import ModelError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.modalities.text import Text
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID

Model = Callable[..., Any]
TEXT = Text()
SHAPES = [
    TransformerConfig(width=16, feed_forward_width=32, heads=2, encoder_layers=1, decoder_layers=2),
    RnnConfig(width=16, embedding_width=12),
]


def families(seed: int = 0) -> list[Any]:
    torch.manual_seed(seed)
    models = [build_model(shape, Symbols(30), 30).eval() for shape in SHAPES]
    for parameter in [weight for model in models for weight in model.parameters()]:
        parameter.data *= 2.5
    return models


def sentences(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    return [rng.integers(4, 12, rng.integers(0, 9)).astype(np.int32) for _ in range(count)]


@pytest.mark.parametrize("how", [{"beam": 1}, {"beam": 4}, {"sample": True, "n_best": 2}])
def test_models_of_two_families_are_searched_as_one(how: dict[str, Any]) -> None:
    both = Ensemble(families())
    options = SearchConfig(max_length_extra=5, attention=True, **how)
    for source, row in zip(sentences(6), generate(both, TEXT, sentences(6), options, 100), strict=True):
        for one in row:
            tokens = one.tokens.tolist() + [EOS_ID] * one.finished
            given = torch.tensor([[BOS_ID, *tokens[:-1]]])
            shares = [model(*pad(TEXT, [source]), given).logits_BTV[0].softmax(1) for model in both._models()]
            mean_TV = torch.stack(shares).mean(0)
            expected = float(mean_TV.log()[range(len(tokens)), tokens].sum().detach())
            assert one.log_probability == pytest.approx(expected, abs=1e-3)
            assert one.attention is not None
            np.testing.assert_allclose(one.attention.sum(1), 1, atol=1e-4)


def test_a_model_beside_itself_is_itself(hashed_model: Model) -> None:
    options = SearchConfig(n_best=3)
    alone = generate(hashed_model(), TEXT, sentences(5), options, 1000)
    twice = generate(Ensemble([hashed_model(), hashed_model()]), TEXT, sentences(5), options, 1000)
    for row, again in zip(alone, twice, strict=True):
        assert [one.tokens.tolist() for one in row] == [one.tokens.tolist() for one in again]
        assert [one.score for one in row] == pytest.approx([one.score for one in again], abs=1e-4)


def test_frames_are_scored_where_all_score_them(heard_model: Model, hashed_model: Model) -> None:
    ids_BS, lengths_B = pad(TEXT, sentences(4))
    heard = Ensemble([heard_model(), heard_model(sharpness=1.0)])
    found = heard.frame_scores(heard.encode(ids_BS, lengths_B))
    assert found is not None
    torch.testing.assert_close(found.exp().sum(2), torch.ones(found.shape[:2]))
    mixed = Ensemble([heard_model(subsampling=1), hashed_model()])
    assert mixed.frame_scores(mixed.encode(ids_BS, lengths_B)) is None


@pytest.mark.parametrize("most", [1, 60, 10_000])
def test_given_targets_have_the_probabilities_of_forward(most: int) -> None:
    (model, other) = families(1)
    targets = [ids[::-1].copy() for ids in sentences(9)]
    found = score_targets(model, TEXT, sentences(9), targets, most)
    for source, target, scores in zip(sentences(9), targets, found, strict=True):
        tokens = [*target.tolist(), EOS_ID]
        logits_TV = model(*pad(TEXT, [source]), torch.tensor([[BOS_ID, *tokens[:-1]]])).logits_BTV[0].double()
        expected = logits_TV.log_softmax(1)[range(len(tokens)), tokens].detach().numpy()
        np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert not np.allclose(found[5], score_targets(other, TEXT, sentences(9), targets, most)[5])


def test_what_is_found_has_the_score_that_is_given_to_it() -> None:
    (model, _) = families(2)
    rows = generate(model, TEXT, sentences(5), SearchConfig(max_length_extra=5), 1000)
    scores = score_targets(model, TEXT, sentences(5), [row[0].tokens for row in rows], 1000)
    for (one, *_), found in zip(rows, scores, strict=True):
        assert one.token_scores is not None
        np.testing.assert_allclose(found[: len(one.tokens)], one.token_scores, atol=1e-4)


def test_a_model_that_gives_no_numbers_is_told() -> None:
    (model, _) = families(3)
    next(model.parameters()).data.fill_(float("nan"))
    with pytest.raises(ModelError, match="not a number"):
        score_targets(model, TEXT, sentences(2), sentences(2), 100)
