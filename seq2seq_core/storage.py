"""URLs in, bytes and digests out: every file of this project is opened, published and hashed here.

A path is a local path or any URL fsspec knows (`s3://`, `gs://`, `memory://`). What has no `://` is a local path,
whatever else it holds. Nothing becomes visible before it is whole: on local disks a temporary file in the same folder
is renamed, on object stores one PUT (or one completed multipart upload) makes the object. `create_exclusively` is the
one lock-free agreement that local disks and object stores share: of several writers exactly one succeeds.

Endpoints and credentials are those of the store's own library (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` and its other
variables and files for s3fs, application default credentials for gcsfs) or of fsspec's configuration
(`FSSPEC_S3_ENDPOINT_URL`, `~/.config/fsspec`), so every process of a job finds them by itself. Both libraries try
again when a store is busy or does not answer.
"""

from __future__ import annotations

import contextlib
import itertools
import operator
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import fsspec
import xxhash
from fsspec.implementations.local import LocalFileSystem

from seq2seq_core import local_disk, object_store
from seq2seq_core.errors import StorageError

_EXTRAS = "For s3:// install seq2seq[s3], for gs:// seq2seq[gcs]."
_BLOCK_BYTES = 1 << 20
_CREDENTIALS = re.compile(r"(?<=://)[^/@]+@")
_STORE_LIBRARIES = frozenset({"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "requests"})
_LOCAL_PREFIX = re.compile("^(file|local)://")
_LOCAL = LocalFileSystem()


class Range(NamedTuple):
    """Bytes of a file."""

    url: str
    begin: int
    end: int


def filesystem(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system behind a URL, and the path it knows the file by."""
    path = _path_of(url)
    if path is not None:
        return _LOCAL, path
    first = url.partition("::")[0]
    if "://" not in first and first not in fsspec.available_protocols():
        raise StorageError("no file system for this URL", where=redact(url), found=repr(first), advice=_EXTRAS)
    try:
        with named(url):
            fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise StorageError("no file system for this URL", where=redact(url), found=error, advice=_EXTRAS) from None
    fs.invalidate_cache()  # s3fs and gcsfs remember listings, and do not see what other threads and processes do
    return fs, path


def is_local(url: str) -> bool:
    """Whether the URL is a file of this machine."""
    return _path_of(url) is not None


def local_path(url: str) -> Path:
    """The path of a local URL; a StorageError for any other."""
    path = _path_of(url)
    if path is None:
        raise StorageError("a local folder is needed here", where=redact(url))
    return Path(path)


def identity(url: str) -> str:
    """What a file or folder is known by, however it is spelt: its real path, without links, or its whole URL."""
    path = _path_of(url)
    if path is not None:
        return os.path.realpath(path)
    fs, path = filesystem(url)
    return str(fs.unstrip_protocol(path)).rstrip("/")


def identities(urls: Iterable[str]) -> list[str]:
    """The `identity` of each of many files, now."""
    real = local_disk.RealPaths()
    return [identity(url) if (path := _path_of(url)) is None else real.of(path) for url in urls]


def as_url(fs: fsspec.AbstractFileSystem, path: str, like: str) -> str:
    """A path of the file system, written as a user wrote another one there: relative stays relative, a URL a URL."""
    if "://" in like:
        return str(fs.unstrip_protocol(path))
    return path if os.path.isabs(like) or like.startswith("~") else os.path.relpath(path)


def is_within(url: str, folder: str) -> bool:
    """Whether a file or folder is the folder, or stands below it, by their identities."""
    inner, outer = identity(url), identity(folder).rstrip("/")
    return inner == outer or inner.startswith(f"{outer}/")


def redact(url: str) -> str:
    """The URL without user names or passwords, fit for messages and manifests."""
    return _CREDENTIALS.sub("", url)


def join(root: str, *parts: str) -> str:
    """A URL below `root`; parts that climb out of it or start anew are refused."""
    for part in parts:
        normal = posixpath.normpath(part)
        if normal.startswith("/") or ".." in normal.split("/") or "://" in part or "\0" in part:
            raise StorageError("a path leaves its folder", where=redact(root), found=part, expected="a relative path")
    return "/".join([root.rstrip("/") or "/", *parts]) if root else posixpath.join(*parts)


def name_of(url: str) -> str:
    """The last part of a URL."""
    return posixpath.basename(url.rstrip("/"))


def exists(url: str) -> bool:
    """Whether a file or folder stands there."""
    with named(url):
        fs, path = filesystem(url)
        return bool(fs.exists(path))


def is_folder(url: str) -> bool:
    """Whether a folder (or, on object stores, anything below that prefix) stands there."""
    with named(url):
        fs, path = filesystem(url)
        return bool(fs.isdir(path))


def size(url: str) -> int:
    """The size of a file in bytes."""
    with named(url):
        fs, path = filesystem(url)
        return int(fs.size(path))


def open_input(url: str, block_bytes: int | None = None) -> IO[bytes]:
    """A file opened for reading bytes, seekable; the caller closes it."""
    with named(url):
        fs, path = filesystem(url)
        if fs is _LOCAL:
            return local_disk.open_input(path, url)
        options: dict[str, Any] = {} if block_bytes is None else {"block_size": block_bytes}
        return cast(IO[bytes], fs.open(path, "rb", **options))


def open_if_there(url: str) -> IO[bytes] | None:
    """As `open_input`; None where no file stands."""
    with named(url):
        fs, path = filesystem(url)
        if fs is _LOCAL:
            return local_disk.open_input(path, url) if os.path.isfile(path) else None
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return cast(IO[bytes], fs.open(path, "rb"))
    return None


def read_bytes(url: str) -> bytes:
    """The whole of a small file."""
    with named(url):
        fs, path = filesystem(url)
        return cast(bytes, fs.cat_file(path))


def read_if_there(url: str) -> bytes | None:
    """The whole of a small file; None when there is none, or it vanishes meanwhile."""
    fs, path = filesystem(url)
    with named(url), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return cast(bytes, fs.cat_file(path))
    return None


def read_ranges(ranges: Sequence[Range]) -> list[bytes]:
    """Parts of files of one store, those of one file next to each other; a part is short where its file ends before.

    Object stores are asked for many at a time, as many as their library allows; of local files one is open at a time.
    """
    if not ranges:
        return []
    places = {url: filesystem(url) for url in dict.fromkeys(part.url for part in ranges)}
    fs = places[ranges[0].url][0]
    if fs is not _LOCAL:
        paths = [places[part.url][1] for part in ranges]
        with named(ranges[0].url):
            begins, ends = [part.begin for part in ranges], [part.end for part in ranges]
            return cast(list[bytes], fs.cat_ranges(paths, begins, ends, on_error="raise"))
    found: list[bytes] = []
    for url, parts in itertools.groupby(ranges, operator.attrgetter("url")):
        found += local_disk.read_ranges(places[url][1], redact(url), [(part.begin, part.end) for part in parts])
    return found


def read_text(url: str) -> str:
    """The whole of a small UTF-8 file."""
    try:
        return read_bytes(url).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StorageError("the file is not UTF-8", where=redact(url), found=error) from None


def list_folder(url: str) -> list[str]:
    """Names of the direct entries of a folder, sorted; empty when it does not exist."""
    with named(url):
        fs, path = filesystem(url)
        path = path.rstrip("/")
        try:
            if fs is _LOCAL:
                return sorted(os.listdir(path or "/"))
            entries = [entry.rstrip("/") for entry in cast(list[str], fs.ls(path, detail=False))]
        except (FileNotFoundError, NotADirectoryError):
            return []
    return sorted(posixpath.basename(entry) for entry in entries if entry != path)


def sizes_in(url: str) -> dict[str, int]:
    """The sizes of the files of a folder by their names, from one listing; empty when it does not exist."""
    with named(url):
        fs, path = filesystem(url)
        try:
            entries = cast(list[dict[str, Any]], fs.ls(path.rstrip("/"), detail=True))
        except (FileNotFoundError, NotADirectoryError):
            return {}
    return {posixpath.basename(entry["name"]): int(entry["size"]) for entry in entries if entry["type"] == "file"}


def files_below(url: str) -> list[str]:
    """All files below a folder, relative to it, sorted; empty when it does not exist."""
    with named(url):
        fs, path = filesystem(url)
        base = path.rstrip("/")
        return sorted(entry.removeprefix(base).lstrip("/") for entry in cast(list[str], fs.find(path)))


def remove(url: str) -> None:
    """Delete a file, or a folder with all below it; nothing happens when it is not there."""
    with named(url):
        fs, path = filesystem(url)
        with contextlib.suppress(FileNotFoundError):
            fs.rm(path, recursive=True)


def remove_empty_folder(url: str) -> None:
    """Delete a folder in which nothing stands, where the store has folders; nothing happens to any other."""
    with named(url):
        fs, path = filesystem(url)
        with contextlib.suppress(OSError):
            fs.rmdir(path)


def publish_bytes(url: str, data: bytes) -> None:
    """Make a small file visible at once and whole, replacing an older one."""
    with publish(url) as out:
        out.write(data)


def publish_text(url: str, text: str) -> None:
    """Make a small UTF-8 file visible at once and whole, replacing an older one."""
    publish_bytes(url, text.encode("utf-8"))


@contextlib.contextmanager
def publish(url: str, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A seekable binary file that appears under its name, whole and durable, when the block ends well.

    When the block raises, nothing appears. What is not durable may be cut short, or gone, after the machine has lost
    its power (not after the end of a process), but is not waited for: whoever comes back to it compares its size.
    """
    fs, path = _writable(url)
    if fs is _LOCAL:
        with local_disk.publish(path, url, durable=durable) as out:
            yield out
        return
    with local_disk.open_temporary(None) as (whole, name):
        yield whole
        whole.flush()
        with named(url):
            fs.put_file(name, path)  # one PUT, or one multipart upload that is aborted when a part fails


def check_destination(url: str) -> None:
    """Raise a StorageError where no file can be published, as a folder or a device stands there."""
    fs, path = _writable(url)
    if fs is _LOCAL:
        local_disk.destination(path, url)


def published_name(name: str) -> str | None:
    """What a temporary file of `publish` was to be called; None for a name that is none of those."""
    return local_disk.published_name(name)


def append(url: str, data: bytes) -> None:
    """Write at the end of a local file, which is made where it is missing; a StorageError for any other."""
    with local_disk.open_append(str(local_path(url)), url) as out:
        out.write(data)


def create_exclusively(url: str, data: bytes) -> bool:
    """Create a small file if none of that name exists; False when another writer was first."""
    fs, path = _writable(url)
    if fs is _LOCAL:
        return local_disk.create_exclusively(path, data, url)
    with named(url):
        return object_store.create(fs, path, data)


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
def named(url: str) -> Iterator[None]:
    """Turn the errors of operating systems and stores into one that names the URL."""
    try:
        with local_disk.named(redact(url)):
            yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _STORE_LIBRARIES and not isinstance(error, OSError):
            raise
        advice = "Check the endpoint, the credentials and the rights to the bucket." if "://" in url else None
        raise StorageError("the store refuses", where=redact(url), found=error, advice=advice) from error


def _path_of(url: str) -> str | None:
    """The absolute path of a file of this machine; None for any other."""
    if url[:1] == "/" and "://" not in url:  # as of thousands of files that were listed
        return url.rstrip("/") or "/"
    bare = _LOCAL_PREFIX.sub("", url)
    if bare == url and "://" in url:
        return None
    if bare == "~" or bare.startswith("~/"):
        bare = os.path.expanduser(bare)
    while bare.startswith("./"):
        bare = bare[2:].lstrip("/")
    path = os.path.join(os.getcwd(), "" if bare == "." else bare)
    return path.rstrip("/") or "/"


def _writable(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    if _path_of(url) is None and "::" in url:
        raise StorageError("nothing can be written through a chain of file systems", where=redact(url))
    return filesystem(url)
