from __future__ import annotations

from hypothesis import given

from seq2seq_core.documents.formats.srt import SrtFormat
from tests.whole_documents import ANSWERS, answered, one_line, same, texts

SRT = SrtFormat()
FILM = (
    "\ufeff1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Hello there</i>\r\nworld and all\r\n\r\n"
    "2\r\n00:00:03,000 --> 00:00:04,000\r\n- Hi\r\n- {\\an8}You\r\n\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\n\r\n"
)


def test_the_texts_of_cues_are_read_a_speaker_each() -> None:
    assert texts(SRT, FILM) == ["Hello there\ue000\x0bworld and all", "Hi", "You"]


def test_an_answer_stands_on_as_many_lines_as_its_source() -> None:
    assert answered(SRT, FILM, same).decode() == FILM
    out = answered(SRT, FILM, lambda text: "one two\ue000 three four five" if "\ue000" in text else None).decode()
    assert "\r\n<i>one two</i> three\r\nfour five\r\n\r\n" in out


@given(ANSWERS)
def test_an_answer_never_makes_a_cue(answer: str) -> None:
    out = answered(SRT, FILM, lambda text: one_line(answer) if text == "Hi" else None).decode()
    assert out.count("-->") == 3
    assert out.count("\r\n") == FILM.count("\r\n")
