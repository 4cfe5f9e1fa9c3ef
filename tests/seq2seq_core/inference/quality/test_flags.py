"""Rules flag what they are meant for; flagged segments go once more, and the better answer stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from seq2seq_core import config as configuration
from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.errors import ConfigError
from seq2seq_core.inference.quality.flags import FlagConfig, Revision
from seq2seq_core.inference.quality.terms import Answer, Asked

SOURCE = "The dog ran very fast through the old garden today."
GERMAN = "Der Hund lief heute sehr schnell durch den alten Garten."


def answer(text: str, *, score: float = -0.5, finished: bool = True, looping: bool = False) -> Answer:
    hypothesis = Hypothesis(np.zeros(3, np.int32), score, score * 3, finished)
    return Answer((text,), (hypothesis,), looping)


CASES = [
    ({"min_score": -1}, answer(GERMAN, score=-1.5)),
    ({"min_length_ratio": 0.5}, answer("Der Hund.")),
    ({"max_length_ratio": 1.5}, answer(GERMAN + " " + SOURCE)),
    ({"max_repetition": 0.5}, answer("und der Hund " * 9)),
    ({"max_copied": 0.5}, answer(SOURCE)),
    ({"language": "de"}, answer("Le chien courait tr\u00e8s vite dans le vieux jardin aujourd'hui.")),
    ({"truncated": True}, answer(GERMAN, finished=False)),
    ({"looping": True}, answer(GERMAN, looping=True)),
]


@pytest.mark.parametrize(("rule", "bad"), CASES, ids=[next(iter(rule)) for rule, _ in CASES])
def test_a_rule_flags_what_it_is_meant_for(rule: dict[str, object], bad: Answer) -> None:
    revision = Revision(configuration.build(FlagConfig, rule), None)
    assert revision.revised({Asked(SOURCE): bad})[Asked(SOURCE)].flags == tuple(rule)
    assert revision.revised({Asked(SOURCE): answer(GERMAN)})[Asked(SOURCE)].flags == ()


def test_what_no_model_made_is_not_flagged() -> None:
    revision = Revision(FlagConfig(max_copied=0.0, min_length_ratio=9), None)
    answers = {
        Asked("a"): Answer(("a",), is_given=True),
        Asked("b"): Answer((), error="no"),
        Asked("c"): Answer(("",)),
    }
    assert revision.revised(answers) == answers


class Second:
    def __init__(self, answers: dict[Asked, Answer]) -> None:
        self.asked: list[Asked] = []
        self._answers = answers

    def answers(self, segments: Sequence[Asked]) -> dict[Asked, Answer]:
        self.asked += segments
        return {text: self._answers[text] for text in segments}


def test_the_answer_with_fewer_flags_stays_and_the_first_of_equals() -> None:
    sources = {name: Asked(f"{SOURCE} {name}", name) for name in ("good", "better", "equal", "worse", "fails")}
    first = {asked: answer(asked.text) for asked in sources.values()} | {sources["good"]: answer(GERMAN)}
    second = Second(
        {
            sources["better"]: answer(GERMAN),
            sources["equal"]: answer(sources["equal"].text + "!"),
            sources["worse"]: answer(sources["worse"].text + "?", score=-9),
            sources["fails"]: Answer((), error="too much"),
        }
    )
    found = Revision(FlagConfig(max_copied=0.5, min_score=-5), second).revised(first)
    assert sorted(second.asked) == sorted(set(sources.values()) - {sources["good"]})
    assert list(found) == list(first)
    assert found[sources["better"]].texts == (GERMAN,)
    assert [found[sources[name]].is_second for name in sources] == [False, True, False, False, False]
    assert [found[sources[name]].flags for name in sources] == [(), (), *[("max_copied",)] * 3]


def test_nothing_is_asked_for_where_no_rule_is() -> None:
    assert not FlagConfig().is_asked_for
    assert FlagConfig(truncated=True).is_asked_for
    with pytest.raises(ConfigError, match="no language of ISO 639"):
        configuration.build(FlagConfig, {"language": "xx-nothing"})
