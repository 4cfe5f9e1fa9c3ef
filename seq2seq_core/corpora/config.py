"""The configuration of a corpus in, its files out as sources, which tell how they are read."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Self

import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.corpora.formats.base.format import Format
from seq2seq_core.corpora.formats.table import FORMATS, FormatName
from seq2seq_core.corpora.listing import expand_all, format_of, pair_files, stem_of
from seq2seq_core.corpora.terms.index import check_some, empty
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.errors import ConfigError
from seq2seq_core.files.compression import codec_of

_LANGUAGE = r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$"
_NAMING = ("source", "target", "path", "text")

Patterns = Location | tuple[Location, ...]


class CorpusConfig(Config):
    """Where a corpus lies: two files with a segment a line, one with both sides, or text alone to learn to generate.

    Paths are local or URLs, may hold globs, may be lists, and may end in .gz, .zst, .bz2 or .xz. The order in which
    they are given does not matter.
    """

    name: str | None = Field(
        None, min_length=1, description="what the corpus is called in messages and reports; default: after its files"
    )
    format: FormatName | None = Field(
        None, description="default: by the file's suffix; moses when source and target stand"
    )
    source: Patterns | None = Field(None, description="files or globs with the source side, a segment a line")
    target: Patterns | None = Field(None, description="files or globs with the target side, a segment a line")
    path: Patterns | None = Field(
        None,
        description="files or globs with both sides (TSV, JSONL, Parquet, Arrow, TMX, manifests and archives of "
        "speech), or a folder: saved to disk by Hugging Face datasets, or of LibriSpeech, Common Voice or Kaldi",
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
    alignment_field: str | int | None = Field(
        None,
        description="as source_field, a text with pairs of words that mean the same (0-0 1-2, from 0 on, the source "
        "first): kept by keep_alignments for guided_alignment",
    )
    min_score: float | None = Field(
        None, ge=-1e12, le=1e12, description="rows whose score_field is lower are rejected (low_score); null: none"
    )
    split: str | None = Field(
        None,
        min_length=1,
        description="which split of a saved dataset with several, or of Common Voice (default: train); which folder "
        "of LibriSpeech (default: all)",
    )
    audio_root: Location | None = Field(
        None,
        description="the folder that audio lies in which rows name: absolute paths must lie in it, relative ones start "
        "at the folder of the file with the rows, or here where that lies outside; default: that folder",
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

    @pydantic.field_validator(*_NAMING)
    @classmethod
    def _in_order(cls, patterns: Patterns | None) -> Patterns | None:
        """Lists in order: what a dataset tells of its configuration does not depend on how they were given either."""
        return tuple(sorted(patterns)) if isinstance(patterns, tuple) else patterns

    @pydantic.model_validator(mode="after")
    def _one_shape(self) -> Self:
        for name in _NAMING:
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
            there, missing = ("target", "source") if self.source is None else ("source", "target")
            raise ValueError(
                f"both sides are needed; found {there}={getattr(self, there)!r} without {missing}. Give {missing} as "
                "well, or path for a file with both sides, or text for text alone"
            )
        if self.min_score is not None and self.score_field is None:
            raise ValueError(f"min_score ({self.min_score}) needs score_field")
        if self.alignment_field is not None and self.is_text_alone:
            raise ValueError("alignment_field needs a source; found text alone")
        if self.tag and self.target_language is None:
            raise ValueError("tag needs target_language")
        if any(given):
            self._check_format_given()
            self._check_text_alone()
        return self

    def _check_format_given(self) -> None:
        if self.format is None or self._given == FORMATS[self.format].given_by:
            return
        expected = [*FORMATS[self.format].given_by]
        if self.text is not None and FORMATS[self.format].default_fields:
            expected.append("text_field")
        raise ValueError(
            f"format {self.format} does not fit; found {' and '.join(self._given)}, expected {' and '.join(expected)}"
        )

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
    def _given(self) -> tuple[str, ...]:
        """The keys that name files."""
        return tuple(name for name in _NAMING if getattr(self, name) is not None)

    @property
    def given_patterns(self) -> tuple[tuple[str, ...], ...]:
        """The patterns of each side; of one, where a file holds both."""
        return tuple(_patterns(getattr(self, name)) for name in self._given)

    @property
    def is_text_alone(self) -> bool:
        """Whether there is no source side."""
        return self.text is not None or self.text_field is not None

    @property
    def default_name(self) -> str:
        """What to call it when it has no name: after its first path."""
        return stem_of(min(self._first, default="corpus"))

    @property
    def _first(self) -> tuple[str, ...]:
        """What is given for the files, or for those with the source side."""
        return _patterns(self.path or self.text or self.source)

    def resolved_format(self, output: str | None = None) -> FormatName:
        """The format given, or the only one whose files are given so, or the one that the file names tell of."""
        if self.format is not None:
            return self.format
        possible = [name for name, format_ in FORMATS.items() if format_.given_by == self._given]
        return possible[0] if len(possible) == 1 else format_of(self._first, output)

    def source_modality(self, output: str | None = None) -> str:
        """What the source is where nobody says so, by the format: a name of the table of modalities."""
        return FORMATS[self.resolved_format(output)].source_modality

    def sources(
        self,
        output: str | None = None,
        values: tuple[str, ...] = (),
        given: Sequence[tuple[str, ...]] | None = None,
    ) -> list[Source]:
        """The files, sorted by name, but for those in the output of a run; see `listing` for what else is passed over.

        Args:
            output: Of the run, if it has one.
            values: The sides that are no text, and read as values of whatever type they have.
            given: The files of each source, in the place of those that the patterns name.

        Raises:
            StorageError, InputError: There are none, or the sides do not pair up.
            ConfigError: The format does not fit what is given.
        """
        name = self.resolved_format(output)
        format_ = FORMATS[name]
        self._check_audio(format_, values)
        if values and not format_.has_values:
            possible = (f for f in FORMATS.values() if f.has_values and f.source_modality == Format.source_modality)
            columns = " or ".join(sorted(other.called for other in possible))
            raise ConfigError(f"{format_.called} holds text alone", found=f"{values[0]} of values", expected=columns)
        fields = self._fields(format_)
        languages = self._languages(format_) if format_.needs_languages else None
        sources = [
            Source(
                format=name,
                urls=urls,
                fields=fields,
                score_field=None if self.score_field is None else str(self.score_field),
                alignment_field=None if self.alignment_field is None else str(self.alignment_field),
                languages=languages,
                prompt_words=self.prompt_words,
                values=values,
                audio_root=self.audio_root,
            )
            for urls in (self._urls(format_, output) if given is None else given)
        ]
        if given is None:
            self._refuse_empty(format_, sources)
        return sources

    def _check_audio(self, format_: Format, values: tuple[str, ...]) -> None:
        """Raise a ConfigError where the source side is not read as what the format has there."""
        if format_.source_modality != Format.source_modality and "source" not in values:
            raise ConfigError(
                f"{format_.called} holds no text on its source side",
                found="a source of text",
                expected=f"source_modality {format_.source_modality}",
            )
        if self.audio_root is not None and not format_.has_values:
            raise ConfigError(f"{format_.called} names no audio", found=f"audio_root {storage.redact(self.audio_root)}")

    def _urls(self, format_: Format, output: str | None) -> list[tuple[str, ...]]:
        """The files of each source."""
        folders = self._folders(format_)
        if self.path is not None:
            return self._below_path(format_, folders, output)
        if self.text is not None:
            return [(url,) for url in expand_all(_patterns(self.text), output)]
        pairs = pair_files(expand_all(_patterns(self.source), output), expand_all(_patterns(self.target), output))
        _refuse_equal_sides(pairs)
        return pairs

    def _folders(self, format_: Format) -> list[str]:
        """Those of the paths that are folders of the format's own; only these have splits."""
        patterns = _patterns(self.path)
        folders = [url for url in patterns if format_.owns(url)]
        if self.split is not None and (not folders or len(folders) < len(patterns)):
            raise ConfigError("only a folder that is one corpus has splits", found=f"split {self.split} and files")
        return folders

    def _below_path(self, format_: Format, folders: Sequence[str], output: str | None) -> list[tuple[str, ...]]:
        patterns = [pattern for pattern in _patterns(self.path) if pattern not in folders]
        if patterns and format_.is_folder:
            raise ConfigError(f"no {format_.called.removeprefix('a ')}", where=storage.redact(patterns[0]))
        urls: list[tuple[str, ...]] = [(url,) for url in expand_all(patterns, output)]
        urls += [found for folder in folders for found in format_.sources_in(folder, self.split)]
        packed = next((names[0] for names in urls if codec_of(names[0]) and not format_.takes_archives), None)
        if packed is not None:
            raise ConfigError(
                f"{format_.called} is not read through an archive",
                where=storage.redact(packed),
                advice="Unpack it: the format compresses its columns itself.",
            )
        return sorted(set(urls))

    def _refuse_empty(self, format_: Format, sources: Sequence[Source]) -> None:
        """Raise an InputError where a file that is named outright has no rows; one of many that a glob names may."""
        named = {pattern for key in self._given for pattern in _patterns(getattr(self, key))}
        for source in sources:
            for url in (url for url in source.urls if url in named):
                check_some(url, storage.size(url))
                if not format_.has_rows(source, url):
                    raise empty(url)

    def _languages(self, format_: Format) -> tuple[str, str]:
        source, target = self.source_language, self.target_language
        if source is None or target is None or source.lower().replace("_", "-") == target.lower().replace("_", "-"):
            raise ConfigError(
                f"{format_.called} may hold many languages: two of them must be chosen",
                found=f"source_language={source}, target_language={target}",
                expected="two different languages, as in xml:lang",
            )
        return source, target

    def _fields(self, format_: Format) -> tuple[str, ...]:
        """The names of the fields with texts, checked together with the others; none where rows have no fields."""
        given = [self.text_field] if self.is_text_alone else [self.source_field, self.target_field]
        others = [str(field) for field in (self.score_field, self.alignment_field) if field is not None]
        if not format_.default_fields:
            if others or any(field is not None for field in given):
                raise ConfigError(f"{format_.called} has no fields", found=f"fields {[*given, *others]}")
            return ()
        pairs = zip(given, format_.default_fields, strict=False)
        texts = tuple(str(default if field is None else field) for field, default in pairs)
        format_.check_fields([*texts, *others])
        return texts


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
