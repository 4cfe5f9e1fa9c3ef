"""Rules that compare the sides: rows that pass and fail, and agreement with plain Python."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.text.rules.base import Sides

quick = settings(deadline=None, max_examples=60)

Ask = Callable[..., Any]


def test_identical(reasons: Ask) -> None:
    rows = [
        ("same", "same"),
        ("New  York!", "new york"),
        ("Page 7", "page 8"),
        ("1 2", "12"),
        ("\u00c4hm", "\u00e4hm."),
    ]
    threshold = "sides differ in more than case, punctuation"
    same, alike = ("sides identical", threshold), ("sides alike", threshold)
    assert reasons("identical", rows) == [same, alike, None, None, alike]
    strict = reasons("identical", rows, ignore_case=False, ignore_punctuation=False)
    assert strict == [("sides identical", "sides differ"), None, None, None, None]
    digits = reasons("identical", rows, ignore_digits=True)
    assert digits[2] == ("sides alike", "sides differ in more than case, punctuation, digits")


@quick
@given(data=st.data())
def test_identical_agrees_with_plain_python(
    data: st.DataObject, trying_texts: st.SearchStrategy[str], measure: Ask
) -> None:
    changed = st.sampled_from([str, str.upper, lambda text: f" {text}.", lambda text: f"{text}7"])
    texts = st.text(st.sampled_from("aB\u00e9\u00c9\u0130\u212akK1.\u2160\u24b6\u0301"), max_size=5)
    drawn = st.one_of(
        st.builds(lambda text, change: (text, change(text)), trying_texts, changed), st.tuples(texts, texts)
    )
    rows = [(f"{source}x", f"{target}x") for source, target in data.draw(st.lists(drawn, max_size=8))]
    keys = {f"ignore_{name}": data.draw(st.booleans()) for name in ("case", "punctuation", "digits")}

    def fold(text: str) -> str:
        text = pc.utf8_lower(pa.scalar(text)).as_py() if keys["ignore_case"] else text
        kinds = [(c, unicodedata.category(c)[0]) for c in text]
        return "".join(
            c
            for c, kind in kinds
            if not (keys["ignore_punctuation"] and kind not in "LMN") and not (keys["ignore_digits"] and kind == "N")
        )

    found = measure("identical", rows, **keys)
    assert found.failed.to_pylist() == [fold(source) == fold(target) for source, target in rows]


def test_near_identical(reasons: Ask) -> None:
    rows = [
        ("the quick brown fox jumps over it", "The quick brown fox jumps over it!"),
        ("the quick brown fox jumps over it", "the slow brown cat creeps under it"),
        ("short one", "short one"),
    ]
    assert reasons("near_identical", rows) == [("similarity 1", "at most 0.9 from 20 characters on"), None, None]


@quick
@given(data=st.data())
def test_near_identical_agrees_with_plain_python(
    data: st.DataObject, trying_texts: st.SearchStrategy[str], measure: Ask
) -> None:
    rows = data.draw(st.lists(st.tuples(trying_texts, trying_texts), max_size=8))

    def windows(text: str) -> set[bytes]:
        data = re.sub(rb"[A-Z]", lambda match: match[0].lower(), text.encode())
        return {data[i : i + 3] for i in range(len(data) - 2)}

    def similarity(source: str, target: str) -> float:
        if min(len(source), len(target)) < 3:
            return 0.0
        sides = windows(source), windows(target)
        return round(len(sides[0] & sides[1]) / min(map(len, sides)), 3)

    found = measure("near_identical", rows, minimum_characters=3)
    assert found.values["similarity"].to_pylist() == pytest.approx([similarity(*row) for row in rows])


@pytest.mark.parametrize(
    ("source", "target", "unmatched", "total"),
    [
        ("1,000 men", "1.000 M\u00e4nner", 0, 2),
        ("1 234 567", "1'234'567", 0, 2),
        ("2 men in 1990", "zwei M\u00e4nner, 1990", 0, 2),
        ("on 10/12/2010", "am 12.10.2010", 0, 6),
        ("at 10:30", "um 10.30 Uhr", 0, 4),
        ("007 and 0012", "12", 0, 2),
        ("\u0661\u0662", "12 \uff11\uff12", 1, 3),
        ("1990", "neunzehnhundert", 1, 1),
        ("10 10 20", "10 20", 1, 5),
        ("1,0000", "10000", 1, 1),
        ("no", "numbers", 0, 0),
    ],
)
def test_numbers(source: str, target: str, unmatched: int, total: int, measure: Ask) -> None:
    found = measure("numbers", [("x", "y"), (source, target)])
    assert found.values["unmatched"].to_pylist() == [0, unmatched]
    assert found.values["share"].to_pylist() == pytest.approx([0, unmatched / max(total, 1)], abs=1e-3)


def test_numbers_without_partner_reject(reasons: Ask) -> None:
    rows = [("10 20 30", "10 20"), ("10 20 30", "10"), ("5", "6")]
    threshold = "at most 0.5 of the numbers from 2 digits on unmatched"
    assert reasons("numbers", rows, maximum=0.5) == [None, None, None]
    assert reasons("numbers", rows, maximum=0.4)[1] == ("unmatched 2, share 0.5", threshold.replace("0.5", "0.4"))
    assert reasons("numbers", rows, minimum_digits=1)[2] == (
        "unmatched 2, share 1",
        "at most 0.5 of the numbers from 1 digits on unmatched",
    )


@quick
@given(data=st.data())
def test_numbers_agree_with_plain_python(
    data: st.DataObject, trying_texts: st.SearchStrategy[str], measure: Ask
) -> None:
    texts = st.one_of(trying_texts, st.text(st.sampled_from("0123,. x"), max_size=15))
    rows = data.draw(st.lists(st.tuples(texts, texts), max_size=8))

    def numbers(text: str) -> Counter[str]:
        """Runs of digits; one of three digits is joined to one that it follows, if the first has at most three."""
        runs = [match.span() for match in re.finditer(r"\d+", text)]
        joined: list[list[tuple[int, int]]] = []
        i = 0
        while i < len(runs):
            group = [runs[i]]
            while (
                i + len(group) < len(runs)
                and runs[i][1] - runs[i][0] <= 3
                and runs[i + len(group)][0] == group[-1][1] + 1
                and text[group[-1][1]] in ".,'\u2019 \u00a0\u202f"
                and runs[i + len(group)][1] - runs[i + len(group)][0] == 3
            ):
                group.append(runs[i + len(group)])
            joined.append(group)
            i += len(group)
        values = (int("".join(text[a:b] for a, b in group)) for group in joined)
        return Counter(str(value) for value in values if value > 9)

    sides = [(numbers(source), numbers(target)) for source, target in rows]
    found = measure("numbers", rows)
    assert found.values["unmatched"].to_pylist() == [((s - t) + (t - s)).total() for s, t in sides]


def test_terminal_punctuation(reasons: Ask) -> None:
    rows = [
        ("He said: \u201cYes.\u201d", "\u5f7c\u306f\u300c\u306f\u3044\u3002\u300d"),
        ("Really?", "Wirklich"),
        ("no end", "kein Ende"),
        ("Really?", "Wirklich!"),
    ]
    presence = "an ending on both sides or on none"
    assert reasons("terminal_punctuation", rows) == [None, ("source question, target none", presence), None, None]
    kind = reasons("terminal_punctuation", rows, compare="kind")
    assert kind[1:] == [
        ("source question, target none", "the same kind of ending"),
        None,
        ("source question, target exclamation", "the same kind of ending"),
    ]


@pytest.mark.parametrize("rule", ["identical", "near_identical", "numbers", "terminal_punctuation", "length_ratio"])
def test_rules_about_pairs_do_not_judge_texts_without_source(rule: str, reasons: Ask) -> None:
    rows = [("", "1234 one text that is long enough?")]
    assert reasons(rule, rows, Sides(has_source=False)) == [None]
