"""A model in; the same with small matrices that learn in the place of its weights, and what both come to, out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import parametrize

from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError
from seq2seq_core.training.optimization.parts import matching
from seq2seq_core.training.processes.sharding import spread

_WEIGHT = "weight"


class LoraConfig(Config):
    """Low-rank adaptation of a model (Hu et al. 2022): all that is learned is what is added to some matrices."""

    rank: int = Field(0, ge=0, le=1 << 16, description="rank of what is added to each matrix; 0: all weights learn")
    alpha: float = Field(16.0, gt=0, le=1e6, description="what is added is multiplied by alpha / rank")
    weights: tuple[str, ...] = Field(
        ("*attention*.weight",), description="patterns of the names of matrices of projections that are added to"
    )
    also: tuple[str, ...] = Field(
        (), description="patterns of the names of weights that learn besides as they are, such as *norm*"
    )


class _LowRank(nn.Module):
    """W in, W + alpha / rank * up @ down out; up is 0 at first."""

    def __init__(self, weight: Tensor, config: LoraConfig) -> None:
        super().__init__()
        self.down = nn.Parameter(weight.new_empty(config.rank, weight.size(1)))
        self.up = nn.Parameter(weight.new_zeros(weight.size(0), config.rank))
        self.scale = config.alpha / config.rank
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Shape of the weight in and out."""
        return weight + self.scale * (self.up @ self.down)


def adapt(model: nn.Module, config: LoraConfig) -> None:
    """Freeze the model and let small matrices learn in the place of those that the patterns mean.

    Raises:
        ConfigError: A pattern means no weight, or one that is no projection's.
    """
    projections = {f"{name}.{_WEIGHT}": part for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    names = matching((name for name, _ in model.named_parameters()), config.weights, "lora.weights")
    matrices = sorted(name for name in names if name.endswith(f".{_WEIGHT}"))
    others = [name for name in matrices if name not in projections]
    if others:
        raise ConfigError("only matrices of projections can be added to", where="lora.weights", found=others[0])
    learning = matching((name for name, _ in model.named_parameters()), config.also, "lora.also")
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in learning and name not in matrices)
    for name in matrices:
        projection = projections[name]
        parametrize.register_parametrization(projection, _WEIGHT, _LowRank(projection.weight, config))


def is_adapted(model: nn.Module) -> bool:
    """Whether small matrices learn in the place of a model's weights."""
    return any(parametrize.is_parametrized(part, _WEIGHT) for part in model.modules())


def merged(model: nn.Module) -> dict[str, Tensor]:
    """The weights of a model under their usual names, with what was learned added."""
    with torch.no_grad():
        added = {
            f"{name}.{_WEIGHT}": getattr(part, _WEIGHT)
            for name, part in model.named_modules()
            if parametrize.is_parametrized(part, _WEIGHT)
        }
    plain = {name: weight for name, weight in model.state_dict().items() if ".parametrizations." not in name}
    return plain | added


def take(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give a model, adapted or not, weights under their usual names; one whose weights are spread its parts of them."""
    state = model.state_dict()
    with torch.no_grad():
        for name, weight in weights.items():
            module, _, last = name.rpartition(".")
            ours = state[name if name in state else f"{module}.parametrizations.{last}.original"]
            ours.copy_(spread(weight, ours))
