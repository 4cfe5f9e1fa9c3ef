from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.one_text import OneTextFormat
from seq2seq_core.text.marks import mark
from tests.whole_documents import answered, same, texts

ONE = OneTextFormat()


def test_all_of_a_file_is_one_text_within_its_white_space() -> None:
    assert texts(ONE, "\ufeff\r\n One.\r\n\r\nTwo: www.x.y/z.\n\n") == ["One.\r\n\r\nTwo: www.x.y/z."]
    assert answered(ONE, "\ufeff\r\n One.\r\n\r\nTwo.\n\n", lambda _: "Both!").decode() == "\ufeff\r\n Both!\n\n"
    assert texts(ONE, " \n") == texts(ONE, "12 - 3") == []


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from([mark(0), "\x0b", "\ufeff", "\n", " "])))
def test_any_text_is_itself_again_and_an_answer_takes_the_place_of_all(text: str) -> None:
    data = text.encode()
    assert answered(ONE, data, same) == answered(ONE, data, lambda _: None) == data
    if texts(ONE, data):
        assert answered(ONE, data, lambda _: "answer").decode().strip("\ufeff").split() == ["answer"]


def test_outputs_have_the_names_of_their_inputs(tmp_path: Path) -> None:
    for name in ("a.txt", "b", "c.txt.gz"):
        (tmp_path / name).write_bytes(b"")
    found = find_inputs([str(tmp_path)], "one_text", str(tmp_path / "out"))
    assert [file.name + file.suffix for file in found] == ["a.txt", "b", "c.txt.gz"]
