"""Named tensors in, safetensors files that say whose they are out; and back, one tensor at a time, bytes compared."""

from __future__ import annotations

import contextlib
import json
import struct
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pydantic
import safetensors
import safetensors.torch
import xxhash
from torch import Tensor

from seq2seq_core import storage
from seq2seq_core.errors import CheckpointError

_OWNER = "run"
_BLOCK_BYTES = 1 << 20
_MOST_HEADER_BYTES = 100_000_000  # the format's own limit
ADVICE = "Remove this checkpoint's folder to carry on from an earlier one."


class FileEntry(pydantic.BaseModel):
    """A file of a checkpoint; `digest` is xxh3-128 of its bytes."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    bytes: int
    digest: str


def encoded(tensors: Mapping[str, Tensor], owner: str) -> bytes:
    """The bytes of a file of tensors; `owner` names the run that it is of."""
    return safetensors.torch.save(dict(tensors), {_OWNER: owner})


def publish_tensors(url: str, tensors: Mapping[str, Tensor], owner: str) -> FileEntry:
    """Write tensors; `owner` names the run that the file is of."""
    data = encoded(tensors, owner)
    storage.publish_bytes(url, data)
    return FileEntry(bytes=len(data), digest=storage.digest_bytes(data))


def read_tensors(url: str, entry: FileEntry) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a file, on the CPU, one after the other: no more than one of them is in memory for it.

    Raises:
        CheckpointError: The file is gone, or its bytes are not those of `entry`.
    """
    where = storage.redact(url)
    if not storage.exists(url):
        raise CheckpointError("a file of the checkpoint is missing", where=where, advice=ADVICE)
    with _on_this_machine(url) as (path, found):
        if found != entry:
            raise CheckpointError(
                "the file is not the one that was saved",
                where=where,
                found=f"{found.bytes} bytes, digest {found.digest}",
                expected=f"{entry.bytes} bytes, digest {entry.digest}",
                advice=ADVICE,
            )
        with safetensors.safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (it is no mapping)
                yield name, file.get_tensor(name).clone()  # what it gives is a view of the file


def owner_of(url: str) -> str | None:
    """The run that a file says it is of; None where it says nothing, or is no such file."""
    with storage.open_input(url) as file:
        try:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, _MOST_HEADER_BYTES)))
            owner = header["__metadata__"][_OWNER]
        except (struct.error, ValueError, RecursionError, KeyError, TypeError):
            return None
    return owner if isinstance(owner, str) else None


@contextlib.contextmanager
def _on_this_machine(url: str) -> Iterator[tuple[Path, FileEntry]]:
    """A path of the file, copied from where it stands if need be, with its size and digest."""
    if storage.is_local(url):
        yield storage.local_path(url), FileEntry(bytes=storage.size(url), digest=storage.digest_file(url))
        return
    with tempfile.NamedTemporaryFile() as copy:
        state = xxhash.xxh3_128()
        with storage.open_input(url) as file:
            while block := file.read(_BLOCK_BYTES):
                state.update(block)
                copy.write(block)
        copy.flush()
        yield Path(copy.name), FileEntry(bytes=copy.tell(), digest=state.hexdigest())
