"""A model and the processes that train it in; the model with its weights spread over them, and the whole again, out.

Fully sharded data parallelism (Rajbhandari et al. 2020, "ZeRO"; Zhao et al. 2023), as `fully_shard` of PyTorch does it:
each process keeps a part of every weight, of its gradient and of what the optimizer remembers of it. A layer is whole
only while it computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.distributed as dist
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError

REPLICATE, SHARD = "replicate", "shard"
"""Dimensions of a mesh: groups that hold the same, and the processes of a group, which hold parts."""


class ShardingConfig(Config):
    """Whether each process holds all weights, or a part of them."""

    kind: Literal["none", "full", "hybrid"] = Field(
        "none",
        description="none: each process holds all weights, and gradients are exchanged (DDP); full: each holds a part "
        "of weights, gradients and the optimizer's memory (FSDP2); hybrid: the processes of a group hold parts, and "
        "all groups the same",
    )
    group: int | None = Field(
        None, ge=2, le=1 << 20, description="processes of a group of hybrid; null: those of a machine"
    )

    @model_validator(mode="after")
    def _groups_are_hybrid(self) -> ShardingConfig:
        if self.group is not None and self.kind != "hybrid":
            raise ValueError(f"group ({self.group}) is for hybrid, and kind is {self.kind}")
        return self


@dataclass(frozen=True)
class Sharding:
    """How weights are spread over the processes.

    Attributes:
        mesh: The processes, by the names above, with their devices.
        host: The same with their processors, for copies.
        group: All of them, for what goes on beside training.
        policy: The numbers that are computed with, and those that gradients are summed in.
    """

    mesh: DeviceMesh
    host: DeviceMesh
    group: dist.ProcessGroup
    policy: MixedPrecisionPolicy

    def shard(self, model: nn.Module) -> None:
        """Leave of each weight this process's part, on its device.

        Layers are gathered one by one. What belongs to no layer stays whole from forward to backward: the loss needs
        the table of pieces.
        """
        for layer in layers_of(model):
            fully_shard(layer, mesh=self.mesh, mp_policy=self.policy)
        fully_shard(model, mesh=self.mesh, mp_policy=self.policy, reshard_after_forward=False)

    def wrapped(self, computed: nn.Module) -> nn.Module:
        """A module around a sharded model, as all processes call it together."""
        fully_shard(computed, mesh=self.mesh)
        return computed


def build_sharding(
    config: ShardingConfig, size: int, local_size: int, device: torch.device, *, bfloat16: bool
) -> Sharding | None:
    """The sharding of so many processes; None where each of them holds everything. All processes call this.

    Raises:
        ConfigError: The processes do not make whole groups.
    """
    if config.kind == "none" or size == 1:
        return None
    group = size if config.kind == "full" else config.group or local_size
    if size % group or group < 2:
        raise ConfigError(
            "the processes do not make whole groups",
            where="sharding.group",
            found=f"{size} processes in groups of {group}",
            expected="groups of two or more, as many processes in each",
            advice="Set sharding.group to a divisor of the number of processes, or sharding.kind to full.",
        )
    shape = {REPLICATE: size // group, SHARD: group} if group < size else {SHARD: size}
    mesh, *host = (
        init_device_mesh(kind, tuple(shape.values()), mesh_dim_names=tuple(shape))
        for kind in dict.fromkeys((device.type, "cpu"))
    )
    numbers = torch.bfloat16 if bfloat16 else None
    return Sharding(
        mesh,
        host[0] if host else mesh,
        _beside(),
        MixedPrecisionPolicy(param_dtype=numbers, reduce_dtype=torch.float32),
    )


def layers_of(model: nn.Module) -> list[nn.Module]:
    """The layers of a model that are gathered for themselves: what stands in a list of modules, and is made of several.

    Left out are layers whose parts another one uses too, as both need them at the same time, and recurrent ones: what
    they give is a view, which a gathered layer may not.
    """
    lent = {id(part) for module in model.modules() for part in vars(module).values() if isinstance(part, nn.Module)}

    def is_apart(layer: nn.Module) -> bool:
        return not any(id(part) in lent or isinstance(part, nn.RNNBase) for part in layer.modules())

    return list(filter(is_apart, _listed(model)))


def whole(weight: Tensor) -> Tensor:
    """A weight with the parts of all processes, who all call this."""
    return weight.full_tensor() if isinstance(weight, DTensor) else weight


def spread(weight: Tensor, like: Tensor | None) -> Tensor:
    """This process's part of a weight that each of them has, where another one is spread and has its shape."""
    if not isinstance(like, DTensor) or like.shape != weight.shape:
        return weight
    return distribute_tensor(weight.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def _beside() -> dist.ProcessGroup:
    found = dist.new_group(backend="gloo")
    if not isinstance(found, dist.ProcessGroup):
        raise TypeError("a process of the world is in each group of all")
    return found


def _listed(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(module, nn.ModuleList) and any(True for _ in child.children()):
            yield child
        else:
            yield from _listed(child)
