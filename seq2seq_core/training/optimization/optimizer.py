"""A model in, the optimizer of its weights out, with its state as named tensors for checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_core.config import Grown
from seq2seq_core.errors import CheckpointError
from seq2seq_core.models.layers.embeddings import Embeddings
from seq2seq_core.training.optimization.parts import RateConfig, factors

Group = dict[str, Any]

_FACTOR = "factor"


class OptimizerConfig(Grown):
    """The rule that turns gradients into new weights."""

    younger: ClassVar[frozenset[str]] = frozenset({"momentum", "beta2_decay", "rates"})

    kind: Literal["adam", "adamw", "adafactor", "muon"] = Field(
        "adam",
        description="adam adds weight decay to the gradient, adamw does not; adafactor: one number a row and column in "
        "the place of a square for each weight; muon: steps of equal size in all directions of a matrix, and adamw for "
        "all that is no matrix between layers",
    )
    learning_rate: float = Field(
        5e-4, gt=0, le=1000, description="peak learning rate; the schedule scales it step by step"
    )
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the gradient's running mean (adam, adamw, muon)")
    beta2: float = Field(0.98, ge=0, lt=1, description="decay of the squared gradient's running mean (likewise)")
    epsilon: float = Field(1e-9, ge=1e-30, le=1, description="added to the root of the running square (likewise)")
    momentum: float = Field(0.95, ge=0, lt=1, description="decay of the running mean of a matrix's gradient (muon)")
    beta2_decay: float = Field(
        -0.8, ge=-10, lt=0, description="the running square of step t keeps 1 - t^this of what it was (adafactor)"
    )
    weight_decay: float = Field(
        0.0, ge=0, le=1000, description="pull of matrices towards 0; vectors (biases, norms) are spared"
    )
    rates: tuple[RateConfig, ...] = Field(
        (), description="factors of the learning rate of some weights; of several that mean a weight the last holds"
    )
    clip_norm: float | None = Field(1.0, gt=0, le=1e30, description="the gradient's norm is cut to this; null: no cut")


class Optimizers:
    """Optimizers that step as one, each with weights of its own."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = tuple(parts)

    @property
    def param_groups(self) -> list[Group]:
        """Those of all parts."""
        return [group for part in self.parts for group in part.param_groups]

    def step(self, is_bad: Tensor) -> None:
        """Update the weights by their gradients, unless these are bad (bool, one number, on their device).

        Fused optimizers look on the device; for the others the host has to wait until it is known.
        """
        for part in self.parts:
            if part.defaults.get("fused"):
                part.found_inf = is_bad.float()  # type: ignore[attr-defined]  # as `torch.amp.GradScaler` tells them
                part.step()
            elif not is_bad:
                part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none)


def build_optimizer(config: OptimizerConfig, model: nn.Module) -> Optimizers:
    """The optimizer of all weights that are trained.

    Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019) are fused into one kernel over all weights;
    Adafactor is that of Shazeer and Stern 2018, Muon that of Jordan et al. 2024, with steps as long as those of AdamW
    (Liu et al. 2025), so that one learning rate fits both.
    """
    return Optimizers(_KINDS[config.kind](config, model))


def _adam(config: OptimizerConfig, model: nn.Module) -> list[torch.optim.Optimizer]:
    return [_adaptive(torch.optim.Adam, config, _groups(config, model, _trained(model)))]


def _adamw(config: OptimizerConfig, model: nn.Module) -> list[torch.optim.Optimizer]:
    return [_adaptive(torch.optim.AdamW, config, _groups(config, model, _trained(model)))]


def _adafactor(config: OptimizerConfig, model: nn.Module) -> list[torch.optim.Optimizer]:
    groups = _groups(config, model, _trained(model))
    return [torch.optim.Adafactor(groups, lr=config.learning_rate, beta2_decay=config.beta2_decay)]


