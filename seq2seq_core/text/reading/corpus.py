"""The configuration of a corpus in, its files out as sources, and the rows of any part of a source."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Self

import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.text.reading import arrow, parquet
from seq2seq_core.text.reading.columns import find_columns
from seq2seq_core.text.reading.compression import codec_of, open_plain
from seq2seq_core.text.reading.encodings import open_text
from seq2seq_core.text.reading.fields import overlap
from seq2seq_core.text.reading.index import check_rows, empty
from seq2seq_core.text.reading.jsonl import read_fields
from seq2seq_core.text.reading.lines import Lines, decode, read_lines
from seq2seq_core.text.reading.listing import Format, expand_all, format_of, pair_files, stem_of
from seq2seq_core.text.reading.monolingual import read_texts
from seq2seq_core.text.reading.moses import pair_lines
from seq2seq_core.text.reading.rows import Shape
from seq2seq_core.text.reading.saved_dataset import data_files, is_saved_dataset
from seq2seq_core.text.reading.tmx import read_units
from seq2seq_core.text.reading.tsv import check_columns, header_columns, is_number, read_columns
from seq2seq_core.text.records import Sifted

_COLUMNAR: tuple[Format, ...] = ("parquet", "arrow")
_WITH_FIELDS: tuple[Format, ...] = ("tsv", "jsonl", *_COLUMNAR)
_LANGUAGE = r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$"

Patterns = Location | tuple[Location, ...]


class CorpusConfig(Config):
    """Where a corpus lies: two files with a segment a line, one with both sides, or text alone to learn to generate.

    Paths are local or URLs, may hold globs, may be lists, and may end in .gz, .zst, .bz2 or .xz. The order in which
    they are given does not matter.
    """

    name: str | None = Field(
        None, min_length=1, description="what the corpus is called in messages and reports; default: after its files"
    )
    format: Format | None = Field(None, description="default: by the file's suffix; moses when source and target stand")
    source: Patterns | None = Field(None, description="files or globs with the source side, a segment a line")
    target: Patterns | None = Field(None, description="files or globs with the target side, a segment a line")
    path: Patterns | None = Field(
        None,
        description="files or globs with both sides (TSV, JSONL, Parquet, Arrow, TMX), or a folder that Hugging Face "
        "datasets saved to disk",
    )
    text: Patterns | None = Field(
        None, description="files or globs with text alone, a segment a line: it is all target, the source is empty"
    )
    source_field: str | int | None = Field(
        None,
        description="TSV: column number from 1 or header name (1); JSONL, Parquet, Arrow: field (source); dots reach "
        "inside, a number picks from a list, a star joins it (translation.en, summaries.0, sentences.*)",
    )
    target_field: str | int | None = Field(None, description="as source_field, for the target side (2; target)")
    text_field: str | int | None = Field(
        None, description="as source_field, when path holds text alone: it is all target, the source is empty"
    )
    score_field: str | int | None = Field(
        None, description="as source_field, a number: of duplicates the one with the highest may be kept"
    )
    split: str | None = Field(
        None, min_length=1, description="which split of a saved dataset with several (default: train)"
    )
    prompt_words: int = Field(
        0, ge=0, le=10_000, description="of text alone, so many first words are the source and the rest the target"
    )
    source_language: str | None = Field(None, pattern=_LANGUAGE, description="language of the source side (en, pt-BR)")
    target_language: str | None = Field(None, pattern=_LANGUAGE, description="language of the target side")
    tag: bool = Field(False, description="put >>target_language<< before every source, for multilingual models")
    weight: float = Field(1.0, gt=0, le=1000, description="how often an epoch of training passes over the corpus")
    max_rows: int | None = Field(
        None,
        ge=1,
        le=1 << 40,
        description="at most so many rows of the corpus stay, a uniform sample of those that could",
    )
    filters: dict[str, Any] | None = Field(None, description="rules for this corpus, on top of the run's filters")
    normalize: dict[str, Any] | None = Field(None, description="normalisers for this corpus, on top of the run's")

    @pydantic.field_validator("source", "target", "path", "text")
    @classmethod
    def _in_order(cls, patterns: Patterns | None) -> Patterns | None:
        """Lists in order: what a dataset tells of its configuration does not depend on how they were given either."""
        return tuple(sorted(patterns)) if isinstance(patterns, tuple) else patterns

    @pydantic.model_validator(mode="after")
    def _one_shape(self) -> Self:
        for name in ("source", "target", "path", "text"):
            patterns = _patterns(getattr(self, name))
            if getattr(self, name) is not None and not patterns:
                raise ValueError(f"{name} names no file")
        pair = self.source is not None or self.target is not None
        given = [pair, self.path is not None, self.text is not None]
        if sum(given) > 1:
            raise ValueError(
                f"give source and target, or path alone, or text alone; found path={self.path!r}, "
                f"source={self.source!r}, text={self.text!r}"
            )
        if pair and (self.source is None or self.target is None):
            raise ValueError(f"both sides are needed; found source={self.source!r}, target={self.target!r}")
        if self.tag and self.target_language is None:
            raise ValueError("tag needs target_language")
        if any(given):
            self._check_format_given()
            self._check_text_alone()
        return self

    def _check_format_given(self) -> None:
        if self.source is not None and self.format not in (None, "moses"):
            raise ValueError(f"format {self.format} has both sides in one file; found source and target, expected path")
        if self.text is not None and self.format not in (None, "text"):
            raise ValueError(f"format {self.format} has fields; found text, expected path and text_field")
        if self.path is not None and self.format == "moses":
            raise ValueError("format moses has a file for each side; found path, expected source and target")
        if self.path is not None and self.format == "text":
            raise ValueError("format text has a segment a line; found path, expected text")

    def _check_text_alone(self) -> None:
        sides = (self.source_field, self.target_field)
        if self.text_field is not None and (self.path is None or sides != (None, None)):
            raise ValueError("give text_field with path alone, for a corpus without source_field and target_field")
        if self.prompt_words and not self.is_text_alone:
            raise ValueError("prompt_words is for text alone; expected text, or path and text_field")

    @property
    def has_files(self) -> bool:
        """Whether files are named at all."""
        return self.source is not None or self.path is not None or self.text is not None

    @property
    def is_text_alone(self) -> bool:
        """Whether there is no source side."""
        return self.text is not None or self.text_field is not None

    @property
    def default_name(self) -> str:
        """What to call it when it has no name: after its first path."""
        return stem_of(min(_patterns(self.path or self.text or self.source), default="corpus"))

    def resolved_format(self, output: str | None = None) -> Format:
        """The format given, or the one the file names tell of."""
        if self.format is not None or self.path is None:
            return self.format or ("text" if self.text is not None else "moses")
        return format_of(_patterns(self.path), output)

    def sources(self, output: str | None = None) -> list[TextSource]:
        """The files, sorted by name, but for those in the output of a run; see `listing` for what else is passed over.

        Raises:
            StorageError, InputError: There are none, or the sides do not pair up.
        """
        format_ = self.resolved_format(output)
        fields = self._fields(format_)
        if format_ != "arrow" and self.split is not None:
            raise ConfigError("only a saved dataset has splits", found=f"split {self.split} and format {format_}")
        if self.path is not None:
            urls: list[tuple[str, ...]] = [(url,) for url in self._files(format_, output)]
        elif self.text is not None:
            urls = [(url,) for url in expand_all(_patterns(self.text), output)]
        else:
            urls = pair_files(expand_all(_patterns(self.source), output), expand_all(_patterns(self.target), output))
        sources = [
            TextSource(
                format=format_,
                urls=names,
                fields=fields,
                score_field=None if self.score_field is None else str(self.score_field),
                languages=self._languages() if format_ == "tmx" else None,
                prompt_words=self.prompt_words,
            )
            for names in urls
        ]
        self._refuse_empty(sources)
        return sources

    def _refuse_empty(self, sources: Sequence[TextSource]) -> None:
        """Raise an InputError where a file that is named outright has no rows; one of many that a glob names may."""
        named = {pattern for given in (self.path, self.source, self.target, self.text) for pattern in _patterns(given)}
        for source in sources:
            for url in (url for url in source.urls if url in named):
                check_rows(source.format, url, has_header=source.has_header)

    def _files(self, format_: Format, output: str | None) -> list[str]:
        """The files of `path`."""
        patterns = _patterns(self.path)
        folders = [url for url in patterns if format_ == "arrow" and storage.is_folder(url) and is_saved_dataset(url)]
        if self.split is not None and len(folders) < len(patterns):
            raise ConfigError("only a saved dataset has splits", found=f"split {self.split} and files")
        files = expand_all([pattern for pattern in patterns if pattern not in folders], output)
        files += [url for folder in folders for url in data_files(folder, self.split)]
        packed = next((url for url in files if format_ in _COLUMNAR and codec_of(url)), None)
        if packed is not None:
            raise ConfigError(
                f"a {format_} file is not read through an archive",
                where=storage.redact(packed),
                advice="Unpack it: the format compresses its columns itself.",
            )
        return sorted(set(files))

    def _languages(self) -> tuple[str, str]:
        source, target = self.source_language, self.target_language
        if source is None or target is None or source.lower().replace("_", "-") == target.lower().replace("_", "-"):
            raise ConfigError(
                "a TMX file may hold many languages: two of them must be chosen",
                found=f"source_language={source}, target_language={target}",
                expected="two different languages, as in xml:lang",
            )
        return source, target

    def _fields(self, format_: Format) -> tuple[str, ...]:
        """The names of the fields with texts, checked together with the score's; none where lines have no fields."""
        given = [self.text_field] if self.is_text_alone else [self.source_field, self.target_field]
        scores = [] if self.score_field is None else [str(self.score_field)]
        if format_ not in _WITH_FIELDS:
            if scores or any(field is not None for field in given):
                what = {"moses": "a Moses pair", "text": "text a segment a line", "tmx": "a TMX file"}[format_]
                raise ConfigError(f"{what} has no fields", found=f"fields {[*given, *scores]}")
            return ()
        defaults = ("1", "2") if format_ == "tsv" else ("source", "target")
        texts = tuple(str(default if field is None else field) for field, default in zip(given, defaults, strict=False))
        _check_fields(format_, [*texts, *scores])
        return texts


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
        elif self.format in _COLUMNAR:
            reader = parquet if self.format == "parquet" else arrow
            find_columns(reader.read_schema(self.urls[0]), self.wanted, self.shape, storage.redact(self.urls[0]))

    def columns(self, max_line_bytes: int) -> tuple[int, ...]:
        """The column numbers of a TSV file; reads its header when columns are named (see `header_columns`)."""
        if not self.has_header:
            return tuple(map(int, self.wanted))
        with open_text(self.urls[0]) as stream:
            first = next(read_lines(stream, max_line_bytes), None)
        if first is None:
            raise empty(self.urls[0])
        text, problems = decode(first.part(0, 1), max_line_bytes)
        if problems:
            where, problem = f"{storage.redact(self.urls[0])}, line 1", problems[0]
            raise InputError("the header cannot be read", where=where, found=problem.value, expected=problem.threshold)
        return header_columns(text[0].as_py(), self.wanted, self.urls[0])


