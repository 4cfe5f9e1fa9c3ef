from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.text.marks import can_be_read, filled, keeps_marks, mark, numbered, restored

A, B = mark(0), mark(1)
MARKED = st.lists(st.sampled_from(["a", "b c", " ", A, ". "]), max_size=12).map("".join)


def _with_own_marks(text: str) -> str:
    parts = text.split(A)
    return parts[0] + "".join(mark(place) + part for place, part in enumerate(parts[1:]))


@given(MARKED.map(_with_own_marks))
def test_what_a_model_copies_comes_back(text: str) -> None:
    read = numbered(text)
    assert not {A, B} & set(read)
    back = restored(read, text)
    assert back is not None
    assert keeps_marks(text, back)
    assert back.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("source", "output", "whole"),
    [
        (f"press {A}Enter{B} now", "Dr\u00fccke [1] Eingabe [2] jetzt", f"Dr\u00fccke {A}Eingabe{B} jetzt"),
        (f"press {A}Enter{B} now", "Dr\u00fccke[1]Eingabe[2]jetzt", f"Dr\u00fccke {A}Eingabe{B} jetzt"),
        (f"press {A} now", "[ 1 ] jetzt", f"{A} jetzt"),
        (f"press {A}Enter{B}", "[2] Eingabe [1]", None),
        (f"press {A}Enter{B}", "[1] Eingabe", None),
        (f"press {A}Enter{B}", "[1] Eingabe [2] [2]", None),
        (f"see [1] and {A} here", "siehe [1] und [2] hier", f"siehe [1] und {A} hier"),
        ("no mark", "kein [1]", "kein [1]"),
    ],
)
def test_marks_stand_where_their_numbers_do(source: str, output: str, whole: str | None) -> None:
    assert restored(output, source) == whole


def test_numbers_that_stand_in_a_text_are_not_used() -> None:
    assert numbered(f"see [7] and{A} this\x0bline") == "see [7] and [8] this line"


def test_a_tokenizer_without_brackets_cannot_read_numbers() -> None:
    assert can_be_read(str)
    assert not can_be_read(lambda text: text.replace("[", "\u2047"))


def test_what_marks_stand_for() -> None:
    assert filled(f"a<{A}\x0bb", ["<b>"], "\n", lambda text: text.replace("<", "&lt;")) == "a&lt;<b>\nb"
