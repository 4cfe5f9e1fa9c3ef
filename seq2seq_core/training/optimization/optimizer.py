"""A model in, the optimizer of its weights out, with its state as named tensors for checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_core.config import Config
from seq2seq_core.errors import CheckpointError


class OptimizerConfig(Config):
    """The rule that turns gradients into new weights."""

    kind: Literal["adam", "adamw"] = Field("adam", description="adam adds weight decay to the gradient, adamw does not")
    learning_rate: float = Field(
        5e-4, gt=0, le=1000, description="peak learning rate; the schedule scales it step by step"
    )
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the gradient's running mean")
    beta2: float = Field(0.98, ge=0, lt=1, description="decay of the squared gradient's running mean")
    epsilon: float = Field(1e-9, ge=1e-30, le=1, description="added to the root of the running square")
    weight_decay: float = Field(
        0.0, ge=0, le=1000, description="pull of matrices towards 0; vectors (biases, norms) are spared"
    )
    clip_norm: float | None = Field(1.0, gt=0, le=1e30, description="the gradient's norm is cut to this; null: no cut")


def build_optimizer(config: OptimizerConfig, model: nn.Module) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019), fused into one kernel over all weights."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [weight for weight in weights if weight.dim() < 2], "weight_decay": 0.0},
    ]
    kind = torch.optim.Adam if config.kind == "adam" else torch.optim.AdamW
    return kind(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the next step use this rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def state_tensors(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """All of the optimizer's memory, as `<quantity>/<weight's name>` -> tensor (not copied)."""
    return {
        f"{quantity}/{name}": value
        for name, weight in model.named_parameters()
        for quantity, value in optimizer.state.get(weight, {}).items()
    }


def load_state_tensors(optimizer: torch.optim.Optimizer, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `state_tensors` gave.

    Raises:
        CheckpointError: A tensor belongs to no weight, or its shape is another.
    """
    weights = dict(model.named_parameters())
    indices = {weight: i for i, weight in enumerate(w for group in optimizer.param_groups for w in group["params"])}
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        quantity, _, name = key.partition("/")
        weight = weights.get(name)
        if weight is None or (value.dim() > 0 and value.shape != weight.shape):
            expected = "no such weight" if weight is None else f"shape {tuple(weight.shape)}"
            raise CheckpointError("the optimizer's state is that of another model", where=key, expected=expected)
        state.setdefault(indices[weight], {})[quantity] = value
    whole: dict[str, Any] = {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    optimizer.load_state_dict(whole)
