from __future__ import annotations

import random

import pytest

from seq2seq_core.errors import InputError
from seq2seq_core.metrics.significance import differences

WORDS = ["the", "a", "man", "dog", "runs", "sleeps", "park", "river", "near", "under", "with", "red", "green", "small"]


def corpus(seed: int, spoilt: float) -> tuple[list[str], list[str]]:
    """References, and an output in which a share of the words are others."""
    draw = random.Random(seed)
    references = [draw.choices(WORDS, k=8) for _ in range(120)]
    outputs = [[draw.choice(WORDS) if draw.random() < spoilt else word for word in words] for words in references]
    return [" ".join(words) for words in references], [" ".join(words) for words in outputs]


def test_a_clear_difference_is_told_from_chance() -> None:
    references, poor = corpus(1, 0.5)
    _, good = corpus(1, 0.1)
    bleu, chrf = differences(good, poor, references, resamples=200)
    assert (bleu.name, chrf.name) == ("BLEU", "chrF2")
    for one in (bleu, chrf):
        assert one.score > one.baseline + 5
        assert one.p_value < 0.05
        assert 0 < one.interval < 10
    assert "bs:200" in bleu.signature
    back, _ = differences(poor, good, references, resamples=200)
    assert back.score == bleu.baseline


def test_the_same_output_twice_is_no_difference() -> None:
    references, output = corpus(2, 0.3)
    bleu, _ = differences(output, output, references, resamples=100)
    assert bleu.score == bleu.baseline
    assert bleu.p_value > 0.5
    assert "+0.00" in bleu.line()
    assert bleu.to_json()["p_value"] == bleu.p_value


def test_outputs_of_other_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="do not match"):
        differences(["a"], ["a", "b"], ["a"])
    with pytest.raises(InputError, match="do not match"):
        differences([], [], [])