def _muon(config: OptimizerConfig, model: nn.Module) -> list[torch.optim.Optimizer]:
    inner = {id(weight) for weight in _inner_matrices(model)}
    weights = _trained(model)
    matrices = _groups(config, model, [weight for weight in weights if id(weight) in inner])
    others = _groups(config, model, [weight for weight in weights if id(weight) not in inner])
    rate, momentum = config.learning_rate, config.momentum
    parts: list[torch.optim.Optimizer] = []
    if matrices:
        parts.append(torch.optim.Muon(matrices, lr=rate, momentum=momentum, adjust_lr_fn="match_rms_adamw"))
    if others:
        parts.append(_adaptive(torch.optim.AdamW, config, others))
    return parts


OF_WHOLE_WEIGHTS = frozenset({"adafactor"})
"""Kinds that remember sums over whole rows and columns, and so cannot learn where weights are spread over processes."""

_KINDS: dict[str, Callable[[OptimizerConfig, nn.Module], list[torch.optim.Optimizer]]] = {
    "adam": _adam,
    "adamw": _adamw,
    "adafactor": _adafactor,
    "muon": _muon,
}


def _adaptive(
    kind: type[torch.optim.Adam | torch.optim.AdamW], config: OptimizerConfig, groups: list[Group]
) -> torch.optim.Optimizer:
    betas = (config.beta1, config.beta2)
    return kind(groups, lr=config.learning_rate, betas=betas, eps=config.epsilon, fused=True)


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


def _groups(config: OptimizerConfig, model: nn.Module, weights: Sequence[nn.Parameter]) -> list[Group]:
    """Matrices with weight decay, and vectors without, those of a rate together; no empty group."""
    rates = factors(model, config.rates)
    groups: dict[tuple[float, bool], Group] = {}
    for weight in sorted(weights, key=lambda weight: weight.dim() < 2):
        is_matrix, factor = weight.dim() >= 2, rates[weight]
        decay = config.weight_decay if is_matrix else 0.0
        group = {"params": [], "weight_decay": decay, "lr": config.learning_rate * factor, _FACTOR: factor}
        groups.setdefault((factor, is_matrix), group)["params"].append(weight)
    return list(groups.values())


def _inner_matrices(model: nn.Module) -> Iterator[nn.Parameter]:
    """The matrices that map vectors between layers: those of projections and recurrent cells, no tables."""
    tables = {
        id(weight) for module in model.modules() if isinstance(module, Embeddings) for weight in module.parameters()
    }
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.RNNBase):
            yield from (
                weight for weight in module.parameters(recurse=False) if weight.dim() == 2 and id(weight) not in tables
            )


def set_learning_rate(optimizer: Optimizers, rate: float) -> None:
    """Let the next step use this rate, times the factor of each weight."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(_FACTOR, 1.0)


def state_tensors(optimizer: Optimizers, model: nn.Module) -> dict[str, Tensor]:
    """All of the optimizer's memory, as `<quantity>/<weight's name>` -> tensor (not copied)."""
    return {
        f"{quantity}/{name}": value
        for name, weight in model.named_parameters()
        for part in optimizer.parts
        for quantity, value in part.state.get(weight, {}).items()
    }


def load_state_tensors(optimizer: Optimizers, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `state_tensors` gave.

    Raises:
        CheckpointError: A tensor belongs to no weight, or its shape is another.
    """
    weights = dict(model.named_parameters())
    places = {
        weight: (part, number)
        for part in optimizer.parts
        for number, weight in enumerate(weight for group in part.param_groups for weight in group["params"])
    }
    states: dict[torch.optim.Optimizer, dict[int, dict[str, Tensor]]] = {part: {} for part in optimizer.parts}
    for key, value in tensors.items():
        quantity, _, name = key.partition("/")
        weight = weights.get(name)
        if weight is None or weight not in places or not _fits(value, weight):
            expected = "no such weight" if weight is None else f"shape {tuple(weight.shape)}"
            raise CheckpointError("the optimizer's state is that of another model", where=key, expected=expected)
        part, number = places[weight]
        states[part].setdefault(number, {})[quantity] = value
    for part, state in states.items():
        part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})


def _fits(value: Tensor, weight: Tensor) -> bool:
    """Whether it may be of a weight: a number, a value for each element, or one for a whole row or column."""
    if value.dim() == 0:
        return True
    pairs = zip(value.shape, weight.shape, strict=False)
    return value.dim() == weight.dim() and all(size in (1, whole) for size, whole in pairs)
