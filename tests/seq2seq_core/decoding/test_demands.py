from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.decoding.batched import generate
from seq2seq_core.decoding.demands import NOTHING, Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.steps.demanded import PhraseProgress, padded
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.text import Text
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID

TEXT = Text()
Model = Callable[..., Any]
VOCABULARY = 12
SHORT = {"max_length_ratio": 1.0, "max_length_extra": 6}


def sentences(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    return [rng.integers(4, 12, rng.integers(0, 9)).astype(np.int32) for _ in range(count)]


def drawn_demands(count: int) -> list[Demand]:
    """Some of nothing, some of a prefix, some of phrases, some of both."""
    rng = np.random.default_rng(count + 1)

    def ids(most: int) -> tuple[int, ...]:
        return tuple(rng.integers(4, VOCABULARY, rng.integers(1, most + 1)).tolist())

    return [
        Demand(ids(3) if i % 2 else (), tuple(ids(3) for _ in range(rng.integers(1, 4))) if i % 3 else ())
        for i in range(count)
    ]


def holds(tokens: list[int], phrase: tuple[int, ...]) -> bool:
    return any(tuple(tokens[i : i + len(phrase)]) == phrase for i in range(len(tokens)))


def run(model: Any, sources: list[np.ndarray], demands: list[Demand], most: int = 10_000, **how: Any) -> Any:
    return generate(model, TEXT, sources, SearchConfig(**SHORT, **how), most, demands=demands)


@pytest.mark.parametrize("beam", [2, 5, 9])
@pytest.mark.parametrize("end_bonus", [-3.0, 0.0, 3.0])
def test_every_output_has_its_prefix_and_its_phrases(hashed_model: Model, beam: int, end_bonus: float) -> None:
    sources, demands = sentences(15), drawn_demands(15)
    found = run(hashed_model(VOCABULARY, 2.0, end_bonus), sources, demands, beam=beam)
    for (one,), demand in zip(found, demands, strict=True):
        tokens = one.tokens.tolist()
        assert tuple(tokens[: len(demand.prefix)]) == demand.prefix
        assert all(holds(tokens, phrase) for phrase in demand.phrases), (tokens, demand)


def test_a_result_does_not_depend_on_what_is_demanded_beside_it(hashed_model: Model) -> None:
    model, sources, demands = hashed_model(VOCABULARY), sentences(12), drawn_demands(12)
    together = run(model, sources, demands, n_best=3)
    for source, demand, row in zip(sources, demands, together, strict=True):
        (alone,) = run(model, [source], [demand], n_best=3)
        assert [h.tokens.tolist() for h in alone] == [h.tokens.tolist() for h in row]
        assert [h.score for h in alone] == pytest.approx([h.score for h in row], abs=1e-5)


def test_nothing_demanded_changes_nothing(hashed_model: Model) -> None:
    model, sources = hashed_model(VOCABULARY), sentences(9)
    found, plain = run(model, sources, [NOTHING] * 9), run(model, sources, [])
    assert [row[0].tokens.tolist() for row in found] == [row[0].tokens.tolist() for row in plain]


def test_a_phrase_that_comes_by_itself_mostly_changes_nothing(hashed_model: Model) -> None:
    model, sources = hashed_model(VOCABULARY, sharpness=6.0), sentences(9)
    plain = run(model, sources, [], beam=20)
    demands = [Demand(phrases=(tuple(row[0].tokens[1:3].tolist()),) if len(row[0].tokens) > 2 else ()) for row in plain]
    found = run(model, sources, demands, beam=20)
    same = [a[0].tokens.tolist() == b[0].tokens.tolist() for a, b in zip(found, plain, strict=True)]
    assert sum(same) > len(same) / 2  # the others lost a place to hypotheses with less of the phrase


def test_a_prefix_counts_nothing_and_what_follows_is_the_model_s(hashed_model: Model) -> None:
    model, source = hashed_model(VOCABULARY, end_bonus=1.0), sentences(5)[2]
    prefix = (7, 5, 9)
    for beam in (1, 4):
        (one,) = run(model, [source], [Demand(prefix)], beam=beam)[0]
        assert one.token_scores is not None
        assert one.token_scores[:3].tolist() == [0.0] * 3
        assert one.score == pytest.approx(one.log_probability / (len(one.tokens) + one.finished))


def test_samples_begin_with_their_prefix(hashed_model: Model) -> None:
    found: list[list[Hypothesis]] = run(
        hashed_model(VOCABULARY), sentences(6), [Demand((4, 5))] * 6, sample=True, n_best=3
    )
    assert all(one.tokens[:2].tolist() == [4, 5] for row in found for one in row)


@pytest.mark.parametrize("how", [{"beam": 1}, {"sample": True}])
def test_phrases_need_a_beam(hashed_model: Model, how: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="found by a beam search alone"):
        run(hashed_model(), sentences(2), [Demand(phrases=((5,),)), NOTHING], **how)


def held_slowly(phrases: list[tuple[int, ...]], tokens: list[int]) -> tuple[int, bool]:
    """How many tokens of its phrases a text has, and whether it has them all."""
    there = [holds(tokens, phrase) for phrase in phrases]
    partly = [
        max(k for k in range(len(phrase)) if k <= len(tokens) and tuple(tokens[len(tokens) - k :]) == phrase[:k])
        for phrase, is_there in zip(phrases, there, strict=True)
        if not is_there
    ]
    whole = sum(len(phrase) for phrase, is_there in zip(phrases, there, strict=True) if is_there)
    return whole + max(partly, default=0), all(there)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(4, 6), min_size=1, max_size=4).map(tuple), min_size=1, max_size=3),
    st.lists(st.integers(4, 6), max_size=9),
)
def test_what_is_there_is_what_a_slow_look_finds(phrases: list[tuple[int, ...]], tokens: list[int]) -> None:
    progress = PhraseProgress(padded(phrases).unsqueeze(0))
    for length in range(len(tokens) + 1):
        scores_NV = progress(torch.zeros(1, 7), torch.tensor([tokens[length - 1] if length else BOS_ID]))
        assert bool(scores_NV[0, EOS_ID] == 0) == held_slowly(phrases, tokens[:length])[1]
        candidates = torch.tensor([[4, 5, 6, EOS_ID]])
        expected = [held_slowly(phrases, [*tokens[:length], token])[0] for token in candidates[0].tolist()]
        assert progress.held(candidates)[0].tolist() == expected
        wanted = [token for token in progress.wanted()[0].tolist() if token > 0]
        now, is_all = held_slowly(phrases, tokens[:length])
        assert is_all == (wanted == [EOS_ID])
        assert is_all or max(held_slowly(phrases, [*tokens[:length], token])[0] for token in wanted) > now
