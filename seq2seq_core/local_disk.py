"""Paths of this machine in; files that are whole, durable and exclusive out, and every error of the system named.

A link is written through: the file it leads to is replaced, the link stays. Pipes, sockets and devices are no places
for a file that appears whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import re
import stat
import uuid
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, cast

from seq2seq_core.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_READ_BUFFER_BYTES = 1 << 17
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
_SPECIAL = (
    (stat.S_ISFIFO, "a pipe stands here"),
    (stat.S_ISSOCK, "a socket stands here"),
    (stat.S_ISCHR, "a device stands here"),
    (stat.S_ISBLK, "a device stands here"),
    (stat.S_ISDIR, "a folder stands here"),
)
_NO_TEMPORARY_FOLDER = "No usable temporary directory"  # as Python says it to us, and to libraries that ask for one
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{32}\.tmp")
_CARRY_ON = "run the same command again: it carries on from what is finished."
_OTHER_PLACE = "Choose another place."
_CHECK_RIGHTS = "Check the rights to it and to the folders above it."
_ADVICE = {
    errno.ENOSPC: ("the disk is full", f"Make room there and {_CARRY_ON}"),
    errno.EDQUOT: ("the quota of the disk is used up", f"Make room there and {_CARRY_ON}"),
    errno.EFBIG: ("the file is larger than this process may write", f"Raise the limit (ulimit -f) and {_CARRY_ON}"),
    errno.EMFILE: ("too many files are open", f"Raise the limit (ulimit -n) and {_CARRY_ON}"),
    errno.ENFILE: ("too many files are open on this machine", f"End other programs and {_CARRY_ON}"),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter one."),
    errno.ELOOP: ("the links lead in a circle", "Check the path."),
    errno.EROFS: ("nothing can be written here", "The disk is mounted for reading alone: choose another folder."),
    errno.EBADF: ("the file was closed under this process", "Run the same command again."),
    errno.EIO: ("the disk does not read or write", "Check the disk."),
}


@contextlib.contextmanager
def named(url: str) -> Iterator[None]:
    """Turn the errors of the operating system into one that names the URL and says what to do."""
    try:
        yield
    except FileNotFoundError as error:
        if (error.strerror or "").startswith(_NO_TEMPORARY_FOLDER):
            raise StorageError(
                "there is no folder for temporary files",
                found=error.strerror,
                advice="Set TMPDIR to a folder that can be written, and has room.",
            ) from None
        raise StorageError("no such file", where=url, advice="Check the path.") from None
    except PermissionError as error:
        found = error.strerror or error
        raise StorageError("access is denied", where=url, found=found, advice=_CHECK_RIGHTS) from error
    except IsADirectoryError:
        raise StorageError("a folder stands here", where=url, expected="a file") from None
    except (NotADirectoryError, FileExistsError):
        raise StorageError("a file stands where a folder is needed", where=url, advice="Check the path.") from None
    except OSError as error:
        # Libraries of stores give numbers to errors, too, that mean no disk.
        problem, advice = _ADVICE.get(error.errno or 0, (None, None)) if "://" not in url else (None, None)
        if problem is None:
            raise
        raise StorageError(problem, where=url, found=error.strerror, advice=advice) from error


class _NamedFile(io.FileIO):
    """A file whose errors name it, also those that come long after it was opened: a full disk, a broken one."""

    def __init__(self, path: str, mode: str, url: str) -> None:
        self._url = url
        with named(url):
            super().__init__(path, mode)

    def write(self, data: ReadableBuffer, /) -> int:
        with named(self._url):
            return super().write(data)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with named(self._url):
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with named(self._url):
            return super().readall()

    def close(self) -> None:
        with named(self._url):
            super().close()


def open_input(path: str, url: str) -> IO[bytes]:
    """A file opened for reading bytes; whatever goes wrong with it names the URL."""
    return io.BufferedReader(_NamedFile(path, "rb", url), _READ_BUFFER_BYTES)


class RealPaths:
    """The real paths of many files, without links: that of a folder that they stand in is found out once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> str:
        """As `os.path.realpath` has it."""
        folder, _, name = path.rpartition("/")
        if not folder or name in ("", ".", ".."):
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder).rstrip("/")
        found = f"{self._folders[folder]}/{name}"
        return os.path.realpath(found) if os.path.islink(found) else found


