"""URLs in, bytes and digests out: every file of this project is opened, listed, published and hashed here.

A path is a local path or any URL fsspec knows (`s3://`, `gs://`, `memory://`). Nothing becomes visible before
it is whole: on local disks a temporary file in the same folder is renamed, on object stores one PUT (or one
completed multipart upload) makes the object. `create_exclusively` is the one lock-free agreement that local
disks and object stores share: of several writers exactly one succeeds.
"""

from __future__ import annotations

import contextlib
import glob as local_glob
import os
import posixpath
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import fsspec
import xxhash
from fsspec.implementations.local import LocalFileSystem

from seq2seq_core.errors import StorageError

_EXTRAS = "For s3:// install seq2seq[s3], for gs:// seq2seq[gcs]."
_BLOCK_BYTES = 1 << 20
_CREDENTIALS = re.compile(r"(?<=://)[^/@]+@")


def filesystem(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system behind a URL, and the path it knows the file by."""
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise StorageError("no file system for this URL", where=redact(url), found=error, advice=_EXTRAS) from None
    return fs, path


def is_local(url: str) -> bool:
    """Whether the URL is a file of this machine."""
    return isinstance(filesystem(url)[0], LocalFileSystem)


def local_path(url: str) -> Path:
    """The path of a local URL; a StorageError for any other."""
    fs, path = filesystem(url)
    if not isinstance(fs, LocalFileSystem):
        raise StorageError("a local folder is needed here", where=redact(url))
    return Path(path)


def redact(url: str) -> str:
    """The URL without user names or passwords, fit for messages and manifests."""
    return _CREDENTIALS.sub("", url)


def join(root: str, *parts: str) -> str:
    """A URL below `root`; parts that climb out of it or start anew are refused."""
    for part in parts:
        normal = posixpath.normpath(part)
        if normal.startswith(("/", "..")) or "://" in part or "\\" in part:
            raise StorageError("a path leaves its folder", where=redact(root), found=part, expected="a relative path")
    return "/".join([root.rstrip("/") or "/", *parts]) if root else posixpath.join(*parts)


def name_of(url: str) -> str:
    """The last part of a URL."""
    return posixpath.basename(url.rstrip("/"))


def exists(url: str) -> bool:
    """Whether a file or folder stands there."""
    fs, path = filesystem(url)
    return bool(fs.exists(path))


def is_folder(url: str) -> bool:
    """Whether a folder (or, on object stores, anything below that prefix) stands there."""
    fs, path = filesystem(url)
    return bool(fs.isdir(path))


def size(url: str) -> int:
    """The size of a file in bytes."""
    with _named(url):
        fs, path = filesystem(url)
        return int(fs.size(path))


def open_input(url: str, block_bytes: int | None = None) -> IO[bytes]:
    """A file opened for reading bytes, seekable; the caller closes it."""
    with _named(url):
        fs, path = filesystem(url)
        options: dict[str, Any] = {} if block_bytes is None else {"block_size": block_bytes}
        return cast(IO[bytes], fs.open(path, "rb", **options))


def read_bytes(url: str) -> bytes:
    """The whole of a small file."""
    with _named(url):
        fs, path = filesystem(url)
        return cast(bytes, fs.cat_file(path))


def read_text(url: str) -> str:
    """The whole of a small UTF-8 file."""
    try:
        return read_bytes(url).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StorageError("the file is not UTF-8", where=redact(url), found=error) from None


def expand(pattern: str) -> list[str]:
    """The files a path or glob names, sorted, as URLs of the same kind; a folder names all files below it.

    Raises:
        StorageError: Nothing is there.
    """
    fs, path = filesystem(pattern)
    if fs.isfile(path):
        return [pattern]
    if fs.isdir(path):
        found = cast(list[str], fs.find(path))
    elif local_glob.has_magic(path):
        found = [entry for entry in cast(list[str], fs.glob(path)) if not fs.isdir(entry)]
    else:
        found = []
    if not found:
        raise StorageError("no such file", where=redact(pattern), advice="Check the path or pattern.")
    return sorted(_as_url(fs, entry, pattern) for entry in found)


def list_folder(url: str) -> list[str]:
    """Names of the direct entries of a folder, sorted; empty when it does not exist."""
    fs, path = filesystem(url)
    fs.invalidate_cache(path)
    if not fs.isdir(path):
        return []
    return sorted(
        posixpath.basename(entry.rstrip("/")) for entry in fs.ls(path, detail=False) if entry.rstrip("/") != path
    )


def make_folder(url: str) -> None:
    """Create a folder where the store has folders."""
    with _named(url):
        fs, path = filesystem(url)
        fs.makedirs(path, exist_ok=True)


def remove(url: str) -> None:
    """Delete a file, or a folder with all below it; nothing happens when it is not there."""
    fs, path = filesystem(url)
    with contextlib.suppress(FileNotFoundError):
        fs.rm(path, recursive=True)


def remove_empty_folder(url: str) -> None:
    """Delete a folder of this machine in which nothing stands; object stores have no folders."""
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        with contextlib.suppress(OSError):
            os.rmdir(path)


def publish_bytes(url: str, data: bytes) -> None:
    """Make a small file visible at once and whole, replacing an older one."""
    with publish(url) as out:
        out.write(data)


def publish_text(url: str, text: str) -> None:
    """Make a small UTF-8 file visible at once and whole, replacing an older one."""
    publish_bytes(url, text.encode("utf-8"))


@contextlib.contextmanager
def publish(url: str) -> Iterator[IO[bytes]]:
    """A seekable binary file that appears under its name, whole and durable, when the block ends well.

    When the block raises, nothing appears.
    """
    fs, path = filesystem(url)
    with _named(url):
        if isinstance(fs, LocalFileSystem):
            with _publish_locally(path) as out:
                yield out
            return
        with tempfile.TemporaryFile() as out:
            yield out
            out.seek(0)
            _upload(fs, path, out)


def create_exclusively(url: str, data: bytes) -> bool:
    """Create a small file if none of that name exists; False when another writer was first."""
    fs, path = filesystem(url)
    with _named(url):
        if isinstance(fs, LocalFileSystem):
            return _link_locally(path, data)
        try:
            fs.pipe_file(path, data, mode="create")
        except FileExistsError:
            return False
        return True


def digest_bytes(data: bytes) -> str:
    """xxh3-128 of the bytes, in hexadecimal."""
    return xxhash.xxh3_128_hexdigest(data)


def digest_file(url: str) -> str:
    """xxh3-128 of a file's bytes, in hexadecimal."""
    state = xxhash.xxh3_128()
    with open_input(url) as file:
        while block := file.read(_BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()


@contextlib.contextmanager
def _named(url: str) -> Iterator[None]:
    """Turn the errors of operating systems and stores into one that names the URL."""
    try:
        yield
    except FileNotFoundError:
        raise StorageError("no such file", where=redact(url), advice="Check the path.") from None
    except PermissionError as error:
        raise StorageError("access is denied", where=redact(url), found=error.strerror or error) from error
    except IsADirectoryError:
        raise StorageError("a folder stands here", where=redact(url), expected="a file") from None
    except (NotADirectoryError, FileExistsError):
        raise StorageError("a file stands where a folder is needed", where=redact(url)) from None


@contextlib.contextmanager
def _publish_locally(path: str) -> Iterator[IO[bytes]]:
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{os.path.basename(path)}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "w+b") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _link_locally(path: str, data: bytes) -> bool:
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{os.path.basename(path)}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return True


def _upload(fs: fsspec.AbstractFileSystem, path: str, file: IO[bytes]) -> None:
    """One PUT, or one multipart upload: the object appears when it is complete."""
    with fs.open(path, "wb") as out:
        while block := file.read(16 * _BLOCK_BYTES):
            out.write(block)


def _as_url(fs: fsspec.AbstractFileSystem, path: str, like: str) -> str:
    """A path of the file system, written as the user wrote the pattern: relative stays relative, a URL a URL."""
    if "://" in like:
        return str(fs.unstrip_protocol(path))
    return path if os.path.isabs(like) else os.path.relpath(path)
