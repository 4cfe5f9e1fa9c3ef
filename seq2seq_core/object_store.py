"""An object of a store in; whether this writer was the one that created it, out: what S3 and Google do differently."""

from __future__ import annotations

import contextlib
import uuid

import fsspec

_MOST_CONFLICTS = 5


def create(fs: fsspec.AbstractFileSystem, path: str, data: bytes) -> bool:
    """Create an object under the condition that there is none; False when another writer was first.

    An answer may be lost on its way: the library then asks again and is told that the object exists, although it is
    its own. So the object carries the name of its writer where the store keeps such notes.
    """
    writer = uuid.uuid4().hex
    notes = {"s3": "Metadata", "gs": "metadata"}.get(_protocol(fs))
    for attempt in range(_MOST_CONFLICTS):
        try:
            fs.pipe_file(path, data, mode="create", **({notes: {"writer": writer}} if notes else {}))
        except FileExistsError:
            break
        except OSError as error:
            if _error_code(error) == "PreconditionFailed":
                break
            # S3 says so while another conditional write of that name is under way, and wants to be asked again.
            if _error_code(error) != "ConditionalRequestConflict" or attempt == _MOST_CONFLICTS - 1:
                raise
        else:
            return True
    return _writer_of(fs, path) == writer


def _writer_of(fs: fsspec.AbstractFileSystem, path: str) -> str | None:
    """The note of who created an object; None when it has none, or is gone."""
    fs.invalidate_cache()
    with contextlib.suppress(FileNotFoundError):
        notes = fs.metadata(path) if _protocol(fs) == "s3" else fs.info(path).get("metadata")
        return (notes or {}).get("writer")
    return None


def _error_code(error: OSError) -> str | None:
    """The code S3 gave for an error that s3fs has translated."""
    answer = getattr(error.__cause__, "response", None) or {}
    code: str | None = answer.get("Error", {}).get("Code")
    return code


def _protocol(fs: fsspec.AbstractFileSystem) -> str:
    """The name of a file system, the first where it has several."""
    return fs.protocol if isinstance(fs.protocol, str) else str(fs.protocol[0])
