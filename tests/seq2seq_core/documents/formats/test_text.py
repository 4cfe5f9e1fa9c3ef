from __future__ import annotations

from seq2seq_core.documents.formats.text import parse_text, render_text
from seq2seq_core.documents.prediction import Prediction

MARK = b"\xef\xbb\xbf"


def test_only_the_text_of_a_line_is_translated() -> None:
    lines = [MARK + b"one\r", b"two", b"", b"\r", b"a\rb\r\r", "\u2028\x0c".encode()]
    content = parse_text(lines, ends_line=True)
    assert content.texts == ["one", "two", "", "", "a\rb\r", "\u2028\x0c"]
    assert content.failures == []
    same = [Prediction(text or "") for text in content.texts]
    assert render_text(content, same) == b"\n".join(lines) + b"\n"


def test_bytes_that_are_not_utf8_fail_alone() -> None:
    content = parse_text([b"one", b"a\xffb" + b"c" * 300 + b"\r", b"two"], ends_line=False)
    assert content.texts == ["one", None, "two"]
    (failure,) = content.failures
    assert (failure.record, failure.reason) == (1, "not UTF-8 at byte 2")
    assert failure.excerpt == "a\\xffb" + "c" * 194
    assert render_text(content, [Prediction("1"), None, Prediction("2")]) == b"1\n\r\n2"


def test_an_output_never_makes_a_line_of_its_own() -> None:
    content = parse_text([b"one"], ends_line=True)
    assert render_text(content, [Prediction("a\nb\n")]) == b"a b \n"
