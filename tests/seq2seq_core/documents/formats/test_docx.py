from __future__ import annotations

import io
import zipfile

import pytest

from seq2seq_core.documents.content import UnreadableError
from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.formats.docx import DocxFormat
from tests.whole_documents import answered, same, texts

DOCX = DocxFormat()
BODY = (
    '<w:document xmlns:w="w"><w:body><w:p><w:pPr/><w:r><w:t xml:space="preserve">Hel</w:t></w:r><w:proofErr/>'
    '<w:r w:rsidR="1"><w:t xml:space="preserve">lo </w:t></w:r><w:r><w:rPr><w:b/></w:rPr>'
    "<w:t>big &amp; world</w:t></w:r>"
    "<w:r><w:tab/><w:t>behind a tab</w:t></w:r></w:p><w:p/>"
    "<w:p><w:r><w:delText>gone</w:delText></w:r></w:p></w:body></w:document>"
)
OTHERS = {"[Content_Types].xml": "<Types/>", "word/media/image1.png": "\x89PNG", "word/styles.xml": "<s>no text</s>"}


def archive(**parts: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in (OTHERS | {"word/document.xml": BODY} | parts).items():
            file.writestr(zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6)), text)
    return out.getvalue()


def members(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {entry.filename: file.read(entry).decode() for entry in file.infolist()}


def test_runs_that_look_the_same_are_one_text() -> None:
    assert texts(DOCX, archive()) == ["Hello \ue000big & world", "behind a tab"]


def test_everything_else_stays() -> None:
    data = archive(**{"word/header1.xml": "<w:hdr><w:p><w:r><w:t>Head</w:t></w:r></w:p></w:hdr>"})
    assert answered(DOCX, data, same) == data
    out = members(answered(DOCX, data, str.upper))
    assert list(out) == list(members(data))
    assert {name: out[name] for name in OTHERS} == OTHERS
    assert out["word/header1.xml"] == "<w:hdr><w:p><w:r><w:t>HEAD</w:t></w:r></w:p></w:hdr>"
    assert (
        '<w:t xml:space="preserve">HELLO </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>BIG &amp; WORLD</w:t>'
        in out["word/document.xml"]
    )
    assert answered(DOCX, data, str.upper) == answered(DOCX, data, str.upper)


@pytest.mark.parametrize("data", [b"", b"PK", b"<w:document/>", archive(**{"word/document.xml": "<a"})])
def test_what_is_no_document_is_told(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        DOCX.open(data, Handling())


def test_a_library_reads_what_was_written() -> None:
    docx = pytest.importorskip("docx", reason="python-docx, which reads what is written here, is not installed")
    made = docx.Document()
    paragraph = made.add_paragraph("Hello ")
    paragraph.add_run("bold").bold = True
    made.add_table(1, 1).cell(0, 0).text = "A cell"
    out = io.BytesIO()
    made.save(out)
    read = docx.Document(io.BytesIO(answered(DOCX, out.getvalue(), str.upper)))
    assert [paragraph.text for paragraph in read.paragraphs] == ["HELLO BOLD"]
    assert read.paragraphs[0].runs[1].bold
    assert read.tables[0].cell(0, 0).text == "A CELL"
