"""The configuration of a corpus in, its files out as sources, and the rows of any part of a source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, Self

import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.text.reading.compression import codec_of, open_plain, without_codec
from seq2seq_core.text.reading.jsonl import read_fields
from seq2seq_core.text.reading.lines import Lines, decode, read_lines
from seq2seq_core.text.reading.moses import pair_lines
from seq2seq_core.text.reading.tsv import header_columns, read_columns
from seq2seq_core.text.records import Sifted

Format = Literal["moses", "tsv", "jsonl"]
_SUFFIXES: dict[str, Format] = {".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_DEFAULT_FIELDS: dict[Format, tuple[str, str]] = {"moses": ("", ""), "tsv": ("1", "2"), "jsonl": ("source", "target")}


class CorpusConfig(Config):
    """Where a corpus lies: two files with a segment a line (`source`, `target`), or one with both sides (`path`).

    Paths are local or URLs, may hold globs, and may end in .gz, .zst, .bz2 or .xz.
    """

    name: str | None = Field(None, description="what the corpus is called in messages")
    weight: float = Field(1.0, gt=0, description="how often an epoch of training passes over the corpus")
    max_rows: int | None = Field(None, ge=1, description="at most so many rows are kept, a uniform sample of them")
    source_language: str | None = Field(None, description="language of the source side (BCP 47)")
    target_language: str | None = Field(None, description="language of the target side (BCP 47)")
    tag: bool = Field(False, description="put >>target_language<< before each source, for multilingual models")
    filters: dict[str, Any] | None = Field(None, description="rules of this corpus, over those of the run")
    normalize: dict[str, Any] | None = Field(None, description="normalisation of this corpus, over that of the run")
    format: Format | None = Field(None, description="default: by the file's suffix; moses when source and target stand")
    source: str | None = Field(None, description="file or glob with the source side, a segment a line")
    target: str | None = Field(None, description="file or glob with the target side, a segment a line")
    path: str | None = Field(None, description="file or glob with both sides (TSV, JSONL)")
    source_field: str | int | None = Field(
        None, description="TSV: column number from 1 or header name; JSONL: field, dots reach inside (1; source)"
    )
    target_field: str | int | None = Field(None, description="as source_field, for the target side (2; target)")

    @pydantic.model_validator(mode="after")
    def _one_shape(self) -> Self:
        if self.path is None and self.source is None and self.target is None:
            return self
        two_files = self.source is not None and self.target is not None
        if (self.path is not None) == (self.source is not None or self.target is not None):
            raise ValueError(f"give source and target, or path alone; found path={self.path!r}, source={self.source!r}")
        if self.path is None and not two_files:
            raise ValueError(f"both sides are needed; found source={self.source!r}, target={self.target!r}")
        if two_files and self.format not in (None, "moses"):
            raise ValueError(f"format {self.format} has both sides in one file; found source and target, expected path")
        if self.path is not None and self.format == "moses":
            raise ValueError("format moses has a file for each side; found path, expected source and target")
        return self

    @property
    def has_source(self) -> bool:
        """Whether rows have a source side."""
        return True

    def resolved_format(self) -> Format:
        """The format given, or the one the file name tells of."""
        if self.format or self.path is None:
            return self.format or "moses"
        plain = without_codec(self.path).lower()
        found = next((format_ for suffix, format_ in _SUFFIXES.items() if plain.endswith(suffix)), None)
        if found is None:
            raise ConfigError(
                "the file name does not tell the format",
                where=storage.redact(self.path),
                expected=f"a name ending in one of {', '.join(_SUFFIXES)}",
                advice="Set format to tsv or jsonl.",
            )
        return found

    def sources(self) -> list[TextSource]:
        """The files, sorted by name; a StorageError or InputError when there are none or sides do not pair up."""
        format_ = self.resolved_format()
        fields = self._fields(format_)
        if self.path is not None:
            urls: list[tuple[str, ...]] = [(url,) for url in storage.expand(self.path)]
        else:
            urls = _pair_files(storage.expand(self.source or ""), storage.expand(self.target or ""))
        return [TextSource(format=format_, urls=pair, fields=fields) for pair in urls]

    def _fields(self, format_: Format) -> tuple[str, str]:
        given = (self.source_field, self.target_field)
        defaults = _DEFAULT_FIELDS[format_]
        fields = [str(defaults[side] if given[side] is None else given[side]) for side in (0, 1)]
        if format_ == "moses" and given != (None, None):
            raise ConfigError("a Moses pair has no fields", found=f"source_field, target_field = {given}")
        if format_ == "tsv" and fields[0].isdigit() != fields[1].isdigit():
            raise ConfigError("name both columns or number both", found=f"{fields[0]} and {fields[1]}")
        if format_ == "tsv" and "0" in fields:
            raise ConfigError("columns are numbered from 1", found=f"{fields[0]} and {fields[1]}")
        if format_ == "jsonl" and any(f"{a}.".startswith(f"{b}.") for a, b in (fields, fields[::-1])):
            raise ConfigError("the two fields must be two different texts", found=f"{fields[0]} and {fields[1]}")
        return fields[0], fields[1]


class TextSource(pydantic.BaseModel):
    """One file (or one of each side) of a corpus, and where its sides stand."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format: Format
    urls: tuple[str, ...]
    fields: tuple[str, str]

    @property
    def can_be_cut(self) -> bool:
        """Whether parts of it can be read on their own: only uncompressed files can."""
        return all(codec_of(url) is None for url in self.urls)

    @property
    def has_header(self) -> bool:
        """Whether the first line names the columns."""
        return self.format == "tsv" and not self.fields[0].isdigit()

    def columns(self, max_line_bytes: int) -> tuple[int, int]:
        """The column numbers of a TSV file; reads its header when columns are named (see `header_columns`)."""
        if not self.has_header:
            return int(self.fields[0]), int(self.fields[1])
        with open_plain(self.urls[0]) as stream:
            first = next(read_lines(stream, max_line_bytes), None)
        header = decode(first.part(0, 1), max_line_bytes)[0][0].as_py() if first else None
        if header is None:
            raise InputError("the header cannot be read", where=f"{storage.redact(self.urls[0])}, line 1")
        return header_columns(header, self.fields, self.urls[0])


