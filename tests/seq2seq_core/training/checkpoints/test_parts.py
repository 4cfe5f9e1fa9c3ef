from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from seq2seq_core import storage
from seq2seq_core.errors import CheckpointError, StorageError
from seq2seq_core.training.checkpoints.parts import (
    INDEX_NAME,
    Chunk,
    Index,
    Spread,
    gathered,
    load_parts,
    owner_of_index,
    read_index,
    save_parts,
    staged,
)
from seq2seq_core.training.checkpoints.tensors import FileEntry

PART_NAME = "part-00000-of-00001.safetensors"
DTYPES = [torch.float32, torch.bfloat16, torch.float64, torch.int64]


@pytest.fixture(scope="module")
def group() -> Iterator[dist.ProcessGroup]:
    """This process, as a group of its own."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    found = dist.group.WORLD
    assert found is not None
    yield found
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def mesh(group: dist.ProcessGroup) -> DeviceMesh:
    assert dist.get_world_size(group) == 1
    return init_device_mesh("cpu", (1, 1), mesh_dim_names=("replicate", "shard"))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path)


@pytest.fixture
def tensors(mesh: DeviceMesh) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {
        "model/a.weight": distribute_tensor(torch.randn(5, 3), mesh, [Replicate(), Shard(0)]),
        "model/a.bias": distribute_tensor(torch.randn(3).bfloat16(), mesh, [Replicate(), Shard(0)]),
        "optimizer/step/a.bias": torch.tensor(7.0),
        "optimizer/row/a.weight": torch.randn(5, 1),
    }


def save(folder: str, tensors: dict[str, Tensor], group: dist.ProcessGroup) -> dict[str, FileEntry]:
    return save_parts(folder, tensors, "run", group, lambda names: None)


@pytest.mark.parametrize("root", ["", "memory://parts"], ids=["disk", "store"])
def test_what_is_saved_comes_back_whole_and_in_parts(
    root: str, folder: str, tensors: dict[str, Tensor], group: dist.ProcessGroup
) -> None:
    folder = root or folder
    names: list[str] = []
    files = save_parts(folder, tensors, "run", group, names.extend)
    assert set(files) == {PART_NAME, INDEX_NAME} == set(names) == set(storage.list_folder(folder))
    index = read_index(folder, files[INDEX_NAME])
    assert owner_of_index(storage.join(folder, INDEX_NAME)) == index.run == "run"
    targets = {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
    load_parts(folder, index, targets, group)
    for name, tensor in tensors.items():
        assert isinstance(targets[name], DTensor) == isinstance(tensor, DTensor)
        expected = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        found = targets[name].full_tensor() if isinstance(targets[name], DTensor) else targets[name]
        assert torch.equal(found, expected)
        whole = gathered(folder, index.tensors[name])
        assert (whole.dtype, whole.shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(whole, expected)


def test_copies_do_not_follow_what_training_does(tensors: dict[str, Tensor], mesh: DeviceMesh) -> None:
    copies = staged(tensors, mesh)
    before = copies["model/a.weight"].full_tensor().clone()  # type: ignore[attr-defined]
    tensors["model/a.weight"].add_(1)
    tensors["optimizer/step/a.bias"].add_(1)
    assert torch.equal(copies["model/a.weight"].full_tensor(), before)  # type: ignore[attr-defined]
    assert copies["optimizer/step/a.bias"] == 7


def test_nothing_of_it_is_pickled(folder: str, tensors: dict[str, Tensor], group: dist.ProcessGroup) -> None:
    save(folder, tensors, group)
    json.loads(storage.read_bytes(storage.join(folder, INDEX_NAME)))
    data = storage.read_bytes(storage.join(folder, PART_NAME))
    assert json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"] == {"run": "run"}


@pytest.mark.parametrize("harm", ["changed", "cut", "gone"])
def test_a_part_that_is_not_what_was_saved_is_named(
    harm: str, folder: str, tensors: dict[str, Tensor], group: dist.ProcessGroup
) -> None:
    index = read_index(folder, save(folder, tensors, group)[INDEX_NAME])
    path = Path(folder, PART_NAME)
    if harm == "gone":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data if harm == "changed" else data[:-1])
    with pytest.raises(CheckpointError, match=rf"{PART_NAME}: a part of the checkpoint is missing or not what was"):
        load_parts(folder, index, {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}, group)
    with pytest.raises(CheckpointError, match="a part of the checkpoint is missing or not what was saved"):
        [gathered(folder, one) for one in index.tensors.values()]


@pytest.mark.parametrize("data", [None, b"{}", b"[[["])
def test_an_index_that_is_not_what_was_saved_is_named(
    data: bytes | None, folder: str, tensors: dict[str, Tensor], group: dist.ProcessGroup
) -> None:
    entry = save(folder, tensors, group)[INDEX_NAME]
    url = storage.join(folder, INDEX_NAME)
    if data is None:
        storage.remove(url)
    else:
        storage.publish_bytes(url, data)
        assert owner_of_index(url) is None
    with pytest.raises(CheckpointError, match="the index of the checkpoint is not the one that was saved"):
        read_index(folder, entry)
    if data is not None:
        with pytest.raises(CheckpointError, match="cannot be understood"):
            read_index(folder, FileEntry(bytes=len(data), digest=storage.digest_bytes(data)))


def test_what_hinders_a_process_is_told_as_it_is(
    tmp_path: Path, tensors: dict[str, Tensor], group: dist.ProcessGroup
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        save(str(tmp_path / "file"), tensors, group)

    def refuse(names: Any) -> None:
        raise CheckpointError(f"no room for {len(names)} files")

    with pytest.raises(CheckpointError, match="no room for 2 files"):
        save_parts(str(tmp_path), tensors, "run", group, refuse)
    assert not list(tmp_path.glob("part*"))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 5), max_size=3), st.data())
def test_a_tensor_that_any_processes_wrote_is_gathered(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], data: st.DataObject
) -> None:
    """Cut along each dimension anywhere, and the blocks given to some files."""
    tensor = torch.arange(torch.Size(shape).numel()).view(shape).to(data.draw(st.sampled_from(DTYPES)))
    cuts = [sorted({0, size, *data.draw(st.lists(st.integers(0, size), max_size=2))}) for size in shape]
    folder, written, chunks = tmp_path_factory.mktemp("parts"), [bytearray(), bytearray(b"head")], []
    for block in itertools.product(*(itertools.pairwise(ends) for ends in cuts)):
        number = data.draw(st.integers(0, 1))
        found = tensor[tuple(slice(*ends) for ends in block)].contiguous()
        values = found.flatten().view(torch.uint8).numpy().tobytes() if shape else found[None].view(torch.uint8)
        values = bytes(values) if isinstance(values, bytes) else bytes(values.numpy())
        begin = len(written[number])
        written[number] += values
        chunks.append(
            Chunk(
                offsets=tuple(first for first, _ in block),
                sizes=tuple(found.shape),
                file=f"part-0000{number}-of-00002.safetensors",
                begin=begin,
                end=begin + len(values),
                digest=storage.digest_bytes(values),
            )
        )
    for number, values in enumerate(written):
        (folder / f"part-0000{number}-of-00002.safetensors").write_bytes(values)
    spread = Spread(dtype=str(tensor.dtype).removeprefix("torch."), shape=tuple(shape), chunks=tuple(chunks))
    assert torch.equal(gathered(str(folder), spread), tensor)
    if len(chunks) > 1:
        with pytest.raises(ValueError, match="not all of it"):
            Spread(dtype=spread.dtype, shape=spread.shape, chunks=tuple(chunks[1:]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "../part-00000-of-00001.safetensors"}, "a chunk stands in"),
        ({"offsets": (1,)}, "leaves its tensor"),
        ({"offsets": (-1,)}, "leaves its tensor"),
        ({"sizes": (2, 1)}, "leaves its tensor|zip"),
        ({"end": 7}, "another number of bytes"),
    ],
)
def test_an_index_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    chunk = {"offsets": (0,), "sizes": (2,), "file": PART_NAME, "begin": 0, "end": 8, "digest": ""}
    assert Index.model_validate({"run": "", "tensors": {"a": {"dtype": "float32", "shape": (2,), "chunks": [chunk]}}})
    one = {"dtype": "float32", "shape": (2,), "chunks": [chunk | changes]}
    with pytest.raises(ValueError, match=message):
        Index.model_validate({"run": "", "tensors": {"a": one}})
    with pytest.raises(ValueError, match="of a kind that is not known"):
        Index.model_validate({"run": "", "tensors": {"a": {**one, "dtype": "complex64"}}})
