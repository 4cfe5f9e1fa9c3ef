"""A path, glob, folder or URL in, the files it names out: as `ls` has them, links followed, each file once.

Below a folder or a glob three things are passed over, and named in one line: what is hidden (`.name`, `_name`), what
stands in the output of the run that asks, and what stands in a dataset, run, model or translation of this project.
"""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import logging
import os
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple, NoReturn

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from seq2seq_core import storage
from seq2seq_core.errors import InputError, StorageError
from seq2seq_core.kinds import RECORDS, kind_of
from seq2seq_core.local_disk import RealPaths

_SHOWN = 3
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A file: its URL, spelt as the pattern was, its path below the folder of the pattern, and what it is known by."""

    url: str
    below: str
    identity: str


class _Entries(NamedTuple):
    """What a pattern names on its file system: the folder it begins at, paths of files there in any order, and paths of
    what is neither file nor folder.
    """

    base: str
    paths: list[str]
    odd: list[str]
    is_search: bool


def find_files(pattern: str, output: str | None = None) -> list[Found]:
    """The files a pattern names, sorted by path; a folder names all files below it.

    Args:
        pattern: A path, a glob, a folder or a URL of one of them.
        output: The folder the run writes to; what stands in it is passed over.

    Raises:
        StorageError: Nothing is there, or nothing but what is passed over.
        InputError: The name of a file is not UTF-8.
    """
    if not pattern.strip():
        raise StorageError("an empty path", found=repr(pattern), advice="Is a variable unset?")
    fs, path = storage.filesystem(pattern)
    with storage.named(pattern):
        entries = _entries(fs, path, pattern)
    real = RealPaths()
    files = sorted(
        Found(
            storage.as_url(fs, entry, pattern) if entries.is_search else pattern,
            entry.removeprefix(entries.base).lstrip("/"),
            real.of(entry) if isinstance(fs, LocalFileSystem) else str(fs.unstrip_protocol(entry)),
        )
        for entry in entries.paths
    )
    for file in files:
        _refuse_odd_name(file)
    kept = files
    if entries.is_search:
        sieve = _Sieve(pattern, storage.as_url(fs, entries.base, pattern), output)
        kept = sieve.kept(files, [path.removeprefix(entries.base).lstrip("/") for path in entries.odd])
    if not kept:
        raise StorageError(
            "nothing is left to read" if files else "the folder is empty",
            where=storage.redact(pattern),
            found=f"{len(files)} files, all passed over" if files else None,
            expected="at least one file",
            advice="Choose an output folder outside of the inputs." if files and output is not None else None,
        )
    return kept


def expand(pattern: str) -> list[str]:
    """The URLs of `find_files`."""
    return [file.url for file in find_files(pattern)]


def _entries(fs: fsspec.AbstractFileSystem, path: str, pattern: str) -> _Entries:
    is_local = storage.is_local(pattern)
    if fs.isfile(path):
        return _Entries(posixpath.dirname(path), [path], [], is_search=False)
    if fs.isdir(path):
        return _sorted_out(path.rstrip("/"), _walk(path) if is_local else fs.find(path), is_local=is_local)
    if not glob.has_magic(path):
        raise _missing(path if is_local else None, pattern)
    base = posixpath.dirname(path)
    while glob.has_magic(base):
        base = posixpath.dirname(base)
    if is_local and "**" not in path and base == posixpath.dirname(path):
        return _of_folder(path, base, pattern)
    if is_local:
        found = [entry for entry in _glob(path, base) if not os.path.isdir(entry)]
    else:
        found = [entry for entry, about in fs.glob(path, detail=True).items() if about["type"] != "directory"]
    if not found:
        raise _none(pattern)
    return _sorted_out(base, found, is_local=is_local)


def _of_folder(path: str, base: str, pattern: str) -> _Entries:
    """What a pattern names in one local folder, of which thousands of files are told by reading that alone."""
    name = posixpath.basename(path)
    matches = re.compile(fnmatch.translate(name)).match
    files, odd = list[str](), list[str]()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(base) as entries:
        for entry in entries:
            if not matches(entry.name) or (entry.name[0] == "." and name[0] != "."):
                continue
            is_link = entry.is_symlink()  # of what it leads to, a circle for one, the entry cannot tell
            if os.path.isfile(entry.path) if is_link else entry.is_file():
                files.append(entry.path)
            elif not (os.path.isdir(entry.path) if is_link else entry.is_dir()):
                odd.append(entry.path)
    if not files and not odd:
        raise _none(pattern)
    return _Entries(base, files, odd, is_search=True)


def _none(pattern: str) -> StorageError:
    return StorageError("no such file", where=storage.redact(pattern), advice="Check the path or pattern.")


def _sorted_out(base: str, paths: Iterable[str], *, is_local: bool) -> _Entries:
    files, odd = list(paths), []
    if is_local:
        odd = [path for path in files if not os.path.isfile(path)]
        files = [path for path in files if os.path.isfile(path)]
    return _Entries(base, files, odd, is_search=True)


def _glob(path: str, base: str) -> Iterable[str]:
    """What a pattern names on the local disk, with linked folders; Python's own would go in circles below `**`."""
    if "**" not in path:
        return glob.glob(path)
    matches = re.compile(glob_translate(path)).match
    return (entry for entry in _walk(base) if matches(entry))


