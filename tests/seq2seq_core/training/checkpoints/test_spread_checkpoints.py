"""Checkpoints whose tensors are spread over processes, here over this one alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from seq2seq_core.errors import CheckpointError
from seq2seq_core.training.checkpoints.checkpoint import (
    MARKER_NAME,
    MODEL_FILE,
    OPTIMIZER_FILE,
    Checkpoints,
    Retention,
)
from seq2seq_core.training.checkpoints.parts import INDEX_NAME
from seq2seq_core.training.checkpoints.run_state import RunState
from seq2seq_core.training.processes.sharding import Sharding

IDENTITY, OTHER = {"seed": 1}, {"seed": 2}
ALL = Retention(last=100, best=1, scores={})
PARTS = {INDEX_NAME, MARKER_NAME, "part-00000-of-00001.safetensors"}
WHOLE = {MODEL_FILE, OPTIMIZER_FILE, MARKER_NAME}


@pytest.fixture(scope="module")
def sharding() -> Iterator[Sharding]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    group = dist.group.WORLD
    assert group is not None
    mesh = init_device_mesh("cpu", (1,), mesh_dim_names=("shard",))
    yield Sharding(mesh, mesh, group, MixedPrecisionPolicy())
    dist.destroy_process_group()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def saved(root: Path, sharding: Sharding | None, value: float = 1.0) -> Checkpoints:
    weight: Tensor = torch.full((4, 2), value)
    if sharding is not None:
        weight = distribute_tensor(weight, sharding.mesh, [Shard(0)])
    files = {
        MODEL_FILE: {"w": weight},
        OPTIMIZER_FILE: {"mean/w": weight, "step/w": torch.tensor(3.0), "weight/w": weight},
    }
    checkpoints = Checkpoints(str(root), IDENTITY, sharding=sharding)
    checkpoints.save(files, RunState(step=1, position=1), ALL)
    checkpoints.wait()
    return checkpoints


@pytest.mark.parametrize("is_spread", [False, True])
def test_either_kind_is_read_as_it_is_needed(tmp_path: Path, sharding: Sharding, is_spread: bool) -> None:
    saved(tmp_path, sharding if is_spread else None)
    whole = dict(Checkpoints(str(tmp_path), IDENTITY).tensors(1, MODEL_FILE))
    assert torch.equal(whole["w"], torch.ones(4, 2))
    like = {"w": distribute_tensor(torch.zeros(4, 2), sharding.mesh, [Shard(0)])}
    found = dict(Checkpoints(str(tmp_path), IDENTITY, sharding=sharding).tensors(1, OPTIMIZER_FILE, like))
    assert found.keys() == {"mean/w", "step/w", "weight/w"}
    assert isinstance(found["mean/w"], DTensor)
    assert torch.equal(found["mean/w"].full_tensor(), torch.ones(4, 2))
    assert (type(found["step/w"]), found["step/w"]) == (Tensor, 3.0)
    assert torch.equal(like["w"].full_tensor(), torch.zeros(4, 2))


def test_the_same_step_is_saved_anew_in_the_other_kind(tmp_path: Path, sharding: Sharding) -> None:
    folder = tmp_path / "step-00000001"
    for value, kind, expected in [(1.0, sharding, PARTS), (2.0, None, WHOLE), (3.0, sharding, PARTS)]:
        checkpoints = saved(tmp_path, kind, value)
        assert names(folder) == expected
        assert torch.equal(dict(checkpoints.tensors(1, MODEL_FILE))["w"], torch.full((4, 2), value))


@pytest.mark.parametrize("left", [PARTS - {MARKER_NAME}, {INDEX_NAME}, {"part-00000-of-00001.safetensors"}])
def test_parts_without_a_marker_are_swept_by_their_run_alone(
    tmp_path: Path, sharding: Sharding, left: set[str]
) -> None:
    saved(tmp_path, sharding)
    folder = tmp_path / "step-00000001"
    for name in names(folder) - left:
        (folder / name).unlink()
    (folder / f".{INDEX_NAME}.{'0' * 32}.tmp").write_bytes(b"half")
    other = Checkpoints(str(tmp_path), OTHER, sharding=sharding)
    assert other.present() == []
    with pytest.raises(CheckpointError, match="an unfinished checkpoint of another run"):
        other.sweep()
    Checkpoints(str(tmp_path), IDENTITY).sweep()
    assert not folder.exists()


def test_what_is_left_beside_a_checkpoint_of_parts_is_swept(tmp_path: Path, sharding: Sharding) -> None:
    checkpoints = saved(tmp_path, sharding)
    folder = tmp_path / "step-00000001"
    (folder / "part-00001-of-00002.safetensors").write_bytes(b"of an earlier try")
    checkpoints.sweep()
    assert names(folder) == PARTS
