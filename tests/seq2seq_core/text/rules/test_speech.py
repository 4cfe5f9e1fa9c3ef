"""What each rule of speech says of utterances, measured or written down."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from seq2seq_core.records import Records
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.rules.base import Rows, Rule, Sides
from seq2seq_core.text.rules.catalogue import FiltersConfig, merge, only_empty, sift
from seq2seq_core.text.rules.speech import ClippingRule, NonSpeechRule, SecondsRule, SilenceRule, SpeechRateRule

MEASURED = ("seconds", "silent", "clipped", "level")
SPEECH = ("seconds", "silence", "clipping", "non_speech", "speech_rate")


def rows(texts: list[str], **measures: list[float]) -> Rows:
    nothing = TextColumn(pa.array([""] * len(texts)))
    numbers = {name: np.array(values) for name, values in measures.items()}
    return Rows(nothing, TextColumn(pa.array(texts)), Sides(has_source=False, measured=MEASURED), measures=numbers)


@pytest.mark.parametrize(
    ("rule", "measures", "failed", "described", "threshold"),
    [
        (SecondsRule(), {"seconds": [0.05, 0.1, 40, 41]}, [1, 0, 0, 1], "seconds 0.05", "0.1 to 40 seconds"),
        (SilenceRule(), {"silent": [0.0, 0.9, 0.95, 1]}, [0, 0, 1, 1], "silent 0.95", "at most 0.9"),
        (ClippingRule(maximum=0.5), {"clipped": [0, 0.5, 0.6, 1]}, [0, 0, 1, 1], "clipped 0.6", "at most 0.5"),
        (
            SpeechRateRule(),
            {"seconds": [8.5, 8.0, 4 / 35, 0.11]},
            [1, 0, 0, 1],
            "characters a second 0.471",
            "0.5 to 35 characters a second",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Rule) else None,
)
def test_measures_are_judged(
    rule: Rule, measures: dict[str, list[float]], failed: list[int], described: str, threshold: str
) -> None:
    measure = rule.measure(rows(["four"] * 4, **measures))
    assert measure.failed.to_pylist() == [bool(one) for one in failed]
    assert measure.describe_failed()[0].as_py() == described
    assert rule.threshold == threshold


@pytest.mark.parametrize("text", ["", "[noise]", "<unk> <unk>", "(music) …", "♪ ♪", "*coughs*", "{um}", "[a] - <b>"])
def test_what_holds_no_words_is_no_speech(text: str) -> None:
    measure = NonSpeechRule().measure(rows([text, f"{text} yes"], seconds=[1, 1]))
    assert measure.failed.to_pylist() == [True, False]
    assert measure.describe_failed().to_pylist() == ["transcript no words"]


@pytest.mark.parametrize("text", ["eins", "7", "你好", "[noise] na ja", "нет", "a < b > c"])
def test_words_of_any_script_are_speech(text: str) -> None:
    assert NonSpeechRule().measure(rows([text], seconds=[1])).failed.to_pylist() == [False]


def test_rows_that_are_left_keep_their_measures() -> None:
    judged = rows(
        ["one two", "[noise]", "three four", "five six"],
        seconds=[1, 1, 90, 1],
        silent=[0, 0, 0, 0.99],
        clipped=[0.0] * 4,
        level=[-20.0] * 4,
    )
    records = Records(pa.array([1, 2, 3, 4]), pa.array([""] * 4), judged.target.column)
    steps = [*sift(records, judged, FiltersConfig())]
    assert steps[-1].kept.lines.to_pylist() == [1]
    told = {row["rule"]: (row["line"], row["value"]) for step in steps for row in step.rejected.to_pylist()}
    assert told == {
        "seconds": (3, "seconds 90"),
        "silence": (4, "silent 0.99"),
        "non_speech": (2, "transcript no words"),
    }


def test_text_is_never_judged() -> None:
    assert not any(rule.judges(Sides()) for name, rule in FiltersConfig().rules() if name in SPEECH)
    assert {name for name, rule in FiltersConfig().rules() if not rule.judges(Sides(measured=MEASURED))} == set()


def test_what_is_written_of_them() -> None:
    usual = FiltersConfig()
    assert not set(SPEECH) & usual.model_dump().keys()
    assert not set(SPEECH) & only_empty().model_dump().keys()
    assert usual.unwritten(MEASURED).keys() == {*SPEECH}
    assert usual.unwritten(()) == {}
    chosen = merge(usual, {"seconds": {"maximum": 20}, "silence": False})
    values = json.loads(chosen.model_dump_json())
    assert (values["seconds"], values["silence"]) == ({"minimum": 0.1, "maximum": 20.0}, None)
    assert FiltersConfig.model_validate(values) == chosen
    assert chosen.unwritten(MEASURED).keys() == {"clipping", "non_speech", "speech_rate"}
