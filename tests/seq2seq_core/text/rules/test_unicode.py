"""Tables over code points, and the scripts of languages."""

from __future__ import annotations

import unicodedata

import pytest

from seq2seq_core.text.rules import unicode


@pytest.mark.parametrize(
    ("name", "categories"),
    [(unicode.LETTER, "LM"), (unicode.DIGIT, ("Nd",)), (unicode.NUMBER, "N"), (unicode.SYMBOL, "S")],
)
def test_tables_hold_what_python_calls_so(name: str, categories: str | tuple[str, ...]) -> None:
    table = unicode.members(name)
    for point in range(0x80, 0x33000):
        category = unicodedata.category(chr(point))
        if category not in ("Cn", "Cs", "Co"):  # code points given out since Python's Unicode may be letters by now
            assert table[point] == (category[0] in categories or category in categories), hex(point)


def test_white_space_is_that_of_python() -> None:
    table = unicode.members(unicode.SPACE)
    assert [p for p in range(0x80, 0x110000) if table[p]] == [p for p in range(0x80, 0x110000) if chr(p).isspace()]


@pytest.mark.parametrize(
    ("code", "scripts"),
    [
        ("en", ("Latin",)),
        ("pt-BR", ("Latin",)),
        ("zh_Hant", ("Han",)),
        ("ja", ("Hiragana", "Katakana", "Han")),
        ("sr", ("Latin", "Cyrillic")),
        ("sr-Latn", ("Latin",)),
        ("uz-Cyrl-UZ", ("Cyrillic",)),
        ("xx", ()),
        (None, ()),
    ],
)
def test_the_scripts_of_a_language(code: str | None, scripts: tuple[str, ...]) -> None:
    assert unicode.scripts_of(code) == scripts


def test_every_script_of_the_tables_is_one_of_unicode() -> None:
    codes = [*unicode._SCRIPTS_OF_LANGUAGE, *(f"xx-{tag}" for tag in unicode._SCRIPTS_OF_TAG)]
    assert all(unicode.is_script(name) for code in codes for name in unicode.scripts_of(code))
    assert not unicode.is_script("Latn")
    assert not unicode.is_script("L")


def test_letters_that_scripts_share_belong_to_none() -> None:
    for shared in "\u30fc\u0301\u00d7":
        assert not unicode.script_letters()[ord(shared)]
    assert unicode.script_letters(("Hiragana",))[ord("\u3042")]
    assert not unicode.script_letters(("Hiragana",))[ord("\u6f22")]
