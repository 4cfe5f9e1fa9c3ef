from __future__ import annotations

import pytest
import torch
from torch import nn

from seq2seq_core.errors import CheckpointError
from seq2seq_core.training.optimization.optimizer import (
    OptimizerConfig,
    build_optimizer,
    load_state_tensors,
    set_learning_rate,
    state_tensors,
)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))


def take_steps(network: nn.Module, optimizer: torch.optim.Optimizer, seeds: range) -> None:
    for seed in seeds:
        torch.manual_seed(seed)
        network(torch.randn(16, 4)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_state_put_back_continues_bit_by_bit(kind: str) -> None:
    config = OptimizerConfig.model_validate({"kind": kind, "weight_decay": 0.01})
    straight = model()
    optimizer = build_optimizer(config, straight)
    take_steps(straight, optimizer, range(6))

    first = model()
    optimizer = build_optimizer(config, first)
    take_steps(first, optimizer, range(3))
    kept = {name: tensor.clone() for name, tensor in state_tensors(optimizer, first).items()}
    second = model()
    second.load_state_dict(first.state_dict())
    optimizer = build_optimizer(config, second)
    load_state_tensors(optimizer, second, kept)
    take_steps(second, optimizer, range(3, 6))
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name]), name


def test_decay_pulls_matrices_and_spares_vectors() -> None:
    network = model()
    optimizer = build_optimizer(OptimizerConfig(kind="adamw", weight_decay=0.1), network)
    decay = {id(w): group["weight_decay"] for group in optimizer.param_groups for w in group["params"]}
    assert {name: decay[id(weight)] for name, weight in network.named_parameters()} == {
        "0.weight": 0.1, "0.bias": 0.0, "1.weight": 0.0, "1.bias": 0.0, "2.weight": 0.1, "2.bias": 0.0,
    }  # fmt: skip


def test_the_rate_reaches_every_group() -> None:
    optimizer = build_optimizer(OptimizerConfig(), model())
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


@pytest.mark.parametrize("key", ["exp_avg/9.weight", "exp_avg/0.bias"])
def test_the_state_of_another_model_is_refused(key: str) -> None:
    network = model()
    optimizer = build_optimizer(OptimizerConfig(), network)
    with pytest.raises(CheckpointError, match=key):
        load_state_tensors(optimizer, network, {key: torch.zeros(99)})
