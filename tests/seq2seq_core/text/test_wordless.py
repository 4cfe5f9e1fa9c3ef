from __future__ import annotations

import pytest

from seq2seq_core.text.wordless import is_wordless


@pytest.mark.parametrize(
    "text",
    [
        "12,5",
        "12.03.2020 - 7",
        "https://a.b/c.",
        "(see@foo.com)",
        "www.x.org",
        "/usr/bin/env",
        "./run",
        "C:\\x\\y",
        "--help",
        "-i",
        "snake_case",
        "a.b.call()",
        "${HOME}",
        "{{path}}",
        "0x1F",
        "<br>",
        "git_x --all /tmp/a/b",
        "...",
        "\u2714 5",
    ],
)
def test_what_has_no_word(text: str) -> None:
    assert is_wordless(text)


@pytest.mark.parametrize(
    "text",
    [
        "and/or",
        "he/she",
        "km/h",
        "don't",
        "iPhone",
        "ls",
        "A",
        "1st",
        "5 kg",
        "e.g.",
        "Version 1.2",
        "\u4e2d\u6587",
        "TCP/IP",
        "see https://x.y",
        "well-known",
        "- item",
        "file(s)",
        "Stra\u00dfe 5",
    ],
)
def test_what_may_be_one(text: str) -> None:
    assert not is_wordless(text)
