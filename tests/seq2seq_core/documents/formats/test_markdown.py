from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.documents.formats.markdown import MarkdownFormat
from tests.whole_documents import ANSWERS, PLAIN, answered, one_line, same, texts

MARKDOWN = MarkdownFormat()
PAGE = """---
title: no text
---

# Head *em* #

Para **bold _in_** `code *x*`, [link](http://x "t"), [ref][a] ![alt](i.png) <b>html</b> &amp; \\*.
More
> quote one
> quote two

1.  item
    goes on  
    hard

term
:   definition

| a | b *x* |
|---|---|
| c | `k` d |

    indented code

```
fenced code
```

<div>
html block
</div>

[a]: http://y
"""  # noqa: W291
PARAGRAPH = (
    "Para \ue000bold \ue001in\ue002 \ue003, \ue004link\ue005, \ue006ref\ue007 "
    "\ue008alt\ue009 \ue00ahtml\ue00b & *.\x0bMore"
)


def test_texts_are_those_of_blocks_and_markup_inside_them_is_marked() -> None:
    assert texts(MARKDOWN, PAGE) == [
        "Head \ue000em",
        PARAGRAPH,
        "quote one\x0bquote two",
        "item\x0bgoes on",
        "hard",
        "term",
        "definition",
        "a",
        "b \ue000x",
        "c",
        "d",
    ]


def test_everything_else_stays() -> None:
    assert answered(MARKDOWN, PAGE, same) == PAGE.encode()
    out = answered(MARKDOWN, PAGE, lambda text: text.replace("o", "0")).decode()
    for kept in (
        "title: no text",
        "`code *x*`",
        "(http://x",
        "[a]: http://y",
        "indented code",
        "fenced code",
        "html block",
    ):
        assert kept in out
    assert "> qu0te 0ne\n> qu0te tw0\n" in out
    assert "    g0es 0n  \n    hard\n" in out
    assert ":   definiti0n\n" in out


def test_an_answer_that_lost_markup_is_not_taken() -> None:
    assert answered(MARKDOWN, "see `code` here", lambda _: "nothing") == b"see `code` here"


@pytest.mark.parametrize(
    ("page", "answer", "written"),
    [
        ("one", "# two", "\\# two"),
        ("one", "a * b", "a * b"),
        ("one", "a *b* c", "a \\*b\\* c"),
        ("one", "snake_case", "snake_case"),
        ("one", "1. two", "1\\. two"),
        ("# one", "1. two", "# 1. two"),
        ("# one", "two #", "# two \\#"),
        ("one [x]\n\n[x]: u", "one [x]", "one [x]\n\n[x]: u"),
        ("| a |\n|---|\n| b |", "x|y", "| x\\|y |\n|---|\n| x\\|y |"),
    ],
)
def test_an_answer_is_written_as_plainly_as_it_reads_back(page: str, answer: str, written: str) -> None:
    out = answered(MARKDOWN, page, lambda text: text if "\ue000" in text or text == answer else answer).decode()
    assert out == written


@settings(deadline=None)
@given(ANSWERS, st.sampled_from(["one", "# one", "> one", "- one", "2\n\n1. one\n\n3", "| one |\n|---|\n"]))
def test_an_answer_is_read_as_it_was_given(answer: str, page: str) -> None:
    if "|" in page:
        answer = answer.replace("|", "")
    out = answered(MARKDOWN, page, lambda _: one_line(answer))
    (slot,) = MARKDOWN.open(out, PLAIN).slots
    assert one_line(slot.spelled(slot.text, str)).replace("\\", "") == one_line(answer).replace("\\", "")


@settings(deadline=None)
@given(st.text(st.sampled_from("*_`#>-|[]()!<&;\\1. \n\tab"), max_size=40))
def test_any_page_comes_back(page: str) -> None:
    assert answered(MARKDOWN, page, same) == page.encode()