class Part(pydantic.BaseModel):
    """A range of a source in each of its files (an end of None: all the rest), and the number of its first line.

    Ranges are in bytes, but in row groups for Parquet.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    source: TextSource
    ranges: tuple[tuple[int, int | None], ...]
    first_line: int

    @classmethod
    def whole(cls, source: TextSource) -> Part:
        """All of a source."""
        return cls(source=source, ranges=((0, None),) * len(source.urls), first_line=1)


def read_part(part: Part, max_line_bytes: int) -> Iterator[Sifted]:
    """The rows of a part in order, in batches of some megabytes.

    Raises:
        InputError: A file is damaged, lacks a column, or the two sides have different numbers of lines.
    """
    source = part.source
    if source.format in _COLUMNAR:
        read = parquet.read_row_groups if source.format == "parquet" else arrow.read_batches
        yield from read(source.urls[0], part.ranges[0], source.wanted, source.shape, part.first_line, max_line_bytes)
    elif source.format == "tmx":
        with open_plain(source.urls[0]) as stream:
            yield from read_units(stream, source.languages or ("", ""), source.urls[0], max_line_bytes)
    else:
        yield from _read_lines_of(part, max_line_bytes)


def corpus_names(corpora: Sequence[CorpusConfig]) -> tuple[str, ...]:
    """What each corpus is called: the name given, or one after its files, with a number where that is taken.

    Raises:
        ConfigError: Two corpora were given the same name.
    """
    given = [corpus.name for corpus in corpora if corpus.name is not None]
    twice = next((name for position, name in enumerate(given) if name in given[:position]), None)
    if twice is not None:
        raise ConfigError("two corpora have the same name", found=twice, advice="Give each corpus a name of its own.")
    taken = set(given)
    names = []
    for corpus in corpora:
        name = corpus.name
        if name is None:
            numbered = (f"{corpus.default_name}-{number}" for number in itertools.count(2))
            name = next(n for n in itertools.chain([corpus.default_name], numbered) if n not in taken)
            taken.add(name)
        names.append(name)
    return tuple(names)


def _read_lines_of(part: Part, max_line_bytes: int) -> Iterator[Sifted]:
    """The rows of a format of lines."""
    source, shape, first_line = part.source, part.source.shape, part.first_line
    with contextlib.ExitStack() as stack:
        lines = [
            read_lines(stack.enter_context(open_text(url, start, end)), max_line_bytes, at_start=start == 0)
            for url, (start, end) in zip(source.urls, part.ranges, strict=True)
        ]
        if source.format == "moses":
            names = (source.urls[0], source.urls[1])
            yield from pair_lines(lines[0], lines[1], names, first_line, max_line_bytes)
        elif source.format == "jsonl":
            yield from read_fields(lines[0], source.wanted, shape, first_line, max_line_bytes)
        elif source.format == "text":
            yield from read_texts(lines[0], shape, first_line, max_line_bytes)
        else:
            rows = lines[0]
            if source.has_header and first_line == 1:
                rows, first_line = _without_first(rows), 2
            yield from read_columns(rows, source.columns(max_line_bytes), shape, first_line, max_line_bytes)


def _without_first(batches: Iterator[Lines]) -> Iterator[Lines]:
    for position, batch in enumerate(batches):
        yield batch.part(1) if position == 0 else batch


def _patterns(given: Patterns | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else given


def _check_fields(format_: Format, fields: Sequence[str]) -> None:
    """Refuse fields that cannot stand together."""
    if format_ == "tsv":
        check_columns(fields)
    elif any(overlap(one, other) for one, other in itertools.combinations(fields, 2)):
        raise ConfigError("the fields must be different values", found=" and ".join(fields))
