from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.decoding.batched import pad
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.search import search
from seq2seq_core.errors import ModelError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.modalities.text import Text
from seq2seq_core.models.interface import Seq2Seq, State, Step
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID

TEXT = Text()
Model = Callable[..., Any]


def sentences(count: int, seed: int = 0, longest: int = 9) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(4, 12, rng.integers(0, longest + 1)).astype(np.int32) for _ in range(count)]


def run(
    model: Seq2Seq, sources: list[np.ndarray], options: SearchConfig, extra_padding: int = 0
) -> list[list[Hypothesis]]:
    source_BS, lengths_B = pad(TEXT, sources)
    source_BS = torch.nn.functional.pad(source_BS, (0, extra_padding), value=PAD_ID)
    return search(model, source_BS, lengths_B, options)


def log_probability(model: Seq2Seq, source: np.ndarray, tokens: list[int]) -> float:
    """The sum of the tokens' log probabilities by `forward`, without any search."""
    source_BS, lengths_B = pad(TEXT, [source])
    target_BT = torch.tensor([[BOS_ID, *tokens[:-1]]])
    logits_TV = model(source_BS, lengths_B, target_BT).logits_BTV[0].detach().double()
    return float(logits_TV.log_softmax(1)[torch.arange(len(tokens)), torch.tensor(tokens)].sum())


def all_outputs(vocabulary: int, limit: int) -> Iterator[list[int]]:
    words = [v for v in range(vocabulary) if v not in (PAD_ID, BOS_ID, EOS_ID)]
    for length in range(limit):
        for prefix in itertools.product(words, repeat=length):
            yield [*prefix, EOS_ID]


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_finds_what_an_exhaustive_search_finds(
    hashed_model: Model, length_penalty: float, seed: int
) -> None:
    model = hashed_model(vocabulary=7, sharpness=1.5)
    source = sentences(1, seed)[0]
    options = SearchConfig(beam=600, n_best=5, length_penalty=length_penalty, max_length_ratio=1e-9, max_length_extra=5)
    found = run(model, [source], options)[0]
    scored = []
    for tokens in all_outputs(vocabulary=7, limit=5):
        total = log_probability(model, source, tokens)
        scored.append((total / len(tokens) ** length_penalty, total, tokens[:-1]))
    scored.sort(reverse=True)
    assert [h.tokens.tolist() for h in found] == [tokens for _, _, tokens in scored[:5]]
    assert [h.score for h in found] == pytest.approx([score for score, _, _ in scored[:5]], abs=1e-5)
    assert [h.log_probability for h in found] == pytest.approx([total for _, total, _ in scored[:5]], abs=1e-5)
    assert all(h.finished for h in found)


def plain_beam(model: Seq2Seq, source: np.ndarray, options: SearchConfig) -> list[tuple[list[int], float]]:
    """The same search for one sentence, written down hypothesis by hypothesis."""
    limit, power = options.max_length(len(source)), options.length_penalty
    live, ended = [([], 0.0)], []
    for length in range(1, limit + 1):
        grown = []
        for tokens, total in live:
            source_BS, lengths_B = pad(TEXT, [source])
            scores_V = model(source_BS, lengths_B, torch.tensor([[BOS_ID, *tokens]])).logits_BTV[0, -1].log_softmax(0)
            grown += [([*tokens, v], total + float(s)) for v, s in enumerate(scores_V) if v not in (PAD_ID, BOS_ID)]
        grown.sort(key=lambda pair: -pair[1])
        ended += [(tokens, total / length**power) for tokens, total in grown[: options.beam] if tokens[-1] == EOS_ID]
        ended.sort(key=lambda pair: -pair[1])
        live = [(tokens, total) for tokens, total in grown if tokens[-1] != EOS_ID][: options.beam]
        if len(ended) >= options.n_best and ended[options.n_best - 1][1] >= live[0][1] / limit**power:
            break
    cut = [(tokens, total / limit**power) for tokens, total in live]
    return (ended + cut)[: options.n_best]


@pytest.mark.parametrize("beam", [2, 3, 5])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("end_bonus", [-0.5, 1.0])
def test_the_beam_is_pruned_like_a_plain_one(
    hashed_model: Model, beam: int, length_penalty: float, end_bonus: float
) -> None:
    model = hashed_model(vocabulary=9, end_bonus=end_bonus)
    options = SearchConfig(
        beam=beam, n_best=beam, length_penalty=length_penalty, max_length_ratio=1.0, max_length_extra=3
    )
    sources = sentences(6, seed=beam)
    for source, found in zip(sources, run(model, sources, options), strict=True):
        expected = plain_beam(model, source, options)
        assert [h.tokens.tolist() + [EOS_ID] * h.finished for h in found] == [tokens for tokens, _ in expected]
        assert [h.score for h in found] == pytest.approx([score for _, score in expected], abs=1e-4)


