"""The description of one file of a corpus, or of a pair of files: how it is read, and what rows are made of."""

from __future__ import annotations

import pydantic

from seq2seq_core import storage
from seq2seq_core.corpora import arrow, parquet
from seq2seq_core.corpora.columns import find_columns
from seq2seq_core.corpora.index import empty
from seq2seq_core.corpora.listing import Format
from seq2seq_core.corpora.rows import Shape
from seq2seq_core.corpora.tsv import header_columns, is_number
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import codec_of
from seq2seq_core.files.encodings import open_text
from seq2seq_core.files.lines import Lines, decode, read_lines

COLUMNAR: tuple[Format, ...] = ("parquet", "arrow")


class TextSource(pydantic.BaseModel):
    """One file (or one of each side) of a corpus, and what rows are made of.

    Attributes:
        format: How to read it.
        urls: The file, or those of source and target.
        fields: Names of the fields with source and target, or with the text alone; () where the format has none.
        score_field: Name of the field with the score.
        languages: Of source and target, where a file holds many.
        prompt_words: So many first words of a text alone are its source.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format: Format
    urls: tuple[str, ...]
    fields: tuple[str, ...]
    score_field: str | None = None
    languages: tuple[str, str] | None = None
    prompt_words: int = 0

    @property
    def can_be_cut(self) -> bool:
        """Whether parts of it can be read on their own, by its names: compressed files and XML cannot.

        Nor can text in another encoding than UTF-8, which only a look at the file tells (`encodings`, `index`).
        """
        return self.format != "tmx" and all(codec_of(url) is None for url in self.urls)

    @property
    def has_header(self) -> bool:
        """Whether the first line names the columns."""
        return self.format == "tsv" and not is_number(self.fields[0])

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of all fields a row is made of."""
        return self.fields if self.score_field is None else (*self.fields, self.score_field)

    @property
    def shape(self) -> Shape:
        """What a row is made of."""
        is_alone = self.format == "text" or len(self.fields) == 1
        return Shape(1 if is_alone else 2, self.score_field is not None, self.prompt_words)

    def check(self, max_line_bytes: int) -> None:
        """Look for the columns in a file that names them; an InputError when one is missing or of another type."""
        if self.format == "tsv":
            self.columns(max_line_bytes)
        elif self.format in COLUMNAR:
            reader = parquet if self.format == "parquet" else arrow
            find_columns(reader.read_schema(self.urls[0]), self.wanted, self.shape, storage.redact(self.urls[0]))

    def columns(self, max_line_bytes: int) -> tuple[int, ...]:
        """The column numbers of a TSV file; reads its header when columns are named (see `header_columns`)."""
        if not self.has_header:
            return tuple(map(int, self.wanted))
        with open_text(self.urls[0]) as stream:
            return self.columns_in(next(read_lines(stream, max_line_bytes), None), max_line_bytes)

    def columns_in(self, first: Lines | None, max_line_bytes: int) -> tuple[int, ...]:
        """As `columns`, by the first lines of the file."""
        if first is None:
            raise empty(self.urls[0])
        text, problems = decode(first.part(0, 1), max_line_bytes)
        if problems:
            where, problem = f"{storage.redact(self.urls[0])}, line 1", problems[0]
            raise InputError("the header cannot be read", where=where, found=problem.value, expected=problem.threshold)
        return header_columns(text[0].as_py(), self.wanted, self.urls[0])
