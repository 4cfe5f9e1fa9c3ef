"""THE TABLE of the formats of documents: a name in, how files of that format are read and written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seq2seq_core.documents.format import DocumentFormat
from seq2seq_core.documents.formats.arrow import ArrowFormat
from seq2seq_core.documents.formats.docx import DocxFormat
from seq2seq_core.documents.formats.html_file import HtmlFormat
from seq2seq_core.documents.formats.jsonl import JsonlFormat
from seq2seq_core.documents.formats.markdown import MarkdownFormat
from seq2seq_core.documents.formats.one_text import OneTextFormat
from seq2seq_core.documents.formats.parquet import ParquetFormat
from seq2seq_core.documents.formats.plain import PlainFormat
from seq2seq_core.documents.formats.po import PoFormat
from seq2seq_core.documents.formats.srt import SrtFormat
from seq2seq_core.documents.formats.text import TextFormat
from seq2seq_core.documents.formats.vtt import VttFormat
from seq2seq_core.documents.formats.xliff import XliffFormat
from seq2seq_core.documents.ranges import InputFile

FORMATS: dict[str, DocumentFormat] = {
    "text": TextFormat(),
    "jsonl": JsonlFormat(),
    "parquet": ParquetFormat(),
    "arrow": ArrowFormat(),
    "plain": PlainFormat(),
    "one_text": OneTextFormat(),
    "markdown": MarkdownFormat(),
    "html": HtmlFormat(),
    "docx": DocxFormat(),
    "xliff": XliffFormat(),
    "po": PoFormat(),
    "srt": SrtFormat(),
    "vtt": VttFormat(),
}

if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[tuple(FORMATS)]
"""The names, for configurations: what is not one of them is refused with the list of all."""


def format_of(file: InputFile) -> DocumentFormat:
    """The format of a file."""
    return FORMATS[file.format]


def name_by_suffix(suffix: str) -> str | None:
    """The name of the format that a suffix tells (`.jsonl`); None where it tells none."""
    return next((name for name, known in FORMATS.items() if suffix.lower() in known.suffixes), None)
