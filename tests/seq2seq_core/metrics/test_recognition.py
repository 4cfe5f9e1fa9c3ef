# ruff: noqa: RUF001 (letters that look like others are what it is about)
from __future__ import annotations

import json
import math

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.metrics.edits import Confusion
from seq2seq_core.metrics.recognition import Errors, RecognitionMetric, RecognitionScores


def score(hypotheses: list[str], references: list[str], language: str = "en") -> RecognitionScores:
    metric = RecognitionMetric(language)
    return metric.scores(metric.sums(hypotheses, references))


@pytest.mark.parametrize(
    ("hypothesis", "reference", "words", "characters"),
    [
        ("one two three", "one two three", (3, 0, 0, 0), (13, 0, 0, 0)),
        ("one too three", "one two three", (2, 1, 0, 0), (12, 1, 0, 0)),
        ("one three", "one two three", (2, 0, 1, 0), (9, 0, 4, 0)),
        ("one two two three", "one two three", (3, 0, 0, 1), (13, 0, 0, 4)),
        ("", "one two", (0, 0, 2, 0), (0, 0, 7, 0)),
        ("one two", "", (0, 0, 0, 2), (0, 0, 0, 7)),
        ("", "", (0, 0, 0, 0), (0, 0, 0, 0)),
        ("One, two!", "one  two", (2, 0, 0, 0), (7, 0, 0, 0)),
        ("b a", "a b", (1, 0, 1, 1), (1, 2, 0, 0)),
    ],
)
def test_counts_by_hand(hypothesis: str, reference: str, words: tuple[int, ...], characters: tuple[int, ...]) -> None:
    found = score([hypothesis], [reference])
    assert found.words == words
    assert found.characters == characters
    assert found.wrong == int(words[1:] != (0, 0, 0))


def test_rates_are_of_sums_and_never_averaged() -> None:
    found = score(
        ["a x", "one two three four five six seven eight"], ["a b", "one two three four five six seven eight"]
    )
    assert found.wer == 10.0  # the mean of the rates would be 25
    assert (found.utterances, found.wrong) == (2, 1)


def test_an_empty_reference_adds_its_insertions_to_those_of_others() -> None:
    found = score(["hm hm", "a b c d"], ["", "a b c d"])
    assert found.words == (4, 0, 0, 2)
    assert found.wer == 50.0


def test_insertions_alone_have_no_finite_rate() -> None:
    found = score(["hm"], [""])
    assert found.wer == math.inf
    assert found.to_json()["wer"] is None
    assert score([""], [""]).wer == 0.0


def test_a_language_without_spaces_counts_its_characters() -> None:
    metric = RecognitionMetric("zh")
    found = metric.scores(metric.sums(["我 门 love you"], ["我们love you"]))
    assert found.words == Errors(3, 1, 0, 0)
    assert found.characters == Errors(9, 1, 0, 0)
    assert (metric.main, RecognitionMetric("de").main) == ("cer", "wer")


def test_the_language_decides_what_is_equal() -> None:
    assert score(["ışık"], ["IŞIK"], "tr").wer == 0.0
    assert score(["ışık"], ["IŞIK"], "en").wer == 100.0


def test_without_normalising_all_but_white_space_counts() -> None:
    metric = RecognitionMetric("en", norm="none")
    assert metric.scores(metric.sums(["One  two"], ["one two."])).words == Errors(0, 2, 0, 0)
    assert metric.scores(metric.sums([" one  two"], ["one two"])).words == Errors(2, 0, 0, 0)


WORDS = st.lists(st.sampled_from(["a", "b", "cd", "don't", "x-y"]), max_size=6).map(" ".join)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8), st.integers(1, 4))
def test_sums_of_parts_are_the_sums_of_the_whole_and_those_of_jiwer(rows: list[tuple[str, str]], parts: int) -> None:
    hypotheses, references = ([row[side] for row in rows] for side in (0, 1))
    metric = RecognitionMetric()
    total = np.sum([metric.sums(hypotheses[i::parts], references[i::parts]) for i in range(parts)], axis=0)
    assert total.dtype == np.int64
    assert metric.scores(total) == score(hypotheses, references, "und")
    pairs = metric.pairs(hypotheses, references)
    words = jiwer.process_words(pairs.references, pairs.hypotheses)
    characters = jiwer.process_characters(pairs.references, pairs.hypotheses)
    expected = [(o.hits, o.substitutions, o.deletions, o.insertions) for o in (words, characters)]
    assert [metric.scores(total).words, metric.scores(total).characters] == expected


def test_a_part_may_be_empty_but_no_corpus() -> None:
    metric = RecognitionMetric()
    nothing = metric.sums([], [])
    assert nothing.tolist() == [0] * 10
    with pytest.raises(InputError, match="there is nothing to score"):
        metric.scores(nothing)
    with pytest.raises(InputError, match="do not match; found 1 hypotheses; expected 2, one a reference"):
        metric.sums(["a"], ["a", "b"])


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown language of transcripts; found english"):
        RecognitionMetric("english")


def test_the_signature_says_what_scores_depend_on() -> None:
    found = RecognitionMetric("de").signature("wer")
    assert found.startswith("wer|norm:standard.1|lang:de|jiwer:4.")
    assert "|version:" in found
    assert RecognitionMetric(norm="none").signature("cer").startswith("cer|norm:none|lang:und|")


def test_the_commonest_confusions() -> None:
    metric = RecognitionMetric("en")
    hypotheses = ["a five c", "a five c", "b", "b um"]
    pairs = metric.pairs(hypotheses, ["a nine c", "a nine c", "a b", "b"])
    assert metric.confusions(pairs, 9) == [Confusion("nine", "five", 2), Confusion("", "um", 1), Confusion("a", "", 1)]
    assert len(metric.confusions(pairs, 1)) == 1


def test_scores_for_programs() -> None:
    values = json.loads(json.dumps(score(["a x"], ["a b"]).to_json()))
    assert (values["wer"], values["utterances"], values["words"]["substitutions"]) == (50.0, 1, 1)
