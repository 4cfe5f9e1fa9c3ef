from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.decoding import batched
from seq2seq_core.decoding.batched import generate, pad
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.search import search
from seq2seq_core.decoding.steps.ctc import CtcPrefixes, frame_scores
from seq2seq_core.decoding.steps.fusion import Fusion
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Vectors
from seq2seq_core.modalities.text import Text
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.speech import SpeechConfig
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID

TEXT = Text()
Model = Callable[..., Any]


def sentences(count: int, seed: int = 0, longest: int = 20) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(4, 12, rng.integers(0, longest + 1)).astype(np.int32) for _ in range(count)]


def run(model: Seq2Seq, sources: list[np.ndarray], options: SearchConfig, padding: int = 0) -> list[list[Hypothesis]]:
    source_BS, lengths_B = pad(TEXT, sources)
    return search(model, torch.nn.functional.pad(source_BS, (0, padding), value=PAD_ID), lengths_B, options)


def joint(model: Seq2Seq, source: np.ndarray, tokens: list[int], weight: float) -> float:
    """Both scores of a whole output, EOS included, without any search."""
    source_BS, lengths_B = pad(TEXT, [source])
    logits_TV = model(source_BS, lengths_B, torch.tensor([[BOS_ID, *tokens[:-1]]])).logits_BTV[0].double()
    attention = float(logits_TV.log_softmax(1)[torch.arange(len(tokens)), torch.tensor(tokens)].sum())
    memory = model.encode(source_BS, lengths_B)
    prefixes = CtcPrefixes(frame_scores(model, memory), memory.mask_BS, 1)
    for token in [BOS_ID, *tokens[:-1]]:
        prefixes.append(torch.tensor([token]))
    ctc = float(prefixes.scores_N[0] + prefixes.changes(torch.tensor([[EOS_ID]]))[1][0])
    return (1 - weight) * attention + weight * ctc


@pytest.mark.parametrize(("weight", "seed"), [(0.3, 0), (0.9, 1)])
def test_a_wide_joint_beam_finds_what_an_exhaustive_search_finds(heard_model: Model, weight: float, seed: int) -> None:
    model = heard_model(sharpness=1.5)
    source = sentences(3, seed, longest=14)[-1]
    options = SearchConfig(
        beam=400, n_best=5, length_penalty=0.0, max_length_ratio=1e-9, max_length_extra=4, ctc_weight=weight
    )
    words = [v for v in range(7) if v not in (PAD_ID, BOS_ID, EOS_ID)]
    outputs = [[*text, EOS_ID] for n in range(4) for text in itertools.product(words, repeat=n)]
    scored = sorted(((joint(model, source, tokens, weight), tokens[:-1]) for tokens in outputs), reverse=True)
    found = run(model, [source], options)[0]
    assert [h.tokens.tolist() for h in found] == [tokens for _, tokens in scored[:5]]
    assert [h.score for h in found] == pytest.approx([score for score, _ in scored[:5]], abs=1e-4)


@pytest.mark.parametrize("beam", [1, 4])
def test_every_hypothesis_has_the_scores_that_both_give_it(heard_model: Model, beam: int) -> None:
    model, options = heard_model(end_bonus=0.5), SearchConfig(beam=beam, n_best=beam, ctc_weight=0.4)
    for source, row in zip(sentences(12), run(model, sentences(12), options), strict=True):
        for h in row:
            if h.finished:
                expected = joint(model, source, [*h.tokens.tolist(), EOS_ID], 0.4)
                assert h.log_probability == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_model_that_was_trained_with_ctc_is_searched_with_it(heard_model: Model, beam: int) -> None:
    model, sources = heard_model(end_bonus=0.5), sentences(12)
    plain = run(model, sources, SearchConfig(beam=beam))
    alone = run(model, sources, SearchConfig(beam=beam, ctc_weight=0))
    assert [[h.score for h in row] for row in plain] == [[h.score for h in row] for row in alone]
    model.auxiliary_weight = 0.5
    found = run(model, sources, SearchConfig(beam=beam))
    expected = run(model, sources, SearchConfig(beam=beam, ctc_weight=0.3))
    assert [[h.score for h in row] for row in found] == [[h.score for h in row] for row in expected]
    assert [[h.score for h in row] for row in found] != [[h.score for h in row] for row in plain]


