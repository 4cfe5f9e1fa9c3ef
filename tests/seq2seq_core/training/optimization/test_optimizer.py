from __future__ import annotations

import pytest
import torch
from torch import nn

from seq2seq_core.errors import CheckpointError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.training.optimization.optimizer import (
    OptimizerConfig,
    Optimizers,
    build_optimizer,
    load_state_tensors,
    set_learning_rate,
    state_tensors,
)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))


def take_steps(network: nn.Module, optimizer: Optimizers, seeds: range) -> None:
    for seed in seeds:
        torch.manual_seed(seed)
        network(torch.randn(16, 4)).square().sum().backward()
        optimizer.step(torch.tensor(False))
        optimizer.zero_grad()


@pytest.mark.parametrize("kind", ["adam", "adamw", "adafactor", "muon"])
def test_bad_gradients_change_nothing(kind: str) -> None:
    network, straight = model(), model()
    optimizers = [build_optimizer(OptimizerConfig.model_validate({"kind": kind}), one) for one in (network, straight)]
    for one, optimizer in zip((network, straight), optimizers, strict=True):
        take_steps(one, optimizer, range(2))
    for weight in network.parameters():
        weight.grad = torch.full_like(weight, torch.nan)
    optimizers[0].step(torch.tensor(True))
    optimizers[0].zero_grad()
    for one, optimizer in zip((network, straight), optimizers, strict=True):
        take_steps(one, optimizer, range(2, 4))
    memory = [state_tensors(optimizer, one) for one, optimizer in zip((network, straight), optimizers, strict=True)]
    assert all(torch.equal(value, memory[1][name]) for name, value in memory[0].items())
    pairs = zip(network.parameters(), straight.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("kind", ["adam", "adamw", "adafactor", "muon"])
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


def test_muon_turns_matrices_between_layers_and_leaves_the_rest_to_adamw() -> None:
    config = TransformerConfig(width=8, feed_forward_width=16, heads=2, encoder_layers=1, decoder_layers=1)
    network = build_model(config, Symbols(12), 12)
    optimizer = build_optimizer(OptimizerConfig(kind="muon", weight_decay=0.1), network)
    muon, adamw = optimizer.parts
    assert isinstance(muon, torch.optim.Muon)
    assert isinstance(adamw, torch.optim.AdamW)
    names = {weight: name for name, weight in network.named_parameters()}
    turned = {names[weight] for group in muon.param_groups for weight in group["params"]}
    assert turned == {name for weight, name in names.items() if weight.dim() == 2 and not name.startswith("embeddings")}
    others = {names[weight] for group in adamw.param_groups for weight in group["params"]}
    assert turned | others == set(names.values())
    assert not turned & others
    set_learning_rate(optimizer, 0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}


def test_adafactor_remembers_a_row_and_a_column_of_each_matrix() -> None:
    network = model()
    optimizer = build_optimizer(OptimizerConfig(kind="adafactor"), network)
    take_steps(network, optimizer, range(1))
    kept = state_tensors(optimizer, network)
    assert kept["row_var/0.weight"].shape == (8, 1)
    assert kept["col_var/0.weight"].shape == (1, 4)
    with pytest.raises(CheckpointError, match=r"row_var/0\.weight"):
        load_state_tensors(optimizer, network, {"row_var/0.weight": torch.zeros(7, 1)})
