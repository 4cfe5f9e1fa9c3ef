from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_core.metrics.recognition import RecognitionMetric
from seq2seq_core.metrics.times import WordTimes, compare_times
from seq2seq_core.metrics.utterances import Timed, Utterances, match, read_utterances

METRIC = RecognitionMetric("en")


def words(*found: tuple[str, float]) -> tuple[Timed, ...]:
    return tuple(Timed(text, begin, begin + 0.1) for text, begin in found)


def test_words_that_were_recognised_are_compared() -> None:
    ours = words(("One,", 0.1), ("tree", 0.5), ("four", 1.25), ("five", 2.0))
    theirs = words(("one", 0.0), ("two", 0.4), ("three", 0.5), ("four", 1.0), ("five", 2.2))
    found = compare_times(METRIC, [ours], [theirs])
    assert found == WordTimes(3, 2, 0.2, pytest.approx(0.2))
    assert found is not None
    assert found.share == pytest.approx(200 / 3)


def test_pieces_of_several_words_tell_of_the_first() -> None:
    ours = words(("one", 0.0), ("two", 0.3), ("three", 1.0))
    assert compare_times(METRIC, [ours], [words(("One two.", 0.05), ("Three", 1.05))]) == WordTimes(
        2, 2, 0.2, pytest.approx(0.05)
    )


def test_without_times_there_is_nothing_to_tell() -> None:
    assert compare_times(METRIC, [()], [words(("one", 0.0))]) is None
    assert compare_times(METRIC, [words(("two", 0.0))], [words(("one", 0.0))]) is None
    assert compare_times(METRIC, [], []) is None


def test_times_come_from_transcripts_and_truths(tmp_path: Path) -> None:
    word = {"text": "one", "begin": 0, "end": 0.5, "score": None}
    segments = [{"begin": 0, "text": "one", "words": [word]}, {"text": "x", "words": "odd"}, "odd", {"words": [{}]}]
    (tmp_path / "a.json").write_text(json.dumps({"audio": "x/a.flac", "text": "one x", "segments": segments}))
    (tmp_path / "b.json").write_text(json.dumps({"id": "a", "text": "one two", "words": [word]}))
    ours, theirs = (read_utterances([str(tmp_path / name)]) for name in ("a.json", "b.json"))
    assert ours == Utterances(["one x"], ["x/a.flac"], None, [(Timed("one", 0.0, 0.5),)])
    matched = match(ours, theirs)
    assert matched.times == ([(Timed("one", 0.0, 0.5),)], [(Timed("one", 0.0, 0.5),)])
