"""Paths, globs and folders in, the files of a corpus out: sorted, each once, whatever order they were given in."""

from __future__ import annotations

import glob
import posixpath
from collections.abc import Iterable, Sequence

from seq2seq_core import storage
from seq2seq_core.corpora.formats.table import FORMATS, FormatName
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.files.compression import without_codec
from seq2seq_core.listing import find_files


def expand_all(patterns: Iterable[str], output: str | None = None) -> list[str]:
    """All files that some patterns name, outside of the output; a StorageError when one names none."""
    found = [file for pattern in patterns for file in find_files(pattern, output)]
    by_path = {storage.filesystem(file.url)[1]: file for file in found}
    kept: dict[str, str] = {}
    for path in sorted(by_path):
        kept.setdefault(by_path[path].identity, by_path[path].url)
    return list(kept.values())


def format_of(patterns: Sequence[str], output: str | None = None) -> FormatName:
    """The format that file names tell of; where a folder or glob does not, the files it names are asked.

    Raises:
        ConfigError: No format, or several.
    """
    found = {_format_of_one(pattern, output) for pattern in patterns}
    if len(found) > 1:
        names = ", ".join(sorted(found))
        raise ConfigError("the files of one corpus have several formats", found=names, advice="Make several corpora.")
    return found.pop()


def pair_files(source: list[str], target: list[str]) -> list[tuple[str, ...]]:
    """File i of one side with file i of the other.

    Raises:
        InputError: The sides differ in number of files, or the names do not differ in the same way in every pair.
    """
    if len(source) != len(target):
        raise InputError(
            "the two sides of a corpus differ in number of files",
            found=f"{len(source)} source files from {source[0]} and {len(target)} target files from {target[0]}",
            expected="the same names in the same order on both sides",
        )
    pairs = list(zip(source, target, strict=True))
    odd = next((pair for pair in pairs if _difference(*pair) != _difference(*pairs[0])), None)
    if odd is not None:
        shown = [" and ".join(map(storage.redact, pair)) for pair in (pairs[0], odd)]
        raise InputError(
            "it is not clear which files of a corpus belong together",
            found=f"{shown[0]}, but {shown[1]}, when both sides are sorted",
            expected="names that differ in the language alone",
            advice="Make a corpus of each pair.",
        )
    return [(one, other) for one, other in pairs]


def stem_of(pattern: str) -> str:
    """What a corpus may be called after its first path: the name up to its first dot, or that of the folder."""
    name = without_codec(storage.name_of(pattern))
    stem = name.split(".")[0] or name
    if not glob.has_magic(stem):
        return stem
    folder = storage.name_of(posixpath.dirname(pattern))
    return folder if folder and not glob.has_magic(folder) else "corpus"


def _format_of_one(pattern: str, output: str | None) -> FormatName:
    told = _told_by(pattern)
    if told is not None:
        return told
    is_folder = storage.is_folder(pattern)
    owner = next((name for name, format_ in FORMATS.items() if format_.owns(pattern)), None) if is_folder else None
    if owner is not None:
        return owner
    files = find_files(pattern, output) if is_folder or glob.has_magic(pattern) else []
    found = {_told_by(file.url) for file in files}
    told = found.pop() if len(found) == 1 else None
    if told is None:
        suffixes = [suffix for format_ in FORMATS.values() for suffix in format_.suffixes]
        raise ConfigError(
            f"the {'names of the files there do' if files else 'file name does'} not tell the format",
            where=storage.redact(pattern),
            expected=f"a name ending in one of {', '.join(suffixes)}",
            advice="Set format.",
        )
    return told


def _told_by(name: str) -> FormatName | None:
    plain = without_codec(name).lower()
    return next((told for told, format_ in FORMATS.items() if plain.endswith(format_.suffixes)), None)


def _difference(source: str, target: str) -> tuple[str, str]:
    """What is left of two names without what both begin and end with."""
    names = [without_codec(storage.name_of(url)) for url in (source, target)]
    begin = len(posixpath.commonprefix(names))
    rests = [name[begin:] for name in names]
    end = len(posixpath.commonprefix([rest[::-1] for rest in rests]))
    return rests[0][: len(rests[0]) - end], rests[1][: len(rests[1]) - end]
