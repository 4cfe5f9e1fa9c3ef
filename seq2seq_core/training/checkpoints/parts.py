"""Tensors that are spread over processes in; a file of each process and one index of all out, and tensors back.

    part-00000-of-00004.safetensors   what process 0 writes, of what it has
    index.json                        which bytes of which file are what of which tensor, written when all parts are

`torch.distributed.checkpoint` decides who writes and reads what; its own files are pickled, so what stands on storage
is ours: safetensors, JSON and a digest of every chunk. Any number of processes reads what any other number wrote.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pydantic
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner, DefaultSavePlanner
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import LoadPlan, LoadPlanner, SavePlan, SavePlanner
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.checkpoint.storage import StorageReader, StorageWriter, WriteResult
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor
from torch.futures import Future

from seq2seq_core import storage
from seq2seq_core.errors import CheckpointError, Seq2SeqError, StorageError
from seq2seq_core.storage import Range
from seq2seq_core.training.checkpoints.tensors import ADVICE, FileEntry, encoded

INDEX_NAME = "index.json"
PART = re.compile(r"part-\d{5,}-of-\d{5,}\.safetensors")

_DTYPES = {
    str(kind).removeprefix("torch."): kind
    for kind in (
        torch.float64, torch.float32, torch.bfloat16, torch.float16,
        torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
    )
}  # fmt: skip

MakeRoom = Callable[[Sequence[str]], None]


class _Record(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Chunk(_Record):
    """A block of a tensor: where it begins there, its sizes, and bytes of a file, whose xxh3-128 is `digest`."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    file: str
    begin: int
    end: int
    digest: str


class Spread(_Record):
    """A tensor, whole, and the chunks that it is made of."""

    dtype: str
    shape: tuple[int, ...]
    chunks: tuple[Chunk, ...]

    @pydantic.model_validator(mode="after")
    def _is_whole(self) -> Spread:
        """Chunks come from one writer for each place, so numbers that add up leave no hole."""
        if self.dtype not in _DTYPES:
            raise ValueError(f"numbers of a kind that is not known: {self.dtype}")
        for chunk in self.chunks:
            ends = [begin + size for begin, size in zip(chunk.offsets, chunk.sizes, strict=True)]
            inside = len(ends) == len(self.shape) and all(map(int.__le__, ends, self.shape))
            if not inside or min((0, *chunk.offsets, *chunk.sizes)) < 0:
                raise ValueError(f"a chunk of {chunk.file} leaves its tensor")
            if chunk.end - chunk.begin != math.prod(chunk.sizes) * _DTYPES[self.dtype].itemsize:
                raise ValueError(f"a chunk of {chunk.file} has another number of bytes")
            if not PART.fullmatch(chunk.file):
                raise ValueError(f"a chunk stands in {chunk.file}")
        if sum(math.prod(chunk.sizes) for chunk in self.chunks) != math.prod(self.shape):
            raise ValueError("the chunks of a tensor are not all of it")
        return self


class Index(_Record):
    """`index.json`: the run it is of, and the tensors of a checkpoint by name."""

    run: str
    tensors: dict[str, Spread]


def staged(tensors: Mapping[str, Tensor], host: DeviceMesh) -> dict[str, Tensor]:
    """Copies on the CPU, of tensors that are spread those of this process's parts; `host` are their processes there."""
    return {name: _copy(tensor.detach(), host) for name, tensor in tensors.items()}


def save_parts(
    folder: str, tensors: Mapping[str, Tensor], run: str, group: dist.ProcessGroup, make_room: MakeRoom
) -> dict[str, FileEntry]:
    """Write tensors, each process of a group what it has of them; the files, on the first process of the group.

    All of the group call this. `make_room` is called on the first one, with the names of all files, before any is
    written.

    Raises:
        StorageError: A file cannot be written, here or elsewhere.
    """
    writer = _PartsWriter(folder, run, make_room)
    with _as_ours():
        save(
            dict(tensors),
            storage_writer=writer,
            planner=DefaultSavePlanner(flatten_state_dict=False, flatten_sharded_tensors=False),
            process_group=group,
        )
    return writer.files


def load_parts(folder: str, index: Index, targets: dict[str, Tensor], group: dist.ProcessGroup) -> None:
    """Fill tensors of this process, parts of spread ones or whole ones, in place. All of the group call this.

    Raises:
        CheckpointError: A file is gone or damaged, here or elsewhere.
    """
    with _as_ours():
        load(
            targets,
            storage_reader=_PartsReader(folder, index),
            planner=DefaultLoadPlanner(flatten_state_dict=False, flatten_sharded_tensors=False),
            process_group=group,
        )


