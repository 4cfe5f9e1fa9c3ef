from __future__ import annotations

from hypothesis import given

from seq2seq_core.documents.formats.vtt import VttFormat
from tests.whole_documents import ANSWERS, answered, one_line, same, texts

VTT = VttFormat()
FILM = """WEBVTT - a title

STYLE
::cue { color: red }

NOTE a note

intro
00:01.000 --> 00:02.000 align:start
<v Bob>Hello &amp; <c.x>bye</c>
now
"""


def test_cues_alone_are_read() -> None:
    assert texts(VTT, FILM) == ["Hello & \ue000bye\ue001\x0bnow"]


def test_everything_else_stays() -> None:
    assert answered(VTT, FILM, same).decode() == FILM
    assert answered(VTT, FILM, str.upper).decode() == FILM.replace("Hello", "HELLO").replace(">bye", ">BYE").replace(
        "\nnow", "\nNOW"
    )


@given(ANSWERS)
def test_an_answer_is_read_as_it_was_given(answer: str) -> None:
    out = answered(VTT, "WEBVTT\n\n00:01.000 --> 00:02.000\none\n", lambda _: one_line(answer))
    assert out.decode().count("-->") == 1
    assert len(out.decode().split("\n")) == 5
