from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.formats.html_file import HtmlFormat
from tests.whole_documents import ANSWERS, answered, one_line, same, texts

HTML = HtmlFormat()
PAGE = """<!DOCTYPE html>
<html><head><title>A &amp; B</title><style>p > a {}</style><script>if (a<b) "<p>no</p>"</script></head>
<body class=x><!-- <p>no</p> --><p>Hello <b>big</b> <a href="u>v" title='The link'>world</a>, see <code>ls -l</code>.
   Second line &lt;here&gt;.<br>Third <span translate="no">Keep <span>me</span></span> end</p>
<pre>not <b>this</b></pre><textarea>nor this</textarea><img alt="A cat" src=x><p>12 34</p>
<p class="a notranslate">no</p>
"""


def test_texts_stand_between_blocks_and_markup_inside_them_is_marked() -> None:
    assert texts(HTML, PAGE) == [
        "A & B",
        "Hello \ue000big\ue001 \ue002world\ue003, see \ue004.\x0bSecond line <here>.",
        "Third \ue000 end",
    ]


def test_everything_else_stays() -> None:
    assert answered(HTML, PAGE, same) == answered(HTML, PAGE, lambda _: None) == PAGE.encode()
    out = answered(HTML, PAGE, str.upper).decode()
    assert "<p>HELLO <b>BIG</b> <a href=\"u>v\" title='The link'>WORLD</a>, SEE <code>ls -l</code>." in out
    assert out.lower() == PAGE.lower()
    for kept in ('if (a<b) "<p>no</p>"', "not <b>this</b>", "nor this", "Keep <span>me</span>", 'alt="A cat"'):
        assert kept in out


def test_attributes_are_texts_when_they_are_asked_for() -> None:
    handling = Handling(("title", "alt"))
    assert [text for text in texts(HTML, PAGE, handling) if text in ("The link", "A cat")] == ["The link", "A cat"]
    out = answered(HTML, PAGE, lambda text: text.replace("l", "'"), handling).decode()
    assert "title='The &#39;ink'>wor'd</a>" in out
    only = answered(HTML, PAGE, lambda text: "Q" if text == "The link" else None, handling).decode()
    assert only == PAGE.replace("The link", "Q")


@pytest.mark.parametrize(
    "broken", ["<p>open", "<", "a <b", "<!-- never", "x &nosuch; &#0; y", "</p>a</b>", "<p a='>x</p>"]
)
def test_broken_pages_stay_as_they_are(broken: str) -> None:
    assert answered(HTML, broken, same) == broken.encode()


@given(st.text(st.sampled_from("<>/!-&;=\"' \nabp"), max_size=40))
def test_any_page_comes_back(page: str) -> None:
    assert answered(HTML, page, same) == page.encode()


@given(st.lists(ANSWERS, min_size=2, max_size=2))
def test_an_answer_is_read_as_it_was_given(answers: list[str]) -> None:
    found = iter(answers)
    out = answered(HTML, "<p>one</p><img alt='two'>", lambda _: next(found), Handling(("alt",)))
    assert texts(HTML, out, Handling(("alt",))) == [_unaddressed(one_line(text)) for text in answers]


def _unaddressed(text: str) -> str:
    return texts(HTML, text.replace("&", "&amp;").replace("<", "&lt;"))[0]
