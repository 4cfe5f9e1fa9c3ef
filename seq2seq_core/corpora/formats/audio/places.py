"""A path as a row names it in, the URL of the file it means out, or None where it leaves the corpus.

A corpus is a folder: that of the file with the rows, or `audio_root`. What a row names may not lie outside of it,
whichever way it is said: by `..`, by an absolute path, by a URL of another store, by a link of the local disk.
"""

from __future__ import annotations

import os
import posixpath
from typing import NamedTuple

from seq2seq_core import storage

_SCHEME = "://"
_CHAIN = "::"


class _Remote(NamedTuple):
    """A URL in its parts: what stands before the path, the path, and the URLs it is chained to."""

    scheme: str
    path: str
    chained: str

    @classmethod
    def of(cls, url: str) -> _Remote:
        first, chain, rest = url.partition(_CHAIN)
        scheme, mark, path = first.partition(_SCHEME)
        return cls(scheme + mark, path, chain + rest)

    def with_path(self, path: str) -> _Remote:
        return self._replace(path=path)

    def __str__(self) -> str:
        return f"{self.scheme}{self.path}{self.chained}"


class Places:
    """Finds the files that the rows of one file name.

    Attributes:
        is_local: Whether they lie on this machine.
    """

    def __init__(self, url: str, root: str | None = None) -> None:
        """
        Args:
            url: The file with the rows: relative paths start at its folder, if that lies in the root.
            root: The folder that everything lies in, and else the one at which relative paths start; None: the folder
                of the file.
        """
        self.is_local = storage.is_local(url if root is None else root)
        if self.is_local:
            self._root = os.path.realpath(storage.local_path(posixpath.dirname(url) or "." if root is None else root))
            folder = os.path.dirname(storage.local_path(url)) if storage.is_local(url) else self._root
            self._folder = folder if _is_below(os.path.realpath(folder), self._root) else self._root
            return
        inner = _Remote.of(url)
        folder_of_rows = inner.with_path(posixpath.dirname(inner.path))
        self._remote_root = folder_of_rows if root is None else _normal(_Remote.of(root))
        inside = folder_of_rows if self._holds(folder_of_rows) else self._remote_root
        self._remote_folder = inside

    @property
    def root(self) -> str:
        """The folder, as messages call it."""
        return self._root if self.is_local else storage.redact(str(self._remote_root))

    def url_of(self, path: str) -> str | None:
        """Where the file lies that a row names; None where that is outside of the corpus."""
        if not path or "\0" in path:
            return None
        return self._local(path) if self.is_local else self._remote(path)

    def _local(self, path: str) -> str | None:
        if _SCHEME in path:
            if not storage.is_local(path):
                return None
            path = str(storage.local_path(path))
        real = os.path.realpath(os.path.join(self._folder, path))
        return real if _is_below(real, self._root) else None

    def _remote(self, path: str) -> str | None:
        if _CHAIN in path or (path.startswith("/") and _SCHEME not in path):
            return None
        if _SCHEME in path:
            found = _normal(_Remote.of(path)._replace(chained=self._remote_root.chained))
        else:
            found = _normal(self._remote_folder.with_path(posixpath.join(self._remote_folder.path, path)))
        return str(found) if self._holds(found) else None

    def _holds(self, url: _Remote) -> bool:
        root = self._remote_root
        return (url.scheme, url.chained) == (root.scheme, root.chained) and _is_below(url.path, root.path)


def _normal(url: _Remote) -> _Remote:
    path = posixpath.normpath(url.path)
    return url.with_path("" if path == "." else path)


def _is_below(path: str, folder: str) -> bool:
    """Whether a path that has been made normal is a folder, or stands below it."""
    if folder in ("", "/"):
        return path != ".." and not path.startswith(("../", "/" if not folder else "//"))
    return path == folder or path.startswith(f"{folder}/")