def test_greedy_takes_the_most_probable_token_at_every_step(hashed_model: Model) -> None:
    model = hashed_model(vocabulary=30, end_bonus=0.5)
    options = SearchConfig(beam=1, length_penalty=0.7)
    for source, (hypothesis,) in zip(sentences(20), run(model, sentences(20), options), strict=True):
        expected: list[int] = []
        total, best = 0.0, list[float]()
        while not expected or (expected[-1] != EOS_ID and len(expected) < options.max_length(len(source))):
            source_BS, lengths_B = pad(TEXT, [source])
            logits_V = model(source_BS, lengths_B, torch.tensor([[BOS_ID, *expected]])).logits_BTV[0, -1]
            scores_V = logits_V.log_softmax(0)
            scores_V[[PAD_ID, BOS_ID]] = -torch.inf
            expected.append(int(scores_V.argmax()))
            total += float(scores_V.max())
            best.append(float(scores_V.max()))
        assert hypothesis.finished == (expected[-1] == EOS_ID)
        assert hypothesis.tokens.tolist() == [token for token in expected if token != EOS_ID]
        assert hypothesis.tokens.dtype == np.int32
        assert hypothesis.log_probability == pytest.approx(total, abs=1e-4)
        assert hypothesis.score == pytest.approx(total / len(expected) ** 0.7, abs=1e-4)
        assert hypothesis.token_scores == pytest.approx(best[: len(hypothesis.tokens)], abs=1e-4)


@pytest.mark.parametrize(("beam", "n_best"), [(1, 1), (2, 2), (5, 1), (5, 4)])
@pytest.mark.parametrize("end_bonus", [-2.0, 0.0, 1.5])
def test_a_sentence_gets_the_same_result_alone_and_in_any_batch(
    hashed_model: Model, beam: int, n_best: int, end_bonus: float
) -> None:
    model = hashed_model(vocabulary=12, end_bonus=end_bonus)
    options = SearchConfig(beam=beam, n_best=n_best, attention=True)
    sources = sentences(17, seed=beam)
    together = run(model, sources, options, extra_padding=5)
    reversed_ = run(model, sources[::-1], options)[::-1]
    for source, found, again in zip(sources, together, reversed_, strict=True):
        alone = run(model, [source], options)[0]
        assert len(alone) == len(found) == len(again) == n_best
        for a, b, c in zip(alone, found, again, strict=True):
            assert a.tokens.tolist() == b.tokens.tolist() == c.tokens.tolist()
            assert (a.finished, a.score) == (b.finished, b.score) == (c.finished, c.score)
            assert a.attention is not None
            assert b.attention is not None
            np.testing.assert_allclose(a.attention, b.attention, atol=1e-6)


FAMILIES = {
    "transformer": TransformerConfig(width=16, feed_forward_width=32, heads=2, encoder_layers=2, decoder_layers=2),
    "post-norm, learned positions": TransformerConfig(
        width=16, feed_forward_width=32, heads=2, encoder_layers=1, decoder_layers=1, norm="post", positions="learned"
    ),
    "lstm": RnnConfig(width=16, embedding_width=12, encoder_layers=2, decoder_layers=2),
    "gru": RnnConfig(width=16, embedding_width=12, cell="gru", attention="multiplicative"),
}


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("beam", [1, 4])
def test_real_families_translate_the_same_alone_and_in_any_batch(family: str, beam: int) -> None:
    torch.manual_seed(3)
    model = build_model(FAMILIES[family], Symbols(12), 60).eval()
    for parameter in model.parameters():
        parameter.data *= 2.5  # an untrained model's probabilities are nearly equal, and so are its hypotheses
    options = SearchConfig(beam=beam, n_best=beam, attention=True)
    sources = sentences(12, seed=1, longest=20)
    for source, found in zip(sources, run(model, sources, options, extra_padding=4), strict=True):
        for a, b in zip(run(model, [source], options)[0], found, strict=True):
            assert a.tokens.tolist() == b.tokens.tolist()
            assert a.finished == b.finished
            assert a.score == pytest.approx(b.score, abs=1e-4)
            assert a.attention is not None
            assert b.attention is not None
            np.testing.assert_allclose(a.attention, b.attention, atol=1e-4)
            tokens = a.tokens.tolist() + [EOS_ID] * a.finished
            assert a.log_probability == pytest.approx(log_probability(model, source, tokens), abs=1e-3)


