"""What is asked of outputs: glossaries, prefixes, and the choice that hypotheses agree on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_core import config as configuration
from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.interface import Source, TokenIds
from seq2seq_core.errors import ConfigError, InputError, StorageError
from seq2seq_core.inference.asking.choosing import AgreeingEngine, probabilities
from seq2seq_core.inference.asking.glossary import Glossary, read_glossary
from seq2seq_core.inference.translator_config import TranslatorConfig, load_translator
from tests.small_models import small_model

TEXTS = ["a small cat sat.", "the dog ran fast!", "one, two and three?", "two dogs and a dog"]
SHORT = {"max_length_ratio": 1.0, "max_length_extra": 8}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


def config(root: str, search: dict[str, Any] | None = None, **more: Any) -> TranslatorConfig:
    engine = {"device": "cpu", "threads": 1, **more.pop("engine", {})}
    values = {"model": root, "search": {**SHORT, **(search or {})}, "engine": engine, **more}
    return configuration.build(TranslatorConfig, values)


def outputs(found: TranslatorConfig) -> list[str]:
    return [prediction.text for prediction in load_translator(found).translate(TEXTS)]


def book(folder: Path, text: str) -> str:
    path = folder / "glossary.tsv"
    path.write_text(text, "utf-8")
    return str(path)


def test_what_a_glossary_has_stands_in_the_output(root: str, tmp_path: Path) -> None:
    path = book(tmp_path, "dog\tHund\nsmall cat\tzwei Bücher\n\ncat\tFünf\n")
    found, plain = outputs(config(root, demands={"glossary": path})), outputs(config(root))
    assert "zwei Bücher" in found[0]
    assert "Hund" in found[1]
    assert found[2] == plain[2]
    assert "Hund" in found[3]  # where dogs are none
    assert not any("Hund" in text or "Bücher" in text for text in plain)


def test_every_output_begins_with_the_prefix(root: str) -> None:
    for engine in ({}, {"kind": "ctranslate2"}):
        found = outputs(config(root, demands={"prefix": "ein Hund"}, engine=engine))
        assert all(text.startswith("ein Hund") for text in found)


def test_what_is_asked_shapes_the_output_by_its_content(root: str, tmp_path: Path) -> None:
    plain = config(root).identity()
    path = book(tmp_path, "dog\tHund\n")
    asked = config(root, demands={"glossary": path, "prefix": "so"}).identity()
    assert asked["demands"].keys() == {"glossary", "prefix"}
    assert {key: value for key, value in asked.items() if key != "demands"} == plain
    book(tmp_path, "dog\tKatze\n")
    assert config(root, demands={"glossary": path, "prefix": "so"}).identity() != asked
    assert "choose" not in plain
    agreed = config(root, {"n_best": 3}, choose="agreement").identity()
    assert (agreed["choose"], agreed["by"]) == ("agreement", "probable chrF1")


def test_the_choice_is_what_the_others_are_most_like(root: str) -> None:
    found = load_translator(config(root, {"n_best": 4}, choose="agreement")).translate(TEXTS)
    plain = load_translator(config(root, {"n_best": 4})).translate(TEXTS)
    for one, other in zip(found, plain, strict=True):
        assert sorted(one.n_best) == sorted(other.n_best)
    assert [one.text for one in found] != [one.text for one in plain]


def hypothesis(tokens: Sequence[int], score: float, *, finished: bool = True) -> Hypothesis:
    return Hypothesis(np.array(tokens, np.int32), score, score * (len(tokens) + finished), finished)


class Listed:
    """An engine that finds what it was given."""

    def __init__(self, found: list[Hypothesis]) -> None:
        self.found = found

    def generate(
        self, sequences: Sequence[Source], options: SearchConfig, demands: Sequence[Demand] = ()
    ) -> list[list[Hypothesis]]:
        return [self.found for _ in sequences]


class Spelling:
    """Each piece is a letter."""

    def decode(self, ids: Sequence[TokenIds]) -> list[str]:
        return ["".join("abcdefgh"[i] for i in row) for row in ids]


@pytest.mark.parametrize("sample", [False, True])
def test_what_is_found_counts_by_its_probability_and_samples_alike(sample: bool) -> None:
    likely, alike, alike_too = hypothesis([0, 1, 2], -0.1), hypothesis([4, 5, 6], -2.0), hypothesis([4, 5, 7], -2.1)
    engine = AgreeingEngine(Listed([likely, alike, alike_too]), Spelling())  # type: ignore[arg-type]
    (found,) = engine.generate([np.array([1])], SearchConfig(n_best=3, sample=sample))
    assert found[0] is (alike if sample else likely)
    assert len(found) == 3


def test_probabilities_favour_no_length() -> None:
    short, long = hypothesis([0], -1.0), hypothesis([0] * 8, -1.0)
    assert probabilities([short, long], SearchConfig()).tolist() == [0.5, 0.5]
    by_sum = probabilities([hypothesis([0], -1.0), hypothesis([1], -2.0)], SearchConfig(length_penalty=0))
    assert by_sum[0] / by_sum[1] == pytest.approx(math.e)
    by_mean = probabilities([hypothesis([0], -1.0), hypothesis([0, 1, 2], -2.0)], SearchConfig())
    assert by_mean[0] / by_mean[1] == pytest.approx(math.exp(3))  # 2 and 4 tokens with EOS: 3 on the average


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the New York Times", ["NYT"]),
        ("New York, new york", ["NY"]),
        ("Yorkshire and New  York", ["NY"]),
        ("York New Times", ["T"]),
        ("Times New York Times", ["T", "NYT"]),
        ("", []),
    ],
)
def test_the_longest_phrase_counts_and_words_are_whole(text: str, expected: list[str]) -> None:
    assert Glossary({"New York": "NY", "New York Times": "NYT", "Times": "T"}).find(text) == expected


def test_without_spaces_characters_are_words() -> None:
    assert Glossary({"東京": "Tokio", "京": "Hauptstadt"}, spaced=False).find("東京と京都") == ["Tokio", "Hauptstadt"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog\n", r"line 1: this line is no entry"),
        ("a\tb\n\ndog\tHund\tKatze\n", r"line 3: this line is no entry"),
        ("dog\t \n", r"line 1: this line is no entry"),
        ("dog\tHund\ndog\tKatze\n", r"line 2: a phrase has two translations"),
    ],
)
def test_a_glossary_that_is_none_is_told_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_glossary(book(tmp_path, text), list)


def test_the_same_entry_twice_is_one(tmp_path: Path) -> None:
    path = book(tmp_path, "\ufeffDog\tHund\r\ndog\tHund\r\n")
    assert read_glossary(path, lambda texts: [text.lower() for text in texts]) == {"dog": "Hund"}


def test_what_cannot_be_is_told_before_any_work(root: str, tmp_path: Path) -> None:
    path = book(tmp_path, "dog\tHund\n")
    with pytest.raises(ConfigError, match=r"demands\.glossary: .*engine\.kind ctranslate2.*--engine\.kind torch"):
        _ = config(root, demands={"glossary": path}, engine={"kind": "ctranslate2"}).resolved
    auto = configuration.build(
        TranslatorConfig, {"model": root, "engine": {"kind": "auto"}, "demands": {"glossary": path}}
    )
    assert auto.resolved.engine.kind == "torch"
    for search in ({"beam": 1}, {"sample": True}):
        with pytest.raises(ConfigError, match="needs a beam search"):
            config(root, search, demands={"glossary": path})
    with pytest.raises(ConfigError, match="set it to 3 or more"):
        config(root, {"n_best": 2}, choose="agreement")
    with pytest.raises(StorageError):
        config(root, demands={"glossary": str(tmp_path / "none")}).identity()
