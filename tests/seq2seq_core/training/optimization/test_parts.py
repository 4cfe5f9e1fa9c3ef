from __future__ import annotations

import pytest
import torch
from torch import nn

from seq2seq_core.errors import ConfigError
from seq2seq_core.training.optimization.optimizer import OptimizerConfig, build_optimizer, set_learning_rate
from seq2seq_core.training.optimization.parts import RateConfig, freeze


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))


def test_frozen_weights_are_in_no_optimizer() -> None:
    network = model()
    freeze(network, ["0.*", "?.bias"])
    optimizer = build_optimizer(OptimizerConfig(), network)
    names = {weight: name for name, weight in network.named_parameters()}
    assert {names[weight] for group in optimizer.param_groups for weight in group["params"]} == {"1.weight", "2.weight"}


def test_rates_are_factors_and_the_last_pattern_holds() -> None:
    network = model()
    rates = (RateConfig(weights="*", factor=0.5), RateConfig(weights="2.*", factor=0.1))
    optimizer = build_optimizer(OptimizerConfig(rates=rates, weight_decay=0.1), network)
    set_learning_rate(optimizer, 2.0)
    names = {weight: name for name, weight in network.named_parameters()}
    found = {
        names[w]: (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for w in group["params"]
    }
    assert found == {
        "0.weight": (1.0, 0.1), "0.bias": (1.0, 0.0), "1.weight": (1.0, 0.0), "1.bias": (1.0, 0.0),
        "2.weight": (0.2, 0.1), "2.bias": (0.2, 0.0),
    }  # fmt: skip


def test_patterns_that_mean_nothing_or_everything_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"freeze: no weight .* found 3\.\*; expected such as"):
        freeze(model(), ["3.*"])
    with pytest.raises(ConfigError, match="all weights are frozen"):
        freeze(model(), ["*"])
    with pytest.raises(ConfigError, match=r"optimizer\.rates"):
        build_optimizer(OptimizerConfig(rates=(RateConfig(weights="9", factor=1),)), model())