def read_ranges(path: str, url: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Parts of a file, each from a first byte to the one behind the last; short where the file ends before."""
    with _NamedFile(path, "rb", url) as file, named(url):
        return [_read_range(file, begin, end) for begin, end in ranges]


def open_append(path: str, url: str) -> IO[bytes]:
    """A file opened for writing at its end; it and its folder are made where they are missing."""
    make_folders(os.path.dirname(path), url)
    return io.BufferedWriter(_NamedFile(path, "ab", url))


@contextlib.contextmanager
def open_temporary(folder: str | None) -> Iterator[tuple[IO[bytes], str]]:
    """A file of no lasting name in a folder, or in the one for such files; and its path."""
    path = _temporary_beside(os.path.join(folder or _temporary_folder(), "seq2seq"))
    try:
        with io.BufferedRandom(_NamedFile(path, "x+b", path)) as file:
            yield cast(IO[bytes], file), path
    finally:
        _unlink(path)


@contextlib.contextmanager
def publish(path: str, url: str, *, durable: bool) -> Iterator[IO[bytes]]:
    """A seekable file that appears under its name, whole, when the block ends well; see `storage.publish`."""
    target = destination(path, url)
    temporary = _temporary_beside(target)
    try:
        make_folders(os.path.dirname(target), url)
        with io.BufferedRandom(_NamedFile(temporary, "x+b", url)) as file:
            yield cast(IO[bytes], file)
            file.flush()
            if durable:
                with named(url):
                    os.fsync(file.fileno())
        with named(url):
            os.replace(temporary, target)
        if durable:
            _synchronise(os.path.dirname(target))
    finally:
        _unlink(temporary)


def create_exclusively(path: str, data: bytes, url: str) -> bool:
    """Create a small file, whole, if none of that name exists; False when another writer was first."""
    make_folders(os.path.dirname(path), url)
    temporary = _temporary_beside(path)
    try:
        with io.BufferedWriter(_NamedFile(temporary, "xb", url)) as out:
            out.write(data)
            out.flush()
            with named(url):
                os.fsync(out.fileno())
        if not _take_name(temporary, path, url):
            return False
    finally:
        _unlink(temporary)
    _synchronise(os.path.dirname(path))
    return True


def make_folders(folder: str, url: str) -> None:
    """Make a folder and those above it, where they are missing, so that they are there after a loss of power too."""
    if os.path.isdir(folder):
        return
    above = os.path.dirname(folder)
    if above != folder:
        make_folders(above, url)
    given = _as_given(folder, url)
    with named(given), contextlib.suppress(FileExistsError):
        try:
            os.mkdir(folder)
        except FileNotFoundError:  # as in /proc
            raise StorageError("no folder can be made here", where=given, advice=_OTHER_PLACE) from None
        _synchronise(above)
    if not os.path.isdir(folder):
        raise StorageError("a file stands where a folder is needed", where=given, advice=_OTHER_PLACE)


def _as_given(folder: str, url: str) -> str:
    """A folder above a file as it stands in the URL of that file; its path, where it does not stand there."""
    parts = url.split("/")
    above = ("/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
    return next((given for given in above if given and os.path.abspath(given) == folder), folder)


def _read_range(file: io.FileIO, begin: int, end: int) -> bytes:
    place, blocks = file.seek(begin), []
    while place < end and (block := file.read(end - place)):
        place += len(block)
        blocks.append(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def destination(path: str, url: str) -> str:
    """Where a file of that name is written: at the end of its links; a StorageError where no file can stand."""
    with named(url):
        try:
            mode = os.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):  # of folders above that cannot be made, their maker tells
            mode = stat.S_IFREG
    problem = next((problem for is_special, problem in _SPECIAL if is_special(mode)), None)
    if problem is not None:
        raise StorageError(problem, where=url, expected="a file, or a name that is free")
    return os.path.realpath(path) if os.path.islink(path) else path


def _take_name(temporary: str, path: str, url: str) -> bool:
    """Give a file its name if that is free: by a hard link, or where there are none under a lock of the folder."""
    with named(url):
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            return True
        with _locked(os.path.dirname(path)):
            if os.path.lexists(path):
                return False
            os.rename(temporary, path)
            return True


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """The folder, for one process of this machine at a time; the lock of a killed one is gone with it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _synchronise(folder: str) -> None:
    """Make the names in a folder as durable as the bytes of its files; some file systems cannot, or need not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder or ".", os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _temporary_beside(path: str) -> str:
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{uuid.uuid4().hex}.tmp")


def published_name(name: str) -> str | None:
    """What a temporary file was to be called; None for a name that is none of those."""
    found = _TEMPORARY.fullmatch(name)
    return found and found[1]


def _temporary_folder() -> str:
    """TMPDIR, or what the system has for it."""
    import tempfile  # noqa: PLC0415 (it looks for a folder when asked, and few ask)

    with named("TMPDIR"):
        return tempfile.gettempdir()


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)
