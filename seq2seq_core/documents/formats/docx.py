"""A file of Word in, the texts of its paragraphs out; and the file with answers in their places.

It is an archive of XML files. Of these only what stands in text elements changes: libraries that read documents into
objects write every file of the archive anew. A paragraph is cut into runs wherever its author has been at work; runs
that look the same are one, and borders between others are marks.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seq2seq_core.documents.content import MAX_RECORD_BYTES, UnreadableError
from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.markup import Token, gather, spelled, tokens
from seq2seq_core.documents.structured.slots import Gatherer, Slot, edited, edits
from seq2seq_core.documents.structured.whole import Document, WholeFormat
from seq2seq_core.documents.structured.xml_text import xml_text

_PARTS = re.compile(r"word/(?:document|header[0-9]*|footer[0-9]*|footnotes|endnotes)\.xml")
_BODY = "word/document.xml"
_PARAGRAPH, _RUN, _LOOK, _TEXT = "w:p", "w:r", "w:rPr", "w:t"
_BREAKS = frozenset({"w:br", "w:cr", "w:tab"})
_UNSEEN = frozenset({"w:proofErr", "w:lastRenderedPageBreak"})


class DocxFormat(WholeFormat):
    """A document of Word: its body, headers, footers and notes."""

    called = "DOCX"
    suffixes = (".docx",)
    may_be_packed = False

    def open(self, data: bytes, handling: Handling) -> Document:
        del handling
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                texts = {name: xml_text(part) for name, part in _parts(archive)}
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise UnreadableError(f"not a DOCX file: {error}") from None
        return DocxDocument(data, {name: (raw, _slots(raw)) for name, raw in texts.items()})


@dataclass(frozen=True)
class DocxDocument:
    """An archive, and those of its files that hold texts."""

    data: bytes
    parts: dict[str, tuple[str, Sequence[Slot]]]

    @property
    def slots(self) -> list[Slot]:
        return [slot for _, slots in self.parts.values() for slot in slots]

    def write(self, answers: Sequence[str | None]) -> bytes:
        new: dict[str, bytes] = {}
        start = 0
        for name, (raw, slots) in self.parts.items():
            some = answers[start : start + len(slots)]
            start += len(slots)
            text = edited(raw, edits(slots, some, lambda slot, answer: slot.spelled(answer, spelled)))
            if text != raw:
                new[name] = text.encode("utf-8")
        return _with_parts(self.data, new) if new else self.data


def _parts(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    if _BODY not in archive.namelist():
        raise UnreadableError(f"not a DOCX file: there is no {_BODY} in it")
    if sum(entry.file_size for entry in archive.infolist()) > MAX_RECORD_BYTES:
        raise UnreadableError(f"longer than {MAX_RECORD_BYTES >> 20} MiB when it is unpacked")
    for entry in archive.infolist():
        if _PARTS.fullmatch(entry.filename):
            yield entry.filename, archive.read(entry)


def _with_parts(data: bytes, new: dict[str, bytes]) -> bytes:
    """An archive with some of its files replaced; order, times and all else that is told of files stay."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as archive:
        archive.comment = old.comment
        for entry in old.infolist():
            archive.writestr(entry, new.get(entry.filename) or old.read(entry), entry.compress_type)
    return out.getvalue()


@dataclass
class _Runs:
    """Where the reading of a paragraph stands.

    Attributes:
        end: Where the text ended that was read last.
        look: How it looks.
        is_same: Whether nothing stands behind it but the borders of runs.
        current: How the run looks that is being read.
    """

    end: int = -1
    look: str = ""
    is_same: bool = False
    current: str = ""


def _slots(raw: str) -> list[Slot]:
    gatherer = Gatherer(raw)
    runs = _Runs()
    found = iter(tokens(raw))
    for token in found:
        if token.name in (_PARAGRAPH, *_BREAKS):
            gatherer.close()
            runs = _Runs(current=runs.current)
        elif token.name == _LOOK and token.kind == "open":
            end = next(one.end for one in found if one.name == _LOOK and one.kind == "close")
            runs.current = raw[token.start : end]
        elif token.name == _TEXT and token.kind == "open":
            _read(gatherer, runs, next(found))
        elif token.name == _RUN:
            runs.current = ""
        elif token.name not in (_TEXT, *_UNSEEN):
            runs.is_same = False
    gatherer.close()
    return gatherer.slots


def _read(gatherer: Gatherer, runs: _Runs, text: Token) -> None:
    """A text of a run, and what stands between it and the one before."""
    if text.kind != "text":
        return
    if runs.end >= 0:
        if runs.is_same and runs.look == runs.current:
            gatherer.hidden(runs.end, text.start)
        else:
            gatherer.tag(runs.end, text.start)
    gather(gatherer, text.start, text.end, is_xml=True)
    runs.end, runs.look, runs.is_same = text.end, runs.current, True
