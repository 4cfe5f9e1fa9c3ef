from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.interface import Engine, TokenIds
from seq2seq_core.inference.translator import Translator
from seq2seq_core.text.marks import mark
from seq2seq_core.text.segment import SegmentConfig
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train

CORPUS = ["a small cat sat.", "the dog ran fast!", "see [1] or [2]: 3 4 5", "one, two and three?"] * 5
A, B = mark(0), mark(1)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train(iter(CORPUS), TokenizerConfig(vocabulary_size=340, type="bpe")))


class Shouting:
    """Says what it is given in capitals, once all is said, and remembers it."""

    def __init__(self, tokenizer: Tokenizer, without: str = "") -> None:
        self._tokenizer = tokenizer
        self._without = without
        self.seen: list[str] = []

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        texts = self._tokenizer.decode(list(sequences))
        self.seen += texts
        said = [text.upper().replace(self._without, "") if self._without else text.upper() for text in texts]
        return [
            [Hypothesis(np.asarray(ids, np.int32), -1.0, -1.0, finished=True)] for ids in self._tokenizer.encode(said)
        ]


def translator(engine: Engine, tokenizer: Tokenizer, **segmentation: object) -> Translator:
    return Translator(engine, tokenizer, tokenizer, SearchConfig(), SegmentConfig.model_validate(segmentation))


def test_markup_goes_through_the_model_as_numbers(tokenizer: Tokenizer) -> None:
    engine = Shouting(tokenizer)
    (found,) = translator(engine, tokenizer).translate([f"{A}the {B}dog ran. A cat sat."], is_prose=True)
    assert found.text == f"{A}THE {B}DOG RAN. A CAT SAT."
    assert engine.seen == ["the [1] dog ran.", "A cat sat."]
    assert (found.segments, found.parted, found.overlong) == (2, False, False)


def test_a_sentence_that_loses_markup_is_translated_in_parts(tokenizer: Tokenizer) -> None:
    engine = Shouting(tokenizer, without="[1]")
    lost, kept = translator(engine, tokenizer).translate([f"the {A}dog ran. A cat sat.", "the cat"], is_prose=True)
    assert lost.text == f"THE {A}DOG RAN. A CAT SAT."
    assert engine.seen == ["the [1] dog ran.", "A cat sat.", "the cat", "the", "dog ran."]
    assert (lost.parted, kept.parted) == (True, False)
    assert lost.error is None


def test_markup_may_be_kept_apart(tokenizer: Tokenizer) -> None:
    engine = Shouting(tokenizer)
    (found,) = translator(engine, tokenizer, markup="apart").translate([f"the {A}dog{B} ran"], is_prose=True)
    assert found.text == f"THE {A}DOG{B} RAN"
    assert engine.seen == ["the", "dog", "ran"]


def test_where_a_model_cannot_spell_numbers_nothing_is_tried() -> None:
    bare = Tokenizer(
        train(
            iter(["a cat", "the dog ran"] * 9), TokenizerConfig(vocabulary_size=16, type="unigram", byte_fallback=False)
        )
    )
    engine = Shouting(bare)
    (found,) = translator(engine, bare).translate([f"the {A}dog"], is_prose=True)
    assert A in found.text
    assert len(engine.seen) == 2


def test_what_has_no_words_is_copied_and_never_reaches_the_model(tokenizer: Tokenizer) -> None:
    engine = Shouting(tokenizer)
    texts = [
        "12",
        "https://a.b/C",
        "me@you.org",
        "snake_case",
        "  ",
        None,
        "",
        "--help",
        "a cat. 12, 13! the dog",
        f"5{A}6",
    ]
    found = translator(engine, tokenizer, mode="document").translate(texts)
    assert [prediction.text for prediction in found] == [
        *texts[:5],
        "",
        "",
        "--help",
        "A CAT. 12, 13! THE DOG",
        texts[-1],
    ]
    assert all(prediction.score is None for prediction in found[:8])
    assert not any(character.isdigit() for text in engine.seen for character in text) or engine.seen == [
        "a cat. 12, 13!",
        "the dog",
    ]
    again = Shouting(tokenizer)
    translator(again, tokenizer, copy_wordless=False).translate(["12", "snake_case"])
    assert len(again.seen) == 2


def test_paragraphs_are_cut_at_sentences_and_lines_are_not(tokenizer: Tokenizer) -> None:
    made = translator(Shouting(tokenizer), tokenizer)
    text = "the dog ran. A cat sat."
    assert made.translate([text])[0].segments == 1
    assert made.translate([text], is_prose=True)[0].segments == 2


def test_line_ends_between_sentences_stay_and_those_inside_are_spaces(tokenizer: Tokenizer) -> None:
    (found,) = translator(Shouting(tokenizer), tokenizer).translate(["the dog\x0bran.\x0bA cat  sat."], is_prose=True)
    assert found.text == "THE DOG RAN.\x0bA CAT SAT."


def test_a_sentence_that_is_too_long_is_cut_and_told(tokenizer: Tokenizer) -> None:
    made = translator(Shouting(tokenizer), tokenizer, max_segment_pieces=4)
    long, short = made.translate(["one, two and three, a small cat sat", "a cat"], is_prose=True)
    assert (long.text, long.overlong, short.overlong) == ("ONE, TWO AND THREE, A SMALL CAT SAT", True, False)