@pytest.mark.parametrize("beam", [1, 4])
@pytest.mark.parametrize(
    "keys",
    [
        {"ctc_weight": 0.3},
        {"ctc_weight": 0.5, "ctc_candidates": 2, "no_repeat_ngram": 2, "min_length_ratio": 0.5},
        {"length_penalty": 0.0, "length_reward": 2.0},
        {"no_repeat_ngram": 1, "ngram_repeats": 1},
    ],
)
def test_a_recording_gets_the_same_result_alone_and_in_any_batch(
    heard_model: Model, beam: int, keys: dict[str, Any]
) -> None:
    model = heard_model(vocabulary=12, end_bonus=0.5)
    options = SearchConfig(beam=beam, n_best=beam, align=True, **keys)
    sources = sentences(12, seed=beam)
    together = run(model, sources, options, padding=7)
    for source, found in zip(sources, together, strict=True):
        alone = run(model, [source], options)[0]
        assert len(alone) == len(found)
        for a, b in zip(alone, found, strict=True):
            assert a.tokens.tolist() == b.tokens.tolist()
            assert a.finished == b.finished
            assert a.score == pytest.approx(b.score, abs=1e-5)
            assert a.spans is not None
            assert b.spans is not None
            assert a.spans.tolist() == b.spans.tolist()