def read_index(folder: str, entry: FileEntry) -> Index:
    """The index of a checkpoint.

    Raises:
        CheckpointError: It is gone, or not the one that was written.
    """
    url = storage.join(folder, INDEX_NAME)
    data = storage.read_if_there(url)
    if data is None or (len(data), storage.digest_bytes(data)) != (entry.bytes, entry.digest):
        raise CheckpointError(
            "the index of the checkpoint is not the one that was saved",
            where=storage.redact(url),
            found="nothing" if data is None else f"{len(data)} bytes, digest {storage.digest_bytes(data)}",
            expected=f"{entry.bytes} bytes, digest {entry.digest}",
            advice=ADVICE,
        )
    try:
        return Index.model_validate(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            "the index of the checkpoint cannot be understood",
            where=storage.redact(url),
            found=str(error).splitlines()[0],
            advice=ADVICE,
        ) from None


def owner_of_index(url: str) -> str | None:
    """The run that an index says it is of; None where it says nothing."""
    try:
        return Index.model_validate(json.loads(storage.read_bytes(url))).run
    except (ValueError, RecursionError):
        return None


def gathered(folder: str, spread: Spread) -> Tensor:
    """A whole tensor, of all of its chunks.

    Raises:
        CheckpointError: A file is gone or damaged.
    """
    found = torch.empty(spread.shape, dtype=_DTYPES[spread.dtype])
    for chunk in spread.chunks:
        found[_within(chunk.offsets, chunk.sizes)] = _read(folder, spread, chunk)
    return found


def empty(spread: Spread) -> Tensor:
    """Room for a whole tensor."""
    return torch.empty(spread.shape, dtype=_DTYPES[spread.dtype])


@dataclasses.dataclass(frozen=True)
class _Written:
    """What a process tells of a chunk that it has written."""

    chunk: Chunk
    entry: FileEntry


class _PartsWriter(StorageWriter):
    """Writes one file a process; `files` are known to the first one, in the end."""

    def __init__(self, folder: str, run: str, make_room: MakeRoom) -> None:
        self._folder, self._run, self._make_room = folder, run, make_room
        self.files: dict[str, FileEntry] = {}

    def reset(self, checkpoint_id: str | os.PathLike[str] | None = None) -> None:
        """It is of one checkpoint."""

    def set_up_storage_writer(self, is_coordinator: bool, *_args: Any, **_options: Any) -> None:
        """All is known."""

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        """What a process has to write is not changed."""
        return plan

    def prepare_global_plan(self, plans: list[SavePlan]) -> list[SavePlan]:
        """Give each process the name of its file."""
        names = [f"part-{number:05d}-of-{len(plans):05d}.safetensors" for number in range(len(plans))]
        self._make_room([*names, INDEX_NAME])
        return [dataclasses.replace(plan, storage_data=name) for plan, name in zip(plans, names, strict=True)]

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        """Write what this process has to."""
        tensors: dict[str, Tensor] = {}
        places: dict[str, MetadataIndex] = {}
        for item in plan.items:
            tensor = planner.resolve_data(item)
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{item.index.fqn} is no tensor")
            if tensor.numel():
                name = f"{item.index.fqn}@{','.join(map(str, item.index.offset or ()))}"
                tensors[name], places[name] = tensor.contiguous(), item.index
        done: Future[list[WriteResult]] = Future()
        done.set_result(self._written(str(plan.storage_data), tensors, places) if tensors else [])
        return done

    def _written(
        self, file: str, tensors: Mapping[str, Tensor], places: Mapping[str, MetadataIndex]
    ) -> list[WriteResult]:
        data = encoded(tensors, self._run)
        storage.publish_bytes(storage.join(self._folder, file), data)
        entry = FileEntry(bytes=len(data), digest=storage.digest_bytes(data))
        found = []
        for name, (begin, end) in _ranges(data).items():
            sizes, index = tuple(tensors[name].shape), places[name]
            chunk = Chunk(
                offsets=tuple(index.offset or (0,) * len(sizes)),
                sizes=sizes,
                file=file,
                begin=begin,
                end=end,
                digest=storage.digest_bytes(data[begin:end]),
            )
            found.append(WriteResult(index, end - begin, _Written(chunk, entry)))
        return found

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        """Write the index, on the first process, when all have written."""
        chunks: dict[str, list[Chunk]] = {}
        for result in (result for of_process in results for result in of_process):
            chunks.setdefault(result.index.fqn, []).append(result.storage_data.chunk)
            self.files[result.storage_data.chunk.file] = result.storage_data.entry
        tensors = {}
        for name, found in sorted(metadata.state_dict_metadata.items()):
            if not isinstance(found, TensorStorageMetadata):
                raise TypeError(f"{name} is no tensor")
            parts = sorted(chunks.get(name, ()), key=lambda chunk: chunk.offsets)
            dtype = str(found.properties.dtype).removeprefix("torch.")
            tensors[name] = Spread(dtype=dtype, shape=tuple(found.size), chunks=tuple(parts))
        data = (Index(run=self._run, tensors=tensors).model_dump_json(indent=1) + "\n").encode()
        storage.publish_bytes(storage.join(self._folder, INDEX_NAME), data)
        self.files[INDEX_NAME] = FileEntry(bytes=len(data), digest=storage.digest_bytes(data))

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike[str]) -> bool:  # noqa: ARG003 (its signature)
        """It is made for a folder, not asked for one."""
        return False


