from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_core.errors import InputError

pytest.importorskip("rouge_score", reason="rouge-score, which computes ROUGE, is not installed")

from seq2seq_core.metrics.summaries import read_texts, score


def test_of_several_references_the_best_counts() -> None:
    found = score(["the dogs run fast"], [["nothing alike", "the dog runs fast"]])
    assert (found.rouge1, found.rouge2, found.rouge_l) == (100, 100, 100)
    assert found.words == (4, 3)
    assert found.signature.startswith("F1|lang:en|stems:yes|refs:best|rouge-score:")
    assert found.table().startswith("rouge1     100.00  F1|")


def test_half_of_the_words() -> None:
    found = score(["one two three four"], [["one two five six"]])
    assert found.rouge1 == pytest.approx(50)
    assert found.rouge2 == pytest.approx(100 / 3)


def test_other_scripts_have_words_too() -> None:
    assert score(["Größere Hunde"], [["Größere Hunde"]], "de").rouge1 == 100
    assert score(["дом стоит"], [["дом горит"]], "ru").rouge1 == pytest.approx(50)
    assert score(["犬が走る"], [["猫が走る"]], "ja").rouge1 == pytest.approx(75)


def test_texts_of_rows_and_of_lines(tmp_path: Path) -> None:
    rows = [{"a": {"b": ["one", "two"]}}, {"a": {"b": "three"}}, {"a": {"b": None}}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.txt").write_text("one\n\n")
    assert read_texts([str(tmp_path / "a.jsonl")], "a.b") == [["one", "two"], ["three"], [""]]
    assert read_texts([str(tmp_path / "a.txt")], "a.b") == [["one"], [""]]


@pytest.mark.parametrize("line", ["{", "[]", '{"b": "x"}', '{"a": 5}', '{"a": []}', '{"a": [1]}'])
def test_rows_without_a_text_are_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match="the row"):
        read_texts([str(tmp_path / "a.jsonl")], "a")


def test_as_many_summaries_as_references() -> None:
    with pytest.raises(InputError, match="found 1 summaries; expected 2"):
        score(["a"], [["a"], ["b"]])
