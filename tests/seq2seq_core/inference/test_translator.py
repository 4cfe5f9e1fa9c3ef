from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.engines.echo import EchoEngine, EchoEngineConfig
from seq2seq_core.engines.interface import Engine, TokenIds
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.inference.translator import Translator
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.segment import SegmentConfig
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.tags import languages_of, prefix_of
from seq2seq_core.tokenizer.training import TokenizerConfig, train

CORPUS = ["a small cat sat.", "the dog ran fast!", "poison is bad for you.", "one, two and three?"] * 5


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train(iter(CORPUS), TokenizerConfig(vocabulary_size=330, type="bpe")))


def translator(engine: Engine, tokenizer: Tokenizer, **segmentation: object) -> Translator:
    return Translator(engine, tokenizer, tokenizer, SearchConfig(), SegmentConfig.model_validate(segmentation))


def echo(fail_on_piece: int | None = None) -> EchoEngine:
    return EchoEngine(EchoEngineConfig(fail_on_piece=fail_on_piece))


class Reverse:
    """Two hypotheses a sequence: the pieces backwards, and the first half of them, cut."""

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        return [
            [
                Hypothesis(ids[::-1], score=-1.0 / (len(ids) + 1), log_probability=-1.0, finished=True),
                Hypothesis(ids[: len(ids) // 2], score=-4.0, log_probability=-2.0, finished=False),
            ]
            for ids in sequences
        ]


class Recording(Reverse):
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[TokenIds] = []

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        self.seen += sequences
        return super().generate(sequences, options)


class Broken:
    def __init__(self, error: Exception | None = None) -> None:
        self._error = error or RuntimeError("the device is gone\nand so is its stack")

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        raise self._error


class Speaking:
    """Says what a phrase book has for each sequence of source pieces, whatever it costs."""

    def __init__(self, tokenizer: Tokenizer, book: dict[str, str], *, finished: bool = True) -> None:
        self._book = {
            tuple(source): target
            for source, target in zip(
                map(np.ndarray.tolist, tokenizer.encode(list(book))), tokenizer.encode(list(book.values())), strict=True
            )
        }
        self._finished = finished

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        return [
            [Hypothesis(self._book.get(tuple(ids.tolist()), ids), -1.0, -1.0, finished=self._finished)]
            for ids in sequences
        ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(st.text(st.sampled_from("abc dog.中é\n\n"), max_size=40), max_size=5), limit=st.integers(1, 20))
def test_the_echo_engine_gives_every_text_back(tokenizer: Tokenizer, texts: list[str], limit: int) -> None:
    keep = NormalizeConfig(unicode="none", whitespace=False)
    segmentation = SegmentConfig(max_segment_pieces=limit)
    found = Translator(echo(), tokenizer, tokenizer, SearchConfig(), segmentation, keep).translate(texts)
    assert [prediction.text for prediction in found] == texts
    assert all(prediction.finished and prediction.error is None for prediction in found)


def test_blank_texts_stay_and_missing_ones_are_empty_and_neither_is_work(tokenizer: Tokenizer) -> None:
    engine = echo()
    found = translator(engine, tokenizer).translate([None, "", " \n\t", "\u3000"])
    assert found == [Prediction(), Prediction(), Prediction(" \n\t"), Prediction("\u3000")]
    assert translator(engine, tokenizer).translate([]) == []
    assert engine.calls == []


def test_layout_stays_and_equal_segments_run_once(tokenizer: Tokenizer) -> None:
    engine = echo()
    texts = ["a small cat sat.\r\n\n  the dog ran fast!\n", "a small cat sat.", None, "the dog ran fast!"]
    found = translator(engine, tokenizer).translate(texts)
    assert [prediction.text for prediction in found] == [texts[0], texts[1], "", texts[3]]
    assert [prediction.segments for prediction in found] == [2, 1, 0, 1]
    assert engine.calls == [2]


def test_segments_are_normalised_as_the_training_data_was(tokenizer: Tokenizer) -> None:
    (found,) = translator(echo(), tokenizer).translate(["  the\u00a0 \ufb01rst"])
    assert found.text == "  the first"


def test_unknown_characters_reach_the_engine_as_pieces() -> None:
    config = TokenizerConfig(vocabulary_size=60, type="bpe", byte_fallback=False)
    tokenizer = Tokenizer(train(iter(CORPUS), config))
    (found,) = translator(echo(), tokenizer).translate(["a 中"])
    assert found.error is None
    assert found.text.startswith("a")


def test_scores_and_alternatives_of_a_record_with_several_segments(tokenizer: Tokenizer) -> None:
    first, second = "a small cat sat.", "the dog ran fast!"
    lengths = [len(ids) for ids in tokenizer.encode([first, second])]
    (found,) = translator(Reverse(), tokenizer).translate([f"{first}\n{second}"])
    backwards = [tokenizer.decode([ids[::-1]])[0] for ids in tokenizer.encode([first, second])]
    assert found.text == "\n".join(backwards) == found.n_best[0][0]
    assert found.score == found.n_best[0][1] == pytest.approx(-2.0 / (sum(lengths) + 2))
    assert found.n_best[1][1] == pytest.approx(-4.0 / sum(length // 2 for length in lengths))
    assert len(found.n_best) == 2
    assert found.finished


def test_an_output_of_an_unscored_search_has_no_score(tokenizer: Tokenizer) -> None:
    class Unscored:
        def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
            return [[Hypothesis(ids, math.nan, math.nan, finished=True)] for ids in sequences]

    (found,) = translator(Unscored(), tokenizer).translate(["a small cat sat."])
    assert found == Prediction("a small cat sat.", segments=1)


def test_a_cut_output_says_so(tokenizer: Tokenizer) -> None:
    class Cut(Reverse):
        def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
            return [found[1:] for found in super().generate(sequences, options)]

    assert [p.finished for p in translator(Cut(), tokenizer).translate(["a small cat", ""])] == [False, True]


def test_a_record_that_fails_does_not_lose_the_others(tokenizer: Tokenizer) -> None:
    texts = [f"the dog ran {number} times" for number in range(50)]
    texts[7] = "one\npoison is bad for you."
    texts[30] = "poison"
    healthy = set(np.concatenate(tokenizer.encode([text for text in texts if "poison" not in text])).tolist())
    bad = next(piece for piece in tokenizer.encode(["poison"])[0].tolist() if piece not in healthy)
    engine = echo(bad)
    found = translator(engine, tokenizer).translate(texts)
    assert [i for i, prediction in enumerate(found) if prediction.error] == [7, 30]
    assert [p.text for p in found] == ["" if i in (7, 30) else text for i, text in enumerate(texts)]
    assert found[7].error is not None
    assert found[7].error.startswith("segment 2 of 2 ('poison is bad for you.'): the echo engine was asked to fail")
    assert (found[7].score, found[7].n_best, found[7].segments) == (None, (), 2)
    assert len(engine.calls) < 30  # bisection, not one by one


def test_a_text_that_is_not_unicode_fails_alone(tokenizer: Tokenizer) -> None:
    good, bad = translator(echo(), tokenizer).translate(["a cat", "a \ud800 cat"])
    assert good.text == "a cat"
    assert bad.error == "the text is not valid Unicode: '\\ud800' at character 2"


def test_a_broken_engine_is_an_error_of_the_run_not_of_its_records(
    tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(ModelError, match=r"every input.*RuntimeError: the device"):
        translator(Broken(), tokenizer).translate(["a cat", "a dog"])
    assert not caplog.records
    own = ModelError("the model's output is not a number")
    with caplog.at_level(logging.WARNING), pytest.raises(ModelError, match=r"^the model's output is not a number$"):
        translator(Broken(own), tokenizer).translate(["a cat", "a dog"])
    assert not caplog.records


def test_a_failure_that_is_handled_is_one_warning_without_a_traceback(
    tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    piece = int(tokenizer.encode(["poison"])[0][-1])
    with caplog.at_level(logging.DEBUG):
        found = translator(echo(piece), tokenizer).translate(["poison", "a", "b"])
    assert [prediction.error is None for prediction in found] == [False, True, True]
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.exc_info is None
    assert warning.getMessage().startswith(
        "the engine failed on 3 segments, which are tried apart: the echo engine was"
    )
    assert any(record.exc_info for record in caplog.records if record.levelno == logging.DEBUG)


MEETINGS = [
    ("一二。三四。", {"一二。": "One two.", "三四。": "Three."}, "en", "One two. Three."),
    ("一二。三四。", {"一二。": "One two.", "三四。": "Three."}, None, "One two. Three."),
    ("One two. Three four.\nFive.", {"One two.": "一二。", "Three four.": "三四。"}, "zh", "一二。三四。\nFive."),
    ("One two. Three four.", {"One two.": "一二。", "Three four.": "三四。"}, None, "一二。三四。"),
    ("一二。三四。", {"一二。": "12.", "三四。": "34."}, "de", "12. 34."),
    ("One. Two.", {"One.": "1.", "Two.": "2."}, "ja", "1.2."),
    ("It rains.It snows.", {"It rains.": "Es regnet.", "It snows.": "Es schneit."}, "de", "Es regnet. Es schneit."),
    ("It rains.It snows.", {}, "de", "It rains.It snows."),
]


@pytest.mark.parametrize(("source", "book", "language", "expected"), MEETINGS)
def test_what_stands_between_outputs_follows_the_target(
    source: str, book: dict[str, str], language: str | None, expected: str
) -> None:
    texts = [text for source, book, *_ in MEETINGS for text in (source, *book, *book.values())]
    tokenizer = Tokenizer(train(iter(texts * 5), TokenizerConfig(vocabulary_size=340, type="bpe")))
    engine, document = Speaking(tokenizer, book), SegmentConfig(mode="document")
    made = Translator(engine, tokenizer, tokenizer, SearchConfig(), document, target_language=language)
    assert made.translate([source])[0].text == expected


def test_a_document_in_an_unknown_language_is_told(tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        translator(echo(), tokenizer)
        translator(echo(), tokenizer, mode="document", language="de")
        assert not caplog.records
        translator(echo(), tokenizer, mode="document")
    assert "sentences end as in English" in caplog.text


def test_outputs_that_were_cut_or_loop_are_told(tokenizer: Tokenizer) -> None:
    book = {"a cat": "cat " * 30, "the dog": "the dog ran", "dog " * 20: "dog " * 25}
    (loop, fine, repeated) = translator(Speaking(tokenizer, book), tokenizer).translate(list(book))
    assert [p.looping for p in (loop, fine, repeated)] == [True, False, False]
    assert [p.doubt for p in (loop, fine, repeated)] == ["the output repeats itself", None, None]
    cut = translator(Speaking(tokenizer, book, finished=False), tokenizer).translate(
        ["a cat", "the dog\na cat", "the dog"]
    )
    assert all(p.cut for p in cut)
    assert [p.looping for p in cut] == [True, True, False]
    assert cut[0].doubt == "the output repeats itself up to the length limit"
    assert cut[2].doubt == "the output was cut at the length limit"


def test_the_reason_of_a_foreign_error_names_its_kind(tokenizer: Tokenizer) -> None:
    class Choosy(EchoEngine):
        def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
            if any(len(sequence) > 6 for sequence in sequences):
                raise ValueError("too long for me")
            return super().generate(sequences, options)

    short, long = translator(Choosy(EchoEngineConfig()), tokenizer).translate(["a cat", "one, two and three? the dog"])
    assert short.text == "a cat"
    assert long.error is not None
    assert long.error.endswith("ValueError: too long for me")


def test_the_echo_engine_names_the_piece_it_fails_on() -> None:
    with pytest.raises(ModelError, match="found 7"):
        echo(7).generate([np.array([5, 7], np.int32)], SearchConfig())


def test_an_output_never_breaks_its_line(tokenizer: Tokenizer) -> None:
    class Breaks:
        def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
            newline = np.concatenate(tokenizer.encode(["a\nb"])).astype(np.int32)
            return [[Hypothesis(newline, score=0.0, log_probability=0.0, finished=True)] for _ in sequences]

    (found,) = translator(Breaks(), tokenizer).translate(["a cat"])
    assert found.text == "a b"


def test_a_prefix_stands_before_every_segment_and_counts_in_its_length() -> None:
    tagged = Tokenizer(train(iter(CORPUS), TokenizerConfig(vocabulary_size=330, type="bpe"), (">>de<<", ">>fr<<")))
    prefix = prefix_of(tagged, "fr", "the model")
    assert prefix.tolist() == [tagged.control_id(">>fr<<")]
    engine = Recording()
    segmentation = SegmentConfig(max_segment_pieces=10)
    asked = Translator(engine, tagged, tagged, SearchConfig(), segmentation, prefix=prefix)
    asked.translate(["a small cat sat. the dog ran fast!", "\u200b", "   "])
    assert all(ids[0] == prefix[0] and prefix[0] not in ids[1:] and len(ids) <= 10 for ids in engine.seen)
    assert len(engine.seen) > 1


def test_a_language_without_a_tag_is_refused_with_those_there_are(tokenizer: Tokenizer) -> None:
    tagged = Tokenizer(train(iter(CORPUS), TokenizerConfig(vocabulary_size=330, type="bpe"), (">>fr<<", ">>de<<")))
    assert languages_of(tagged) == ["de", "fr"]
    with pytest.raises(
        ConfigError, match=r"runs/best: the model has no tag.*target_language it; expected one of de, fr"
    ):
        prefix_of(tagged, "it", "runs/best")
    with pytest.raises(ConfigError, match="it was trained without tags"):
        prefix_of(tokenizer, "de", "runs/best")
    assert prefix_of(tokenizer, None, "runs/best").tolist() == []
