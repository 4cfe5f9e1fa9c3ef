"""Patterns on any store in, what stands there now out: from one listing each, and nothing is no error."""

from __future__ import annotations

import glob
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, NamedTuple

import fsspec

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError
from seq2seq_core.files.compression import without_codec
from seq2seq_core.landing.terms import Seen

_ATTEMPTS = 5
_WHOLE_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "r2", "memory"})
_STORE_VERSIONS = ("ETag", "etag", "generation", "md5Hash", "VersionId")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
_WILD = re.compile(r"\*\*/?|\*|\?|\[[^\]]*\]")


class File(NamedTuple):
    """A file: what it is known by, how the user would spell it, where below its zone, and what a listing tells."""

    key: str
    url: str
    below: str
    bytes: int
    version: str


@dataclass(frozen=True)
class Zone:
    """Where files land: patterns (paths, globs, folders, URLs) of each side; most have one side.

    Of two sides the files belong together that have the same where the patterns have stars. For folders that is the
    path below them, up to the suffix.

    Attributes:
        sides: The patterns of each side.
        unfinished: Names that are passed over, as globs.
        output: What stands in this folder is passed over.
    """

    sides: tuple[tuple[str, ...], ...]
    unfinished: tuple[str, ...] = ()
    output: str | None = None

    def __post_init__(self) -> None:
        if len({len(patterns) for patterns in self.sides}) > 1:
            raise ConfigError(
                "the sides of a landing zone differ in number of patterns",
                found=" and ".join(str(len(patterns)) for patterns in self.sides),
                expected="as many on each side, in the same order",
            )

    @property
    def is_whole_at_once(self) -> bool:
        """Whether all of it lies on object stores, where a file is seen when it is whole, and not before."""
        return all(_protocol(pattern) in _WHOLE_STORES for patterns in self.sides for pattern in patterns)

    def look(self, index: int) -> list[Seen]:
        """What stands there, in any order; of two sides, what is there on both.

        Args:
            index: Which zone this is, for `Seen`.

        Raises:
            StorageError: The store does not answer.
        """
        if len(self.sides) == 1:
            return [_seen((file,), index) for pattern in self.sides[0] for file in self.files(pattern)]
        found: dict[tuple[int, str], list[File]] = {}
        for patterns in self.sides:
            for place, pattern in enumerate(patterns):
                for file in self.files(pattern):
                    found.setdefault((place, _common(pattern, file)), []).append(file)
        return [_seen(tuple(files), index) for files in found.values() if len(files) == len(self.sides)]

    @property
    def tells_all(self) -> bool:
        """Whether what is not seen there has gone."""
        return True

    def files(self, pattern: str) -> Iterator[File]:
        """What one of its patterns names."""
        fs, path = storage.filesystem(pattern)
        base, is_search, entries = _entries(fs, path, pattern)
        asked = posixpath.basename(path)[:1] if glob.has_magic(path) else ""
        within = None if self.output is None else storage.identity(self.output).rstrip("/") + "/"
        for entry, about in entries.items():
            if about.get("type") != "file":
                continue
            key = entry if storage.is_local(pattern) else str(fs.unstrip_protocol(entry))
            below = entry.removeprefix(base).lstrip("/")
            if is_search and (self.is_passed_over(below, asked) or (within is not None and key.startswith(within))):
                continue
            url = storage.as_url(fs, entry, pattern) if is_search else pattern
            yield File(key, url, below, int(about.get("size") or 0), _version(about))

    def is_passed_over(self, below: str, asked: str) -> bool:
        """Whether a file is hidden, or of a name that says that it is not finished."""
        *folders, name = below.split("/")
        hidden = any(part[:1] in (".", "_") for part in folders) or name[:1] in ({".", "_"} - {asked})
        return hidden or any(fnmatch(name, pattern) for pattern in self.unfinished)


def marker_of(url: str, marker: str, placeholder: str) -> str:
    """The file beside another one that says that it is whole."""
    folder, _, name = url.rpartition("/")
    beside = marker.replace(placeholder, name)
    return f"{folder}/{beside}" if folder or url.startswith("/") else beside


def _entries(fs: fsspec.AbstractFileSystem, path: str, pattern: str) -> tuple[str, bool, dict[str, dict[str, Any]]]:
    """The folder that a pattern begins at, whether it is searched, and what stands there: a listing of the store.

    A file that vanishes while a local folder is listed is an error of the listing: it is made again.
    """
    for attempt in range(_ATTEMPTS):
        with storage.named(pattern):
            try:
                return _listed(fs, path)
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
    raise AssertionError("unreachable")


def _listed(fs: fsspec.AbstractFileSystem, path: str) -> tuple[str, bool, dict[str, dict[str, Any]]]:
    if glob.has_magic(path) and not fs.isfile(path):
        base = posixpath.dirname(path)
        while glob.has_magic(base):
            base = posixpath.dirname(base)
        return base, True, fs.glob(path, detail=True) if fs.isdir(base) else {}
    if fs.isdir(path):
        return path.rstrip("/"), True, fs.find(path, detail=True)
    if fs.isfile(path):
        return posixpath.dirname(path), False, {path: fs.info(path)}
    return posixpath.dirname(path), False, {}


def _version(about: dict[str, Any]) -> str:
    """What changes when a file does: its size, and what the store calls a version, or its time and place on the disk.

    The time at which a file of a disk was made, or renamed, is none of it.
    """
    given = [str(about[name]) for name in _STORE_VERSIONS if about.get(name)]
    if not given:
        given = [str(about[name]) for name in _TIMES if about.get(name) is not None][:1]
        given += [str(about["ino"])] if "ino" in about else []
    return "/".join([str(about.get("size")), *given])


def stands_for(pattern: str, url: str) -> tuple[str, ...] | None:
    """What the stars of a pattern stand for in a URL that it names; None where it does not name it."""
    shape, place = "", 0
    for wild in _WILD.finditer(pattern):
        shape += re.escape(pattern[place : wild.start()]) + _group(wild[0])
        place = wild.end()
    found = re.search(f"{shape}{re.escape(pattern[place:])}$".removeprefix(re.escape("./")), url, re.DOTALL)
    return None if found is None else found.groups()


def _common(pattern: str, file: File) -> str:
    """What a file has in common with that of the other side."""
    if not glob.has_magic(pattern):
        return posixpath.splitext(without_codec(file.below))[0]
    found = stands_for(pattern, file.url)
    return file.below if found is None else "/".join(map(without_codec, found))


def _group(wild: str) -> str:
    if wild.startswith("["):
        letters = wild[1:-1].removeprefix("!").replace("\\", "\\\\").replace("^", "\\^")
        return f"([{'^' if wild[1:2] == '!' else ''}{letters}])"
    return {"**/": "((?:.+/)?)", "**": "(.*)", "*": "([^/]*)", "?": "([^/])"}[wild]


def _seen(files: Sequence[File], zone: int) -> Seen:
    first = files[0]
    return Seen(
        key=first.key,
        urls=tuple(file.url for file in files),
        below=first.below,
        zone=zone,
        bytes=sum(file.bytes for file in files),
        version="+".join(file.version for file in files),
    )


def _protocol(url: str) -> str:
    return "file" if storage.is_local(url) else url.partition("://")[0].rpartition("::")[2]