class _PartsReader(StorageReader):
    """Reads the chunks that this process needs."""

    def __init__(self, folder: str, index: Index) -> None:
        self._folder, self._index = folder, index

    def reset(self, checkpoint_id: str | os.PathLike[str] | None = None) -> None:
        """It is of one checkpoint."""

    def read_metadata(self, *_args: Any, **_options: Any) -> Metadata:
        """The index, as planners understand it."""
        found = {
            name: TensorStorageMetadata(
                TensorProperties(dtype=_DTYPES[spread.dtype]),
                torch.Size(spread.shape),
                [ChunkStorageMetadata(torch.Size(chunk.offsets), torch.Size(chunk.sizes)) for chunk in spread.chunks],
            )
            for name, spread in self._index.tensors.items()
        }
        return Metadata(dict(found))

    def set_up_storage_reader(self, metadata: Metadata, is_coordinator: bool, *_args: Any, **_options: Any) -> None:
        """All is known."""

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        """What a process has to read is not changed."""
        return plan

    def prepare_global_plan(self, plans: list[LoadPlan]) -> list[LoadPlan]:
        """Likewise."""
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> Future[None]:
        """Read the chunks that the plan needs something of, one at a time."""
        for item in plan.items:
            spread = self._index.tensors[item.storage_index.fqn]
            offsets = tuple(item.storage_index.offset or (0,) * len(spread.shape))
            chunk = next(chunk for chunk in spread.chunks if chunk.offsets == offsets)
            block = _read(self._folder, spread, chunk)[_within(item.storage_offsets, item.lengths)]
            target = planner.resolve_tensor(item).detach()
            target.copy_(block)
            planner.commit_tensor(item, target)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike[str]) -> bool:  # noqa: ARG003 (its signature)
        """It is made for a folder, not asked for one."""
        return False


def _copy(tensor: Tensor, host: DeviceMesh) -> Tensor:
    if not isinstance(tensor, DTensor):
        return tensor.to("cpu", copy=True).contiguous()
    mine = tensor.to_local().to("cpu", copy=True).contiguous()
    return DTensor.from_local(
        mine, host, tensor.placements, run_check=False, shape=tensor.shape, stride=tensor.stride()
    )


def _ranges(data: bytes) -> dict[str, tuple[int, int]]:
    """Which bytes of a file of tensors are those of which."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    begin = 8 + length
    places = {name: value["data_offsets"] for name, value in header.items() if name != "__metadata__"}
    return {name: (begin + first, begin + last) for name, (first, last) in places.items()}


def _within(offsets: Sequence[int], sizes: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(begin, begin + size) for begin, size in zip(offsets, sizes, strict=True))


def _read(folder: str, spread: Spread, chunk: Chunk) -> Tensor:
    url = storage.join(folder, chunk.file)
    try:
        (data,) = storage.read_ranges([Range(url, chunk.begin, chunk.end)])
    except StorageError:
        if storage.exists(url):
            raise
        data = b""
    if storage.digest_bytes(data) != chunk.digest:
        raise CheckpointError(
            "a part of the checkpoint is missing or not what was saved",
            where=storage.redact(url),
            found=f"{len(data)} bytes, digest {storage.digest_bytes(data)}, from byte {chunk.begin}",
            expected=f"{chunk.end - chunk.begin} bytes, digest {chunk.digest}",
            advice=ADVICE,
        )
    return torch.frombuffer(bytearray(data), dtype=_DTYPES[spread.dtype]).view(chunk.sizes)


@contextlib.contextmanager
def _as_ours() -> Iterator[None]:
    """Raise what a process ran into itself; theirs is no Exception, and holds the errors of all processes."""
    try:
        yield
    except CheckpointException as caught:
        errors = [error for error, _ in caught.failures.values()]
        raise next((error for error in errors if isinstance(error, Seq2SeqError)), errors[0]) from None
