from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.documents import content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.table import FORMATS, format_of
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import InputFile, UnitSize
from seq2seq_core.documents.structured.whole import WholeFormat
from seq2seq_core.errors import InputError
from tests.whole_documents import answered, same

FIELDS = Fields("text", "translation")
SIZE = UnitSize(1, 1)
WHOLE = [name for name, known in FORMATS.items() if known.is_whole]


def test_a_document_is_one_unit_of_as_many_records_as_it_has_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.md.gz"
    path.write_bytes(gzip.compress(b"# One\n\ntwo\n"))
    file = InputFile(str(path), "a", ".md.gz", "markdown")
    counted = format_of(file).count(file, SIZE, FIELDS)
    (part,) = counted.ranges
    assert (part.records, part.bytes, counted.bytes) == (2, 11, path.stat().st_size)
    found = format_of(file).read(file, part, FIELDS)
    assert (found.texts, found.is_prose) == (["One", "two"], True)
    out = format_of(file).render(file, found, [Prediction("Eins"), None], FIELDS)
    assert gzip.decompress(out) == b"# Eins\n\ntwo\n"


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_read_is_a_record_that_failed_and_stays(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xff\xfe\xff")
    file = InputFile(str(path), "a", "", name)
    (part,) = format_of(file).count(file, SIZE, FIELDS).ranges
    found = format_of(file).read(file, part, FIELDS)
    assert (part.records, found.texts, len(found.failures)) == (1, [None], 1)
    assert format_of(file).render(file, found, [None], FIELDS) == b"\xff\xfe\xff"


def test_what_is_too_large_keeps_an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_core.documents.structured.whole.MAX_RECORD_BYTES", 5)
    path = tmp_path / "a.md"
    path.write_bytes(b"too long")
    file = InputFile(str(path), "a", ".md", "markdown")
    (part,) = format_of(file).count(file, SIZE, FIELDS).ranges
    found = format_of(file).read(file, part, FIELDS)
    assert [failure.reason for failure in found.failures] == ["longer than 0 MiB"]
    assert (part.records, part.bytes, format_of(file).render(file, found, [None], FIELDS)) == (1, 8, b"")
    assert content.MAX_RECORD_BYTES > 5


def test_a_document_that_has_changed_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"one")
    file = InputFile(str(path), "a", ".md", "markdown")
    (part,) = format_of(file).count(file, SIZE, FIELDS).ranges
    path.write_bytes(b"two")
    with pytest.raises(InputError, match="has changed since it was counted"):
        format_of(file).read(file, part, FIELDS)


@pytest.mark.parametrize("name", WHOLE)
def test_no_document_comes_of_nothing_but_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    file = InputFile(str(path), "a", "", name)
    (part,) = format_of(file).count(file, SIZE, FIELDS).ranges
    found = format_of(file).read(file, part, FIELDS)
    assert format_of(file).render(file, found, [None] * part.records, FIELDS) == b""


LINES = {
    "srt": ["1\n", "00:00:01,000 --> 00:00:02,000", "\n", "\r\n", "\r", "- ", "one", " ", "<i>", "{\\an8}", "-->"],
    "vtt": ["WEBVTT", "NOTE ", "00:01.000 --> 00:02.000", "\n", "\r\n", "<v Bob>", "one", " ", "</c>", "&amp;", "<"],
    "po": ["msgid ", "msgstr ", "msgstr[1] ", "msgid_plural ", '"', '"one"', '"\\n"', "\\", "\n", "#, fuzzy", "%s"],
}
ELEMENTS = {
    "xliff": ["unit", "segment", "trans-unit", "source", "target", "seg-source", "g", "pc", "ph", "bpt", "alt-trans"],
    "docx": ["w:p", "w:r", "w:t", "w:rPr", "w:tab", "w:proofErr", "w:hyperlink", "w:tbl"],
}


def nested(names: list[str]) -> st.SearchStrategy[str]:
    """Elements in elements, whether they belong there or not."""

    def element(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        parts = st.tuples(st.sampled_from(names), st.lists(inner, max_size=4).map("".join))
        return parts.map(lambda pair: f"<{pair[0]}>{pair[1]}</{pair[0]}>" if pair[1] else f"<{pair[0]}/>")

    return st.recursive(st.sampled_from(["one", " ", "&amp;", "{name}", "\n  "]), element, max_leaves=20)


def archive(body: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(zipfile.ZipInfo("word/document.xml", (2001, 2, 3, 4, 5, 6)), body)
    return out.getvalue()


def files(name: str) -> st.SearchStrategy[bytes]:
    if name in LINES:
        return st.lists(st.sampled_from(LINES[name]), max_size=30).map(lambda parts: "".join(parts).encode())
    bodies = nested(ELEMENTS[name]).map(lambda body: f"<all>{body}</all>")
    return bodies.map(archive if name == "docx" else str.encode)


@pytest.mark.parametrize("name", [*LINES, *ELEMENTS])
def test_any_file_stays_without_answers_and_with_those_it_has(name: str) -> None:
    form = FORMATS[name]
    assert isinstance(form, WholeFormat)

    @given(files(name))
    def stays(data: bytes) -> None:
        assert answered(form, data, lambda _: None) == data
        once = answered(form, data, same)
        assert answered(form, once, same) == once
        if name not in ("po", "xliff"):  # where answers stand beside texts
            assert once == data

    stays()
