"""The environment in; the folder of this machine's caches, turns at its places, and its files as memory maps, out."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.errors import StorageError

_ELSEWHERE = "set SEQ2SEQ_CACHE to a folder on a sound local disk."
_ADVICE = {
    errno.ENOSPC: f"Free space there, or {_ELSEWHERE}",
    errno.EDQUOT: f"Free space there, or {_ELSEWHERE}",
    errno.EMFILE: "Raise the number of files a process may have open (`ulimit -n`).",
    errno.ENFILE: "Raise the number of files this machine may have open.",
}

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where decoded columns and the orders of epochs are kept: `$SEQ2SEQ_CACHE`, or `~/.cache/seq2seq`.

    Raises:
        StorageError: It is no local folder, or neither is known: a container may have a user without a home.
    """
    named = os.environ.get("SEQ2SEQ_CACHE")
    try:
        return storage.local_path(named) if named else Path.home() / ".cache" / "seq2seq"
    except RuntimeError:
        raise StorageError(
            "no folder for the cache of columns",
            found="a user without a home directory",
            advice="Set SEQ2SEQ_CACHE to a folder on a local disk.",
        ) from None


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """One process of the machine at a time; False, to several at once, where files cannot be locked."""
    with contextlib.ExitStack() as stack:
        try:
            fcntl.flock(stack.enter_context((folder / "lock").open("ab")), fcntl.LOCK_EX)
            is_alone = True
        except OSError as error:
            _log.debug("no lock in %s: %s", folder, error)
            is_alone = False
        yield is_alone


def mapped(path: Path) -> pa.Buffer:
    """The bytes of a file; Arrow's map, unlike NumPy's, keeps no descriptor."""
    with pa.memory_map(str(path)) as opened:
        return opened.read_buffer()


def unusable(folder: Path, error: OSError) -> StorageError:
    """What to tell when the operating system does not let us work in a folder of the cache."""
    advice = _ADVICE.get(error.errno or 0, f"{_ELSEWHERE[0].upper()}{_ELSEWHERE[1:]}")
    return StorageError("the cache of columns cannot be used", where=str(folder), found=error, advice=advice)