def _walk(folder: str) -> Iterator[str]:
    """All that is no folder below a local folder; links to folders are followed, each place of the disk once."""

    def fail(error: OSError) -> NoReturn:
        raise error

    seen = {os.path.realpath(folder)}
    for above, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        for name in list(folders):
            path = os.path.join(above, name)
            if os.path.islink(path):
                real = os.path.realpath(path)
                if real in seen:
                    folders.remove(name)
                seen.add(real)
        yield from (os.path.join(above, name) for name in names)


def _missing(path: str | None, pattern: str) -> StorageError:
    """What to say where neither a file nor a folder stands, nor a pattern."""
    where = storage.redact(pattern)
    if path is not None and os.path.lexists(path):
        if os.path.islink(path) and not os.path.exists(path):
            return StorageError("the link leads nowhere", where=where, found=os.readlink(path))
        mode = os.stat(path).st_mode
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "no file")
        return StorageError(
            f"{kind} stands here",
            where=where,
            expected="a file",
            advice="Write it to a file: it is read several times.",
        )
    return StorageError("no such file", where=where, advice="Check the path or pattern.")


def _refuse_odd_name(file: Found) -> None:
    try:
        file.url.encode()
    except UnicodeEncodeError:
        raise InputError(
            "the name of a file is not UTF-8", where=storage.redact(file.url), advice="Rename it, or leave it out."
        ) from None


def _by_name(file: Found) -> tuple[bool, int, str]:
    """Of names for one file the real one is first, then the shortest."""
    fs, path = storage.filesystem(file.url)
    is_alias = isinstance(fs, LocalFileSystem) and path != file.identity
    return is_alias, len(file.below), file.below


class _Sieve:
    """Holds back what is no input below a folder or glob, and says so."""

    def __init__(self, pattern: str, base: str, output: str | None) -> None:
        """`base` is the URL of the folder that the search begins at."""
        self._where = storage.redact(pattern)
        self._asks_for = posixpath.basename(pattern)[:1] if glob.has_magic(pattern) else ""
        self._base = base
        self._output = None if output is None else f"{storage.identity(output).rstrip('/')}/"
        self._kinds: dict[str, str | None] = {}

    def kept(self, files: Iterable[Found], odd: list[str]) -> list[Found]:
        """The files that are inputs; the others are named in a line for each reason."""
        kept: list[Found] = []
        passed: dict[str, list[str]] = {"what is no file (a pipe, a link that leads nowhere) is": odd} if odd else {}
        seen: set[str] = set()
        for file in sorted(files, key=_by_name):
            reason = "files that are there under another name are" if file.identity in seen else self._reason(file)
            if reason is None:
                kept.append(file)
                seen.add(file.identity)
            else:
                passed.setdefault(reason, []).append(file.below)
        for what, names in passed.items():
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            _log.info("%s: %s passed over: %s%s", self._where, what, ", ".join(sorted(names)[:_SHOWN]), more)
        return sorted(kept)

    def _reason(self, file: Found) -> str | None:
        if self._output is not None and file.identity.startswith(self._output):
            return "what the output folder holds is"
        parts = file.below.split("/")
        root = self._kind_of("")
        if parts[0] in RECORDS.get(root or "", ()):
            return f"what tells of a {root} is"
        folders = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        kind = next((kind for folder in folders if (kind := self._kind_of(folder)) is not None), None)
        if kind is not None:
            return f"files of a {kind} are"
        hidden = any(part[:1] in (".", "_") for part in parts[:-1]) or parts[-1][:1] in ({".", "_"} - {self._asks_for})
        return "hidden files are" if hidden else None

    def _kind_of(self, folder: str) -> str | None:
        if folder not in self._kinds:
            self._kinds[folder] = kind_of(storage.join(self._base, folder) if folder else self._base)
        return self._kinds[folder]