@pytest.mark.parametrize("beam", [1, 3])
def test_every_hypothesis_has_the_score_that_forward_gives_it(hashed_model: Model, beam: int) -> None:
    model = hashed_model(vocabulary=12)
    options = SearchConfig(beam=beam, n_best=beam, length_penalty=1.3)
    for source, found in zip(sentences(15), run(model, sentences(15), options), strict=True):
        for hypothesis in found:
            tokens = hypothesis.tokens.tolist() + [EOS_ID] * hypothesis.finished
            expected = log_probability(model, source, tokens)
            assert hypothesis.log_probability == pytest.approx(expected, abs=1e-4)
            assert hypothesis.score == pytest.approx(expected / len(tokens) ** 1.3, abs=1e-4)
            assert hypothesis.token_scores is not None
            assert len(hypothesis.token_scores) == len(hypothesis.tokens)
            half = len(hypothesis.tokens) // 2
            begun = log_probability(model, source, tokens[:half]) if half else 0.0
            assert hypothesis.token_scores[:half].sum() == pytest.approx(begun, abs=1e-4)


def test_hypotheses_are_distinct_and_best_first(hashed_model: Model) -> None:
    for found in run(hashed_model(), sentences(20), SearchConfig(beam=6, n_best=6)):
        keys = [(not h.finished, -h.score) for h in found]
        assert keys == sorted(keys)
        assert len({(h.finished, *h.tokens.tolist()) for h in found}) == 6


@pytest.mark.parametrize("n_best", [1, 2, 3])
def test_asking_for_more_hypotheses_does_not_change_the_first_ones(hashed_model: Model, n_best: int) -> None:
    model, sources = hashed_model(end_bonus=0.7), sentences(20)
    few = run(model, sources, SearchConfig(beam=6, n_best=n_best))
    many = run(model, sources, SearchConfig(beam=6, n_best=6))
    assert [[h.tokens.tolist() for h in found] for found in few] == [
        [h.tokens.tolist() for h in found[:n_best]] for found in many
    ]


@pytest.mark.parametrize("beam", [1, 4])
def test_an_output_without_end_is_cut_at_the_limit_of_its_own_sentence(hashed_model: Model, beam: int) -> None:
    options = SearchConfig(beam=beam, n_best=beam, max_length_ratio=1.5, max_length_extra=3)
    sources = sentences(10)
    for source, found in zip(sources, run(hashed_model(end_bonus=-1000.0), sources, options), strict=True):
        assert len(found) == beam
        for hypothesis in found:
            assert not hypothesis.finished
            assert len(hypothesis.tokens) == int(1.5 * len(source)) + 3


@pytest.mark.parametrize("beam", [1, 4])
def test_no_output_is_longer_than_the_model_reaches(hashed_model: Model, beam: int) -> None:
    model = hashed_model(end_bonus=-1000.0)
    model.max_length = 7
    found = run(model, sentences(5), SearchConfig(beam=beam))
    assert {len(hypotheses[0].tokens) for hypotheses in found} == {7}


def test_cut_hypotheses_only_fill_the_places_that_ended_ones_leave(hashed_model: Model) -> None:
    options = SearchConfig(beam=5, n_best=5, max_length_ratio=0.01, max_length_extra=3)
    flags = [[h.finished for h in found] for found in run(hashed_model(end_bonus=1.0), sentences(60), options)]
    assert all(found == sorted(found, reverse=True) for found in flags)
    assert any(True in found and False in found for found in flags)


@pytest.mark.parametrize("beam", [1, 4])
def test_attention_has_a_row_for_each_token_and_a_column_for_each_source_piece(hashed_model: Model, beam: int) -> None:
    options = SearchConfig(beam=beam, n_best=beam, attention=True)
    model = hashed_model(end_bonus=0.5)
    for source, found in zip(sentences(12), run(model, sentences(12), options, extra_padding=3), strict=True):
        for hypothesis in found:
            assert hypothesis.attention is not None
            assert hypothesis.attention.dtype == np.float32
            assert hypothesis.attention.shape == (len(hypothesis.tokens) + hypothesis.finished, len(source) + 1)
            np.testing.assert_allclose(hypothesis.attention, forced_attention(model, source, hypothesis), atol=1e-6)


