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
from seq2seq_core.corpora import arrow, parquet
from seq2seq_core.corpora.index import check_rows
from seq2seq_core.corpora.jsonl import read_fields
from seq2seq_core.corpora.listing import Format, expand_all, format_of, pair_files, stem_of
from seq2seq_core.corpora.monolingual import read_texts
from seq2seq_core.corpora.moses import pair_lines
from seq2seq_core.corpora.saved_dataset import data_files, is_saved_dataset
from seq2seq_core.corpora.source import COLUMNAR, TextSource
from seq2seq_core.corpora.tmx import read_units
from seq2seq_core.corpora.tsv import check_columns, read_columns
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.files.compression import READ_AHEAD_BYTES, codec_of, unpacked
from seq2seq_core.files.encodings import text_of
from seq2seq_core.files.fields import overlap
from seq2seq_core.files.lines import read_lines
from seq2seq_core.files.seal import Extent, Seal, Watched
from seq2seq_core.records import Sifted

_WITH_FIELDS: tuple[Format, ...] = ("tsv", "jsonl", *COLUMNAR)
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
            _refuse_equal_sides(urls)
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
        packed = next((url for url in files if format_ in COLUMNAR and codec_of(url)), None)
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


class Part(pydantic.BaseModel):
    """A range of a source in each of its files (an end of None: all the rest), and the number of its first line.

    Ranges are in bytes, but in row groups for Parquet. Where there are seals, one a file, what is read is compared.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    source: TextSource
    ranges: tuple[tuple[int, int | None], ...]
    first_line: int
    seals: tuple[Seal, ...] = ()

    @classmethod
    def whole(cls, source: TextSource, seals: tuple[Seal, ...] = ()) -> Part:
        """All of a source."""
        return cls(source=source, ranges=((0, None),) * len(source.urls), first_line=1, seals=seals)


def read_part(part: Part, max_line_bytes: int) -> Iterator[Sifted]:
    """The rows of a part in order, in batches of some megabytes.

    They may be believed when there are no more: a file that has changed is found at the end, or with the first error.

    Raises:
        InputError: A file is damaged, lacks a column, or is not what was counted, or the two sides have different
            numbers of lines.
    """
    with contextlib.ExitStack() as stack:
        files = [_open(part, position, stack) for position in range(len(part.source.urls))]
        try:
            yield from _rows_of(part, files, max_line_bytes)
        except InputError:  # of a file that has changed, that is what is wrong with it
            for file in files:
                file.check()
            raise
        for file in files:
            file.check()


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


def _open(part: Part, position: int, stack: contextlib.ExitStack) -> Watched:
    """A file of a part, which knows the range that is going to be read of it."""
    source, url = part.source, part.source.urls[position]
    seal = part.seals[position] if part.seals else None
    ahead = None if source.format == "parquet" else READ_AHEAD_BYTES
    file = Watched(stack.enter_context(storage.open_input(url, block_bytes=ahead)), url, seal)
    if source.format != "parquet":
        head = [Extent(0, seal.head)] if seal is not None and seal.head else []
        file.expect([*head, Extent(*part.ranges[position])])
    return file


def _rows_of(part: Part, files: Sequence[Watched], max_line_bytes: int) -> Iterator[Sifted]:
    """The rows of a part, whatever its format."""
    source, file, url = part.source, files[0], part.source.urls[0]
    if source.format in COLUMNAR:
        read = parquet.read_row_groups if source.format == "parquet" else arrow.read_batches
        yield from read(file, url, part.ranges[0], source.wanted, source.shape, part.first_line, max_line_bytes)
    elif source.format == "tmx":
        yield from read_units(unpacked(file, url), source.languages or ("", ""), url, max_line_bytes)
    elif source.format == "tsv":
        yield from _tsv_rows_of(part, file, max_line_bytes)
    else:
        yield from _line_rows_of(part, files, max_line_bytes)


def _line_rows_of(part: Part, files: Sequence[Watched], max_line_bytes: int) -> Iterator[Sifted]:
    """The rows of a format with a text, a pair or an object a line."""
    source, shape, first_line = part.source, part.source.shape, part.first_line
    lines = [
        read_lines(text_of(file, url, start, end), max_line_bytes, at_start=start == 0)
        for file, url, (start, end) in zip(files, source.urls, part.ranges, strict=True)
    ]
    if source.format == "moses":
        names = (source.urls[0], source.urls[1])
        yield from pair_lines(lines[0], lines[1], names, first_line, max_line_bytes)
    elif source.format == "jsonl":
        yield from read_fields(lines[0], source.wanted, shape, first_line, max_line_bytes)
    else:
        yield from read_texts(lines[0], shape, first_line, max_line_bytes)


def _tsv_rows_of(part: Part, file: Watched, max_line_bytes: int) -> Iterator[Sifted]:
    """The rows of columns between tabs; the first line names them where it is a header."""
    source, url, (start, end), first_line = part.source, part.source.urls[0], part.ranges[0], part.first_line
    begins_with_names = source.has_header and first_line == 1
    columns = () if begins_with_names else _columns_of(part, file, max_line_bytes)
    lines = read_lines(text_of(file, url, start, end), max_line_bytes, at_start=start == 0)
    if begins_with_names:
        first = next(lines, None)
        columns = source.columns_in(first, max_line_bytes)
        lines, first_line = itertools.chain([] if first is None else [first.part(1)], lines), 2
    yield from read_columns(lines, columns, source.shape, first_line, max_line_bytes)


def _columns_of(part: Part, file: Watched, max_line_bytes: int) -> tuple[int, ...]:
    """The columns of a part without the header, which stands before it."""
    source, head = part.source, part.seals[0].head if part.seals else 0
    if not head:
        return source.columns(max_line_bytes)
    lines = read_lines(text_of(file, source.urls[0], 0, head), max_line_bytes)
    return source.columns_in(next(lines, None), max_line_bytes)


def _refuse_equal_sides(pairs: Sequence[tuple[str, ...]]) -> None:
    """Raise a ConfigError where one file is both sides of a pair, by whatever names."""
    same = next((pair for pair in pairs if storage.identity(pair[0]) == storage.identity(pair[1])), None)
    if same is not None:
        raise ConfigError(
            "both sides of a corpus are the same file",
            where=storage.redact(same[0]),
            expected="a file with the source side and another with the target side",
            advice="Give source and target names (or globs) of their own.",
        )


def _patterns(given: Patterns | None) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else given


def _check_fields(format_: Format, fields: Sequence[str]) -> None:
    """Refuse fields that cannot stand together."""
    if format_ == "tsv":
        check_columns(fields)
    elif any(overlap(one, other) for one, other in itertools.combinations(fields, 2)):
        raise ConfigError("the fields must be different values", found=" and ".join(fields))
