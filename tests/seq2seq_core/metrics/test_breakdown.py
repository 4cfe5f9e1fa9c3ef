from __future__ import annotations

import json

import numpy as np
import pytest

from seq2seq_core.errors import InputError
from seq2seq_core.metrics.breakdown import break_down
from seq2seq_core.metrics.recognition import RecognitionMetric
from seq2seq_core.metrics.utterances import Matched, Timed

REFERENCES = ["", "one", "one two three four five", "one two three four five six", "w " * 40, "w " * 41]
HYPOTHESES = ["um", "one", "one two three four nine", "", "w " * 40, "w " * 40]


def matched(speakers: list[str] | None = None) -> Matched:
    return Matched(HYPOTHESES, REFERENCES, list("abcdef"), speakers, missing=("d",), unknown=("x",))


def test_parts_by_length_of_the_reference() -> None:
    found = break_down(matched(), RecognitionMetric("en"), 10)
    assert list(found.lengths) == ["none", "1 to 5", "6 to 10", "21 to 40", "more than 40"]
    assert [scores.utterances for scores in found.lengths.values()] == [1, 2, 1, 1, 1]
    assert found.lengths["1 to 5"].words == (5, 1, 0, 0)
    assert found.lengths["6 to 10"].words == (0, 0, 6, 0)
    assert found.speakers == {}


def test_parts_add_up_to_the_whole() -> None:
    found = break_down(matched(["ann", "bob", "", "ann", "bob", "ann"]), RecognitionMetric("en"), 10)
    assert list(found.speakers) == ["(unknown)", "ann", "bob"]
    for parts in (found.lengths, found.speakers):
        for unit in ("words", "characters"):
            total = np.sum([getattr(scores, unit) for scores in parts.values()], axis=0)
            assert tuple(total) == getattr(found.total, unit)
    assert (found.missing, found.unknown) == (("d",), ("x",))


def test_it_is_plain_values() -> None:
    values = json.loads(json.dumps(break_down(matched(["a"] * 6), RecognitionMetric("en"), 1).to_json()))
    assert values["missing"] == ["d"]
    assert values["lengths"]["none"]["wer"] is None
    assert values["speakers"]["a"]["words"]["deletions"] == 7
    assert values["confusions"] == [{"reference": "", "hypothesis": "um", "times": 1}]
    assert values["signatures"]["wer"].startswith("wer|")


def test_times_are_told_where_both_sides_have_them() -> None:
    word = (Timed("one", 0.0, 1.0),)
    told = Matched(["one"], ["one"], ["a"], times=([word], [word]))
    found = break_down(told, RecognitionMetric("en"), 1)
    assert found.to_json()["times"]["share"] == 100.0
    assert break_down(matched(), RecognitionMetric("en"), 1).to_json()["times"] is None


def test_nothing_cannot_be_scored() -> None:
    with pytest.raises(InputError, match="nothing to score"):
        break_down(Matched([], [], []), RecognitionMetric(), 1)
