"""The scripts of languages."""

from __future__ import annotations

import pytest

from seq2seq_core.text import unicode
from seq2seq_core.text.rules import scripts


@pytest.mark.parametrize(
    ("code", "expected"),
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
def test_the_scripts_of_a_language(code: str | None, expected: tuple[str, ...]) -> None:
    assert scripts.scripts_of(code) == expected


def test_every_script_of_the_tables_is_one_of_unicode() -> None:
    codes = [*scripts._SCRIPTS_OF_LANGUAGE, *(f"xx-{tag}" for tag in scripts._SCRIPTS_OF_TAG)]
    assert all(unicode.is_script(name) for code in codes for name in scripts.scripts_of(code))