class Part(pydantic.BaseModel):
    """A range of lines of a source: byte ranges in each of its files (an end of None: all the rest)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    source: TextSource
    ranges: tuple[tuple[int, int | None], ...]
    first_line: int


def read_part(part: Part, max_line_bytes: int) -> Iterator[Sifted]:
    """The rows of a part in order, in batches of some megabytes.

    Raises:
        InputError: An archive is damaged, or the two sides have different numbers of lines.
    """
    source = part.source
    with contextlib.ExitStack() as stack:
        lines = [
            read_lines(stack.enter_context(open_plain(url, start, end)), max_line_bytes, at_start=start == 0)
            for url, (start, end) in zip(source.urls, part.ranges, strict=True)
        ]
        first_line = part.first_line
        if source.format == "moses":
            names = (source.urls[0], source.urls[1])
            yield from pair_lines(lines[0], lines[1], names, first_line, max_line_bytes)
        elif source.format == "jsonl":
            yield from read_fields(lines[0], source.fields, first_line, max_line_bytes)
        else:
            rows = lines[0]
            if source.has_header and first_line == 1:
                rows, first_line = _without_first(rows), 2
            yield from read_columns(rows, source.columns(max_line_bytes), first_line, max_line_bytes)


def _without_first(batches: Iterator[Lines]) -> Iterator[Lines]:
    for position, batch in enumerate(batches):
        yield batch.part(1) if position == 0 else batch


def _pair_files(source: list[str], target: list[str]) -> list[tuple[str, ...]]:
    if len(source) != len(target):
        raise InputError(
            "the two sides of a corpus differ in number of files",
            found=f"{len(source)} source files from {source[0]} and {len(target)} target files from {target[0]}",
            expected="the same names in the same order on both sides",
        )
    return list(zip(source, target, strict=True))
