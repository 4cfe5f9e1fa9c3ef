"""Chunks become frames as training had them, and tokens words with times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from seq2seq_core.audio.terms import Samples
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.hearing import USUAL_LONGEST, ModelRecognizer
from seq2seq_core.modalities.audio import Audio
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train

TEXTS = ["hello world", "a small cat sat.", "the quick brown fox", "one, two and three?"]
SECOND = np.random.default_rng(0).normal(size=16_000).astype(np.float32) * 0.1


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SEQ2SEQ_CACHE", str(tmp_path_factory.mktemp("cache")))
        return Tokenizer(train(iter(TEXTS * 5), TokenizerConfig(vocabulary_size=330, type="bpe")))


class Says:
    """An engine that says a text, each token 4 frames long from the third on."""

    def __init__(self, tokenizer: Tokenizer, text: str | None, *, spans: bool = True, finished: bool = True) -> None:
        self.sources: list[Any] = []
        self.options: list[SearchConfig] = []
        self._tokens = None if text is None else tokenizer.encode([text])[0]
        self._spans, self._finished = spans, finished

    def generate(self, sequences: Sequence[Any], options: SearchConfig) -> list[list[Hypothesis]]:
        self.sources += sequences
        self.options.append(options)
        return [[] if self._tokens is None else [self._said(self._tokens)] for _ in sequences]

    def _said(self, tokens: Any) -> Hypothesis:
        begins = 2 + 4 * np.arange(len(tokens), dtype=np.int32)
        spans = np.stack([begins, begins + 4], 1) if self._spans else None
        scores = -0.5 - np.arange(len(tokens)) if self._spans else None
        return Hypothesis(tokens, -1.0, -3.0, self._finished, spans=spans, token_scores=scores)


def recognizer(engine: Says, tokenizer: Tokenizer, audio: Audio | None = None, longest: int | None = None) -> Any:
    return ModelRecognizer(engine, audio or Audio(), tokenizer, "d", longest)


@pytest.mark.parametrize("text", [*TEXTS, "sat", "quick quick"])
def test_tokens_become_words_with_times(tokenizer: Tokenizer, text: str) -> None:
    engine = Says(tokenizer, text)
    (found,) = recognizer(engine, tokenizer).recognize([SECOND], SearchConfig(beam=2))
    assert found.text == text
    assert [word.text for word in found.words] == text.split()
    lengths = [len(tokens) for tokens in tokenizer.encode(text.split())]
    ends = np.cumsum(lengths)
    assert [word.begin for word in found.words] == pytest.approx((0.02 + 0.04 * (ends - lengths)).tolist())
    assert [word.end for word in found.words] == pytest.approx((0.02 + 0.04 * ends).tolist())
    scores = [-0.5 * n - sum(range(end - n, end)) for n, end in zip(lengths, ends.tolist(), strict=True)]
    assert [word.score for word in found.words] == pytest.approx(scores)
    assert (found.finished, found.no_speech) == (True, None)
    assert found.score == pytest.approx(-3.0 / (sum(lengths) + 1))
    assert (engine.options[0].align, engine.options[0].beam) == (True, 2)


def test_times_are_spread_where_an_engine_tells_none(tokenizer: Tokenizer) -> None:
    (found,) = recognizer(Says(tokenizer, "one two", spans=False), tokenizer).recognize([SECOND], SearchConfig())
    first, second = found.words
    assert (first.begin, first.end) == (0.0, second.begin)
    assert first.score is None
    assert second.end == pytest.approx(1.0, abs=0.03)


def test_nothing_and_what_was_cut(tokenizer: Tokenizer) -> None:
    (found,) = recognizer(Says(tokenizer, None), tokenizer).recognize([SECOND], SearchConfig())
    assert (found.text, found.words) == ("", ())
    (found,) = recognizer(Says(tokenizer, ""), tokenizer).recognize([SECOND], SearchConfig())
    assert (found.text, found.words) == ("", ())
    (found,) = recognizer(Says(tokenizer, "one", finished=False), tokenizer).recognize([SECOND], SearchConfig())
    assert not found.finished


@pytest.mark.parametrize("audio", [Audio(), Audio(rate=8_000, mels=40, loudness=-20.0)])
def test_an_engine_is_given_the_frames_that_training_had(tokenizer: Tokenizer, audio: Audio) -> None:
    """Those of the same samples as a file."""
    chunk: Samples = SECOND[: audio.rate]
    engine = Says(tokenizer, "one")
    recognizer(engine, tokenizer, audio).recognize([chunk, np.zeros(0, np.float32)], SearchConfig())
    np.testing.assert_array_equal(engine.sources[0], audio.features(audio.as_stored(chunk)))
    assert engine.sources[1].shape == (0, audio.mels)


def test_a_chunk_is_no_longer_than_what_a_model_was_trained_on(tokenizer: Tokenizer) -> None:
    assert recognizer(Says(tokenizer, ""), tokenizer, longest=1200).longest == pytest.approx(12.0)
    assert recognizer(Says(tokenizer, ""), tokenizer, longest=90_000).longest == USUAL_LONGEST
    assert recognizer(Says(tokenizer, ""), tokenizer).longest == USUAL_LONGEST
