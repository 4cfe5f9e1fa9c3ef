from __future__ import annotations

import pytest

from seq2seq_core.report.excerpt import excerpt


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 東京", "plain ä 東京"),
        ("\x1b[31mred\x00", "⟨U+001B⟩[31mred⟨U+0000⟩"),
        ("a\u200bb\u2028c\u202e", "a⟨U+200B⟩b⟨U+2028⟩c⟨U+202E⟩"),
        ("क्\u200dष", "क्\u200dष"),
        ("abcdef", "abcde… (6 characters)"),
    ],
)
def test_what_is_invisible_is_shown_and_long_texts_are_cut(text: str, shown: str) -> None:
    assert excerpt(text, 5 if text == "abcdef" else 240) == shown