def forced_attention(model: Seq2Seq, source: np.ndarray, hypothesis: Hypothesis) -> np.ndarray:
    """The attention of each step when the hypothesis is fed to the model."""
    state = model.start(model.encode(*pad(TEXT, [source])))
    rows = []
    inputs = [BOS_ID, *hypothesis.tokens.tolist()]
    for token in inputs if hypothesis.finished else inputs[:-1]:
        step = model.step(torch.tensor([token]), state)
        state = step.state
        rows.append(step.attention_NS[0].numpy())
    return np.stack(rows)


def test_no_attention_unless_asked_for(hashed_model: Model) -> None:
    for beam in (1, 2):
        assert run(hashed_model(), sentences(2), SearchConfig(beam=beam))[0][0].attention is None


@pytest.mark.parametrize("beam", [1, 4])
def test_finished_sentences_leave_the_batch(hashed_model: Model, beam: int) -> None:
    model = hashed_model(end_bonus=1.5)
    run(model, sentences(40), SearchConfig(beam=beam))
    assert model.rows_stepped[0] == 40 * beam
    assert model.rows_stepped == sorted(model.rows_stepped, reverse=True)
    assert model.rows_stepped[-1] < 20 * beam


def test_search_stops_when_no_live_hypothesis_can_win(hashed_model: Model) -> None:
    model = hashed_model(end_bonus=40.0)  # EOS has all the probability: nothing can beat the empty output
    found = run(model, sentences(5), SearchConfig(beam=4, length_penalty=1.0))
    assert len(model.rows_stepped) == 1
    assert all(hypotheses[0].tokens.size == 0 and hypotheses[0].finished for hypotheses in found)


def test_a_search_looks_ahead_as_far_as_it_is_told(hashed_model: Model) -> None:
    scores, rows = {}, {}
    for lookahead in (0, 2, 1000, None):
        model = hashed_model(end_bonus=1.5)
        found = run(model, sentences(40), SearchConfig(beam=4, lookahead=lookahead))
        scores[lookahead] = np.array([hypotheses[0].score for hypotheses in found])
        rows[lookahead] = sum(model.rows_stepped)
    assert (scores[1000] == scores[None]).all(), "beyond its limit there is nothing to see"
    assert (scores[0] <= scores[2] + 1e-5).all()
    assert (scores[2] <= scores[None] + 1e-5).all()
    assert rows[0] < rows[2] < rows[None] == rows[1000]


@pytest.mark.parametrize("beam", [1, 5])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("from_step", [0, 4])
def test_logits_that_are_not_numbers_are_an_error(
    hashed_model: Model, monkeypatch: pytest.MonkeyPatch, beam: int, bad: float, from_step: int
) -> None:
    model = hashed_model(end_bonus=-50.0)
    whole = model.step

    def broken(tokens_N: torch.Tensor, state: State) -> Step:
        step = whole(tokens_N, state)
        if len(model.rows_stepped) > from_step:
            step.logits_NV[-1, 5] = bad
        return step

    monkeypatch.setattr(model, "step", broken)
    with pytest.raises(ModelError, match="not a number"):
        run(model, sentences(6), SearchConfig(beam=beam))


@pytest.mark.parametrize("beam", [1, 3])
def test_a_vocabulary_of_nothing_but_special_pieces_still_ends(hashed_model: Model, beam: int) -> None:
    for found in run(hashed_model(vocabulary=4), sentences(4), SearchConfig(beam=beam)):
        assert found
        assert all(set(h.tokens.tolist()) <= {1} for h in found)


@pytest.mark.parametrize("vocabulary", [12, 3300])
@pytest.mark.parametrize("penalty", [1.0, 1.5])
def test_an_unscored_greedy_search_takes_the_same_tokens(hashed_model: Model, vocabulary: int, penalty: float) -> None:
    model, options = hashed_model(vocabulary=vocabulary), SearchConfig(beam=1, repetition_penalty=penalty)
    scored, bare = (run(model, sentences(9), way) for way in (options, options.unscored()))
    assert [row[0].tokens.tolist() for row in bare] == [row[0].tokens.tolist() for row in scored]
    assert [row[0].finished for row in bare] == [row[0].finished for row in scored]
    assert all(np.isnan(row[0].score) == (penalty == 1) for row in bare)


def test_what_tells_scores_of_tokens_is_never_unscored(hashed_model: Model) -> None:
    options = SearchConfig(beam=1, token_scores=True).unscored()
    for row in run(hashed_model(), sentences(5), options):
        assert row[0].token_scores is not None
        assert np.isfinite(row[0].token_scores).all()


def test_an_empty_batch_is_an_empty_result(hashed_model: Model) -> None:
    nothing = torch.zeros(0, 1, dtype=torch.int64)
    assert search(hashed_model(), nothing, nothing[:, 0], SearchConfig()) == []
