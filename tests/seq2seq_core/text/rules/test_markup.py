"""Rules about what web pages leave behind: rows that pass and fail, and agreement with plain Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.text.rules import markup

quick = settings(deadline=None, max_examples=60)

Ask = Callable[..., Any]

_PIECES = st.sampled_from(
    [
        "http://a.de/x",
        "WWW.b.com",
        "www",
        ".",
        "me@x.org",
        "@",
        "://",
        ":/",
        " ",
        "<b>",
        "</p >",
        "<",
        ">",
        "a",
        "\u00e9",
        "&amp;",
        "&#233;",
        "&#x1F;",
        "&",
        ";",
        "<!--",
        "3 < 4",
        "<br/>",
        "()",
        "(",
        "]",
        "\u300c",
        "\u300d",
        "\uff09",
    ]
)
_TEXTS = st.lists(_PIECES, max_size=8).map("".join)


def test_urls(reasons: Ask) -> None:
    rows = [
        ("see https://example.org for all that we know of it", "ok"),
        ("go www.example.org/a/b/c", "ok"),
        ("ok", "mail me@example.org"),
        ("a@b c:// d. www", "ok"),
    ]
    assert reasons("urls", rows) == [
        None,
        ("source 0.913, target 0", "at most 0.5"),
        ("source 0, target 0.778", "at most 0.5"),
        None,
    ]


@quick
@given(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=6))
def test_no_address_is_overlooked(measure: Ask, rows: list[tuple[str, str]]) -> None:
    found = measure("urls", rows)
    for side, name in enumerate(("source", "target")):
        shares = []
        for row in rows:
            visible = sum(not c.isspace() for c in row[side])
            characters = sum(len(match[0]) for match in markup._ADDRESS.finditer(row[side]))
            shares.append(round(characters / visible, 3) if visible else 0.0)
        assert found.values[name].to_pylist() == shares


def test_html(reasons: Ask) -> None:
    rows = [
        ("3 < 4 and 5 > 4", "Q&A; R & D; a<b"),
        ("fish &amp; chips", "ok"),
        ("a <b>word</b>", "ok"),
        ("ok", "&nbsp;&#160;"),
        ('<a href="x">', "<!-- x -->"),
    ]
    threshold = "at most 0 tags, 1 entities"
    values = "source tags {}, source entities {}, target tags {}, target entities {}"
    assert reasons("html", rows) == [
        None,
        None,
        (values.format(2, 0, 0, 0), threshold),
        (values.format(0, 0, 0, 2), threshold),
        (values.format(1, 0, 1, 0), threshold),
    ]


@quick
@given(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=6))
def test_no_residue_is_overlooked(measure: Ask, rows: list[tuple[str, str]]) -> None:
    found = measure("html", rows)
    for side, name in enumerate(("source", "target")):
        for kind, pattern in (("tags", markup._TAG), ("entities", markup._ENTITY)):
            assert found.values[f"{name} {kind}"].to_pylist() == [len(pattern.findall(row[side])) for row in rows]


def test_brackets(reasons: Ask) -> None:
    rows = [("a (b) [c]", "\u300ca\u300d"), ("a (b", "ok"), ("ok", "\uff08\u6f22\u5b57 ]"), (")(", "ok")]
    threshold = "at most 0 without a partner"
    assert reasons("brackets", rows) == [
        None,
        ("source 1, target 0", threshold),
        ("source 0, target 2", threshold),
        None,
    ]
    assert reasons("brackets", rows, maximum=1)[1:3] == [None, ("source 0, target 2", "at most 1 without a partner")]


@quick
@given(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=6))
def test_brackets_agree_with_plain_python(measure: Ask, rows: list[tuple[str, str]]) -> None:
    kinds = [*markup._BRACKETS, *markup._WIDE_BRACKETS]
    found = measure("brackets", rows)
    for side, name in enumerate(("source", "target")):
        expected = [sum(abs(row[side].count(a) - row[side].count(b)) for a, b in kinds) for row in rows]
        assert found.values[name].to_pylist() == expected
