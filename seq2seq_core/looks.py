"""Files in, how they look from outside out: sizes, versions and times, as listings tell them; nothing is read."""

from __future__ import annotations

import datetime as dt
import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from fsspec.implementations.local import LocalFileSystem

from seq2seq_core import storage

_VERSIONS = ("version_id", "VersionId", "generation", "etag", "ETag", "md5Hash")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")


class Look(NamedTuple):
    """What a listing tells of a file.

    Attributes:
        bytes: Its size.
        version: What becomes another when it is written again.
        written: When that was, in seconds, where the version is a time: it stays the same within a tick of the clock.
    """

    bytes: int
    version: str
    written: float | None


def looks_of(urls: Sequence[str]) -> dict[str, Look]:
    """How some files look, of those that are there and of which a version is told.

    Local files are asked one by one; of object stores each folder that some stand in is listed once.
    """
    found: dict[str, Look] = {}
    folders: dict[str, list[str]] = {}
    for url in urls:
        fs, path = storage.filesystem(url)
        if not isinstance(fs, LocalFileSystem):
            folders.setdefault(posixpath.dirname(url), []).append(url)
        elif (look := _of_local(path)) is not None:
            found[url] = look
    for folder, members in folders.items():
        listed = _listed(folder)
        found |= {url: listed[name] for url in members if (name := posixpath.basename(url)) in listed}
    return found


def age_of(url: str, now: float) -> float:
    """Seconds since a file was written; none where its store does not tell."""
    look = looks_of([url]).get(url)
    if look is not None and look.written is not None:
        return now - look.written
    with storage.named(url):
        fs, path = storage.filesystem(url)
        return now - _seconds(fs.modified(path))


def _of_local(path: str) -> Look | None:
    try:
        about = os.stat(path)  # noqa: PTH116 (of thousands of files)
    except OSError:
        return None
    return Look(about.st_size, str(about.st_mtime_ns), about.st_mtime)


def _listed(folder: str) -> dict[str, Look]:
    with storage.named(folder):
        fs, path = storage.filesystem(folder)
        try:
            entries = cast(list[dict[str, Any]], fs.ls(path.rstrip("/"), detail=True))
        except (FileNotFoundError, NotADirectoryError):
            return {}
    looks = {posixpath.basename(entry["name"]): _of_entry(entry) for entry in entries if entry["type"] == "file"}
    return {name: look for name, look in looks.items() if look is not None}


def _of_entry(entry: Mapping[str, Any]) -> Look | None:
    """What an entry of a listing tells; None where that is the size alone."""
    version = next((str(entry[key]) for key in _VERSIONS if entry.get(key)), None)
    if version is not None:
        return Look(int(entry["size"]), version, None)
    written = next((entry[key] for key in _TIMES if entry.get(key)), None)
    return None if written is None else Look(int(entry["size"]), str(written), _seconds(written))


def _seconds(written: Any) -> float:
    """A time as stores tell it: a number, a date, or a text with one."""
    if isinstance(written, str):
        written = dt.datetime.fromisoformat(written)
    return float(written.timestamp() if isinstance(written, dt.datetime) else written)
