from __future__ import annotations

from seq2seq_core.metrics.breakdown import break_down
from seq2seq_core.metrics.recognition import RecognitionMetric
from seq2seq_core.metrics.utterances import Matched, Timed
from seq2seq_core.report.recognition import recognition_table

REFERENCES = ["one two", "three four five six seven eight"]
HYPOTHESES = ["one too", "three four five six seven"]


def lines(matched: Matched, language: str = "en") -> list[list[str]]:
    return [line.split() for line in recognition_table(break_down(matched, RecognitionMetric(language), 9)).split("\n")]


def test_the_table() -> None:
    found = lines(Matched(HYPOTHESES, REFERENCES, ["a", "b"], ["ann", "bob"]))
    assert found[0][:3] == ["WER", "25.00", "%"]
    assert found[0][3].startswith("wer|norm:standard.1|lang:en")
    assert found[1][0] == "CER"
    assert ["utterances", "words", "Corr", "Sub", "Del", "Ins", "WER", "CER", "%", "wrong"] in found
    assert ["all", "2", "8", "6", "1", "1", "0", "25.00", "18.42", "100.00"] in found
    assert ["6", "to", "10", "1", "6", "5", "0", "1", "0", "16.67", "19.35", "100.00"] in found
    assert ["ann", "1", "2", "1", "1", "0", "0", "50.00", "14.29", "100.00"] in found
    assert ["eight", "(nothing)", "1"] in found
    assert not any("without" in line for line in found)


def test_what_is_missing_is_named_but_not_without_end() -> None:
    missing = tuple(f"u{number}" for number in range(25))
    found = lines(Matched(HYPOTHESES, REFERENCES, ["a", "b"], None, missing, ("x",)))
    assert ["u19"] in found
    assert ["u20"] not in found
    assert ["and", "5", "more"] in found
    assert ["x"] in found


def test_times_have_a_line() -> None:
    times = [[(Timed("one", 0.0, 1.0), Timed("two", 1.5, 2.0))], [(Timed("one", 0.1, 1.0), Timed("two", 1.0, 2.0))]]
    found = lines(Matched(["one two"], ["one two"], ["a"], times=(times[0], times[1])))
    assert " ".join(found[2]) == "time 50.00 % of 2 recognised words begin within 0.2 s (median 0.300 s)"


def test_characters_come_first_where_words_have_no_spaces() -> None:
    found = lines(Matched(["我门"], ["我们"], ["a"]), "zh")
    assert [found[0][0], found[1][0]] == ["CER", "WER"]
    assert ["all", "1", "2", "1", "1", "0", "0", "50.00", "50.00", "100.00"] in found
