from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.documents.formats.plain import PlainFormat
from tests.whole_documents import answered, same, texts

PLAIN = PlainFormat()
BOOK = (
    "\ufeffA TITLE\r\n\r\n  It was wrapped at twenty\r\n  characters or so, and\r\n  here it ends.\r\n\r\n\r\n"
    "Short\r\nlines of\r\na list\r\n"
)


def test_wrapped_lines_are_one_text_and_short_ones_several() -> None:
    assert texts(PLAIN, BOOK) == [
        "A TITLE",
        "It was wrapped at twenty\x0bcharacters or so, and\x0bhere it ends.",
        "Short",
        "lines of",
        "a list",
    ]


def test_lines_that_are_answered_by_themselves_stay_lines() -> None:
    out = answered(PLAIN, BOOK, lambda text: text.replace("was", "is")).decode()
    assert out == BOOK.replace("was", "is")
    assert answered(PLAIN, BOOK, lambda _: "x").decode() == "\ufeffx\r\n\r\n  x\r\n\r\n\r\nx\r\nx\r\nx\r\n"


def test_what_marks_an_item_is_no_text() -> None:
    items = "some:\n  * one item\n  * another\n\n1. first\n2) second\n(a) third\n- \u2013 fourth\n"
    found = ["some:", "one item", "another", "first", "second", "third", "\u2013 fourth"]
    assert texts(PLAIN, items) == found
    assert answered(PLAIN, items, str.upper).decode().lower() == items
    assert "(a) THIRD" in answered(PLAIN, items, str.upper).decode()


@given(st.text(st.sampled_from("ab. \t\r\n\x0b\ue000-1"), max_size=60))
def test_any_text_comes_back(text: str) -> None:
    assert answered(PLAIN, text, same) == text.encode()
