"""Paths, globs and URLs in, input files out: each with its format and its place in the output."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Sequence

from seq2seq_core import storage
from seq2seq_core.documents.formats.table import FORMATS, name_by_suffix
from seq2seq_core.documents.ranges import InputFile
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.files.compression import without_codec
from seq2seq_core.listing import find_files
from seq2seq_core.text.languages import is_language_suffix

_SIDES = (".src", ".tgt")
_BESIDE = frozenset(name for known in FORMATS.values() for name in known.beside)


def find_inputs(
    patterns: Sequence[str], format_name: str | None, output: str, kept: Collection[str] = ()
) -> list[InputFile]:
    """All files the patterns name, in order, each once, however it is spelt.

    Below a folder or a glob, folders are mirrored in the output; see `listing` for what is passed over there.

    Args:
        patterns: Paths, globs, folders or URLs.
        format_name: The format of every file, or None to go by suffixes.
        output: The output folder; it must not hold any of the inputs.
        kept: Names in the output folder that no output may have.

    Raises:
        StorageError: A pattern names nothing.
        InputError: The format of a file is not known.
        ConfigError: Two files would have the same output, or an input stands in the output folder.
    """
    found: dict[str, InputFile] = {}
    for pattern in patterns:
        for file in find_files(pattern, output):
            if posixpath.basename(file.url) not in _BESIDE:
                found.setdefault(file.identity, _describe(file.url, file.below, format_name))
    files = list(found.values())
    refuse_collisions([(file.name, file.suffix, file.where) for file in files], kept)
    for described in files:
        refuse_inside(described.url, output)
    return files


def _describe(url: str, relative: str, format_name: str | None) -> InputFile:
    stem = without_codec(relative)
    compression = relative[len(stem) :]
    bare, suffix = posixpath.splitext(stem)
    by_suffix = name_by_suffix(suffix)
    name = format_name or by_suffix or _name_by_side(suffix)
    if name is None:
        raise _unknown(url, suffix)
    found = FORMATS[name]
    if compression and not found.may_be_packed:
        raise InputError(
            f"{found.called} is compressed inside, never as a file", where=storage.redact(url), found=compression
        )
    # A suffix that does not name the format stays part of the name: the translation of news.en is not English.
    output, ending = (bare, suffix) if name == by_suffix else (stem, next(iter(found.suffixes), ""))
    return InputFile(url, output, ending + compression, name)


def _name_by_side(suffix: str) -> str | None:
    """The format of a file that is named by its language or its side of a pair."""
    if suffix not in _SIDES and not is_language_suffix(suffix):
        return None
    return next((name for name, known in FORMATS.items() if known.is_named_by_side), None)


def _unknown(url: str, suffix: str) -> InputError:
    suffixes = ", ".join(known for described in FORMATS.values() for known in described.suffixes)
    *names, last = FORMATS
    return InputError(
        "the format is not known by the suffix",
        where=storage.redact(url),
        found=repr(suffix),
        expected=f"one of {suffixes} (or a language, like .en), with or without .gz, .zst, .bz2, .xz",
        advice=f"Name it by --format {', '.join(names)} or {last}.",
    )


def refuse_collisions(outputs: Sequence[tuple[str, str, str]], kept: Collection[str]) -> None:
    """Names and suffixes of outputs, and the inputs they are of: no two have both, no name is one that is kept.

    Raises:
        ConfigError: Two do, or one has.
    """
    taken: dict[tuple[str, str], str] = {}
    for name, suffix, where in outputs:
        if (name, suffix) in taken:
            raise ConfigError(
                "two inputs would have the same output",
                where=f"{name}{suffix}",
                found=f"{taken[name, suffix]} and {where}",
                advice="Give the folder above them (--input FOLDER): folders are mirrored in the output.",
            )
        taken[name, suffix] = where
        if name.split("/")[0] in kept:
            raise ConfigError(f"the name {name.split('/')[0]!r} is kept for this program's files", where=where)


def refuse_inside(url: str, output: str) -> None:
    """A ConfigError where an input stands in the output folder."""
    if storage.is_within(url, output):
        raise ConfigError(
            "an input stands in the output folder",
            where=storage.redact(url),
            found=f"--output {storage.redact(output)}",
            advice="Choose an output folder outside the inputs.",
        )
