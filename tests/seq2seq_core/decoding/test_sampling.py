from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.decoding.batched import generate, pad
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.sampling import Draw, keys_of, uniforms
from seq2seq_core.modalities.text import Text
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID

TEXT = Text()
Model = Callable[..., Any]


def sentences(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    return [rng.integers(4, 12, rng.integers(0, 9)).astype(np.int32) for _ in range(count)]


def said(found: list[list[Hypothesis]]) -> list[list[list[int]]]:
    return [[one.tokens.tolist() for one in row] for row in found]


def drawn(scores_V: list[float], times: int = 4000, **how: Any) -> dict[int, float]:
    """How often each token is drawn."""
    draw = Draw.start(np.arange(times, dtype=np.uint64), SearchConfig(sample=True, **how))
    scores_N, ids_N = draw(torch.tensor(scores_V).repeat(times, 1))
    assert scores_N.tolist() == [pytest.approx(scores_V[i]) for i in ids_N.tolist()]
    return {token: count / times for token, count in Counter(ids_N.tolist()).items()}


def test_a_source_draws_the_same_in_any_batch(hashed_model: Model) -> None:
    model, sources = hashed_model(vocabulary=20), sentences(9)
    options = SearchConfig(sample=True, n_best=3, seed=7, temperature=1.3, top_k=9, top_p=0.9, max_length_extra=5)
    together = generate(model, TEXT, sources, options, 10_000)
    assert said(generate(model, TEXT, sources[::-1], options, 60)[::-1]) == said(together)
    assert said([generate(model, TEXT, [source], options, 1)[0] for source in sources]) == said(together)
    assert all(len(row) == 3 and row[0].score >= row[1].score >= row[2].score for row in together)
    assert any(row[0].tokens.tolist() != row[2].tokens.tolist() for row in together)


def test_another_seed_draws_others(hashed_model: Model) -> None:
    model, sources = hashed_model(vocabulary=20), sentences(5)
    found = [
        said(generate(model, TEXT, sources, SearchConfig(sample=True, seed=seed, max_length_extra=5), 10_000))
        for seed in (0, 1)
    ]
    assert found[0] != found[1]


def test_the_score_is_the_model_s_whatever_the_temperature(hashed_model: Model) -> None:
    model, source = hashed_model(vocabulary=20), sentences(5)[3]
    (one,) = generate(model, TEXT, [source], SearchConfig(sample=True, temperature=2.0, top_p=0.8), 100)[0]
    tokens = one.tokens.tolist() + [EOS_ID] * one.finished
    logits_TV = model(*pad(TEXT, [source]), torch.tensor([[BOS_ID, *tokens[:-1]]])).logits_BTV[0].double()
    expected = float(logits_TV.log_softmax(1)[range(len(tokens)), tokens].sum())
    assert one.log_probability == pytest.approx(expected, abs=1e-4)


def test_tokens_are_drawn_as_often_as_they_are_probable() -> None:
    shares = [0.5, 0.3, 0.15, 0.05]
    scores = np.log(shares).tolist()
    assert drawn(scores) == {token: pytest.approx(share, abs=0.03) for token, share in enumerate(shares)}
    assert drawn(scores, top_k=2) == {0: pytest.approx(5 / 8, abs=0.03), 1: pytest.approx(3 / 8, abs=0.03)}
    assert set(drawn(scores, top_p=0.5)) == {0}
    assert set(drawn(scores, top_p=0.51)) == {0, 1}
    assert set(drawn(scores, temperature=0.01)) == {0}
    hot = drawn(scores, temperature=100.0)
    assert all(share == pytest.approx(0.25, abs=0.03) for share in hot.values())


def test_what_is_forbidden_is_never_drawn() -> None:
    assert set(drawn([-np.inf, 0.0, -np.inf, 0.0])) == {1, 3}
    assert set(drawn([-np.inf, 0.0, -np.inf, 0.0], top_p=0.99)) == {1, 3}


@given(st.integers(0, 2**63 - 2), st.integers(0, 1000))
def test_numbers_lie_between_0_and_1_and_differ(seed: int, step: int) -> None:
    keys = keys_of(torch.tensor([[5, 6, 0], [5, 6, 7]]), torch.tensor([2, 3]), seed, 2)
    found = np.concatenate([uniforms(keys, step), uniforms(keys, step + 1)])
    assert ((found >= 0) & (found < 1)).all()
    assert len(set(found.tolist())) == 8
    again = keys_of(torch.tensor([[5, 6]]), torch.tensor([2]), seed, 2)
    assert again.tolist() == keys[:2].tolist()