@pytest.mark.parametrize("beam", [1, 4])
def test_limits_count_encoder_positions(heard_model: Model, beam: int) -> None:
    options = SearchConfig(beam=beam, n_best=beam, max_length_ratio=1.5, max_length_extra=3)
    for source, row in zip(sentences(8), run(heard_model(end_bonus=-1000.0), sentences(8), options), strict=True):
        positions = -(-(len(source) + 1) // 3)
        assert {len(h.tokens) for h in row} == {int(1.5 * (positions - 1)) + 3}
    options = SearchConfig(beam=beam, n_best=beam, min_length_ratio=1.0)
    for source, row in zip(sentences(8), run(heard_model(end_bonus=20.0), sentences(8), options), strict=True):
        assert len(row[0].tokens) == -(-(len(source) + 1) // 3) - 1


def test_batches_count_encoder_positions(heard_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []
    whole = batched.cut

    def watching(lengths: Any, *how: Any) -> Any:
        seen.append(lengths.tolist())
        return whole(lengths, *how)

    monkeypatch.setattr(batched, "cut", watching)
    sources = [np.full(n, 5, np.int32) for n in (1, 7, 6, 0)]
    assert len(generate(heard_model(), TEXT, sources, SearchConfig(beam=1), 100)) == 4
    assert seen == [[3, 2, 1, 0]]


@pytest.mark.parametrize("beam", [1, 3])
def test_spans_are_sorted_and_within_the_source(heard_model: Model, hashed_model: Model, beam: int) -> None:
    for model in (heard_model(end_bonus=0.3), hashed_model(end_bonus=0.3)):
        options = SearchConfig(beam=beam, n_best=beam, align=True)
        for source, row in zip(sentences(15), run(model, sentences(15), options), strict=True):
            for h in row:
                assert h.attention is None
                assert h.spans is not None
                assert h.spans.shape == (len(h.tokens), 2)
                assert (np.diff(h.spans.flatten()) >= 0).all()
                assert ((h.spans >= 0) & (h.spans <= len(source) + 1)).all()
    both = run(heard_model(), sentences(2), SearchConfig(beam=beam, align=True, attention=True))
    assert all(row[0].attention is not None and row[0].spans is not None for row in both)
    assert run(heard_model(), sentences(2), SearchConfig(beam=beam))[0][0].spans is None


def test_a_weight_of_one_is_the_best_path_without_a_decoder(heard_model: Model) -> None:
    model, sources = heard_model(), sentences(9)
    found = generate(model, TEXT, sources, SearchConfig(ctc_weight=1, align=True), 40)
    assert model.rows_stepped == []
    for source, (one,) in zip(sources, found, strict=True):
        memory = model.encode(*pad(TEXT, [source]))
        best_S = model.frame_scores(memory)[0].argmax(1).tolist()
        assert one.tokens.tolist() == [v for v, _ in itertools.groupby(best_S) if v != PAD_ID]
        assert one.spans is not None
        assert len(one.spans) == len(one.tokens)


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_ctc_needs_a_model_that_scores_frames(hashed_model: Model, weight: float) -> None:
    with pytest.raises(ConfigError, match="scores no frames"):
        run(hashed_model(), sentences(2), SearchConfig(ctc_weight=weight))


def test_a_best_path_has_no_steps_for_a_language_model(heard_model: Model, hashed_model: Model) -> None:
    fusion = Fusion(hashed_model(), *pad(TEXT, [np.zeros(0, np.int32)]), 0.3)
    with pytest.raises(ConfigError, match="ctc_weight below 1"):
        search(heard_model(), *pad(TEXT, sentences(2)), SearchConfig(ctc_weight=1), [fusion])


def test_a_reward_makes_outputs_longer_and_finds_the_best_of_all(hashed_model: Model) -> None:
    model = hashed_model(vocabulary=7, sharpness=1.5)
    keys: dict[str, Any] = {"beam": 200, "length_penalty": 0.0, "max_length_ratio": 1e-9, "max_length_extra": 4}
    words = [v for v in range(7) if v not in (PAD_ID, BOS_ID, EOS_ID)]
    outputs = [[*text, EOS_ID] for n in range(4) for text in itertools.product(words, repeat=n)]
    for source in sentences(2, longest=9):
        source_BS, lengths_B = pad(TEXT, [source])
        scored = []
        for tokens in outputs:
            logits_TV = model(source_BS, lengths_B, torch.tensor([[BOS_ID, *tokens[:-1]]])).logits_BTV[0].double()
            total = float(logits_TV.log_softmax(1)[torch.arange(len(tokens)), torch.tensor(tokens)].sum())
            scored.append((total + 1.4 * len(tokens), tokens[:-1]))
        best = max(scored)
        (found,) = run(model, [source], SearchConfig(length_reward=1.4, **keys))[0]
        assert found.tokens.tolist() == best[1]
        assert found.score == pytest.approx(best[0], abs=1e-4)
        assert len(found.tokens) >= len(run(model, [source], SearchConfig(**keys))[0][0].tokens)


@pytest.mark.parametrize("encoder", ["conformer", "transformer", "lstm"])
@pytest.mark.parametrize("keys", [{"beam": 1}, {"beam": 3, "n_best": 3}, {"ctc_weight": 1.0}])
def test_real_families_hear_the_same_alone_and_in_any_batch(encoder: str, keys: dict[str, Any]) -> None:
    shape = {"width": 16, "encoder_layers": 2, "decoder_layers": 1, "heads": 2, "feed_forward_width": 32}
    config = SpeechConfig.model_validate({"encoder": encoder, **shape, "front_channels": 4, "convolution_kernel": 3})
    torch.manual_seed(5)
    model = config.build(Vectors(8), 20).eval()
    for parameter in model.parameters():
        parameter.data *= 1.5
    rng = np.random.default_rng(1)
    lengths = [40, 7, 1, 23, 64, 30]
    sources = [rng.normal(0, 1, (length, 8)).astype(np.float32) for length in lengths]
    options = SearchConfig.model_validate({"ctc_weight": 0.3, "align": True, "max_length_extra": 3, **keys})
    together = search(model, *stacked(sources, 64), options)
    for source, found in zip(sources, together, strict=True):
        for a, b in zip(search(model, *stacked([source], len(source)), options)[0], found, strict=True):
            assert a.tokens.tolist() == b.tokens.tolist()
            assert a.score == pytest.approx(b.score, abs=1e-3)
            assert a.spans is not None
            assert b.spans is not None
            assert a.spans.tolist() == b.spans.tolist()
            assert a.spans.max(initial=0) <= len(source)


def stacked(sources: list[np.ndarray], longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    values = np.stack([np.pad(source, ((0, longest - len(source)), (0, 0))) for source in sources])
    return torch.from_numpy(values), torch.tensor([len(source) for source in sources])
