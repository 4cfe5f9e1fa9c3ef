"""Paths, globs and URLs in, input files out: each with its format and its place in the output."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.files.compression import codec_of, without_codec
from seq2seq_core.listing import find_files
from seq2seq_core.text.languages import is_language_suffix

RecordFormat = Literal["text", "jsonl", "parquet"]

MARKER_FOLDER = ".units"
FAILURE_FOLDER = "failures"

_SUFFIXES: dict[str, RecordFormat] = {".txt": "text", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_STANDARD_SUFFIX: dict[RecordFormat, str] = {"text": ".txt", "jsonl": ".jsonl", "parquet": ".parquet"}
_SIDES = (".src", ".tgt")


@dataclass(frozen=True)
class InputFile:
    """A file to be translated.

    Attributes:
        url: Where it stands.
        name: Its output's name below the output folder, without number and suffix (`news/a`).
        suffix: What its outputs end in (`.jsonl.gz`).
    """

    url: str
    name: str
    suffix: str
    format: RecordFormat

    @property
    def codec(self) -> str | None:
        """How the file is compressed, by its name; its outputs are compressed in the same way."""
        return codec_of(self.url)

    @property
    def where(self) -> str:
        """The URL as messages and manifests show it."""
        return storage.redact(self.url)


def find_inputs(patterns: Sequence[str], record_format: RecordFormat | None, output: str) -> list[InputFile]:
    """All files the patterns name, in order, each once, however it is spelt.

    Below a folder or a glob, folders are mirrored in the output; see `listing` for what is passed over there.

    Args:
        patterns: Paths, globs, folders or URLs.
        record_format: The format of every file, or None to go by suffixes.
        output: The output folder; it must not hold any of the inputs.

    Raises:
        StorageError: A pattern names nothing.
        InputError: The format of a file is not known.
        ConfigError: Two files would have the same output, or an input stands in the output folder.
    """
    found: dict[str, InputFile] = {}
    for pattern in patterns:
        for file in find_files(pattern, output):
            found.setdefault(file.identity, _describe(file.url, file.below, record_format))
    files = list(found.values())
    _refuse_collisions(files)
    for described in files:
        _refuse_inside(described, output)
    return files


def _describe(url: str, relative: str, record_format: RecordFormat | None) -> InputFile:
    stem = without_codec(relative)
    compression = relative[len(stem) :]
    bare, suffix = posixpath.splitext(stem)
    by_suffix = _SUFFIXES.get(suffix.lower())
    found = record_format or by_suffix or ("text" if suffix in _SIDES or is_language_suffix(suffix) else None)
    if found is None:
        raise InputError(
            "the format is not known by the suffix",
            where=storage.redact(url),
            found=repr(suffix),
            expected=f"one of {', '.join(_SUFFIXES)} (or a language, like .en), with or without .gz, .zst, .bz2, .xz",
            advice="Name it by --format text, jsonl or parquet.",
        )
    if found == "parquet" and compression:
        raise InputError("Parquet is compressed inside, never as a file", where=storage.redact(url), found=compression)
    # A suffix that does not name the format stays part of the name: the translation of news.en is not English.
    name, ending = (bare, suffix) if by_suffix == found else (stem, _STANDARD_SUFFIX[found])
    return InputFile(url, name, ending + compression, found)


def _refuse_collisions(files: Sequence[InputFile]) -> None:
    taken: dict[tuple[str, str], InputFile] = {}
    for file in files:
        other = taken.setdefault((file.name, file.suffix), file)
        if other is not file:
            raise ConfigError(
                "two inputs would have the same output",
                where=f"{file.name}{file.suffix}",
                found=f"{other.where} and {file.where}",
                advice="Give the folder above them (--input FOLDER): folders are mirrored in the output.",
            )
        if file.name.split("/")[0] in (MARKER_FOLDER, FAILURE_FOLDER):
            raise ConfigError(
                f"the name {file.name.split('/')[0]!r} is kept for this program's files", where=file.where
            )


def _refuse_inside(file: InputFile, output: str) -> None:
    if storage.is_within(file.url, output):
        raise ConfigError(
            "an input stands in the output folder",
            where=file.where,
            found=f"--output {storage.redact(output)}",
            advice="Choose an output folder outside the inputs.",
        )
