from __future__ import annotations

import pytest
import torch

from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.training.optimization.running_average import RunningAverage


def model(seed: int = 0) -> Seq2Seq:
    torch.manual_seed(seed)
    config = TransformerConfig(width=8, feed_forward_width=16, heads=2, encoder_layers=1, decoder_layers=1)
    return build_model(config, Symbols(12), 12)


def moved(network: Seq2Seq, number: int) -> None:
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.full_like(weight, float(number)))


def values(network: Seq2Seq) -> list[float]:
    return [weight.mean().item() for weight in network.parameters()]


def test_the_average_is_that_of_the_formula_and_begins_fast() -> None:
    network = model()
    average = RunningAverage(network, 0.2)
    expected = 0.0
    for update in range(6):
        moved(network, update)
        average.update(network)
        decay = min(0.2, (1 + update) / (10 + update))
        expected = update if update == 0 else decay * expected + (1 - decay) * update
        assert values(average.model) == pytest.approx([expected] * len(values(network)))
    assert values(network) == [5.0] * len(values(network))


def test_an_average_put_back_goes_on_bit_by_bit() -> None:
    network = model()
    straight = RunningAverage(network, 0.9)
    for update in range(3):
        moved(network, update)
        straight.update(network)
    resumed = RunningAverage(model(1), 0.9)
    resumed.load(straight.model.state_dict(), 3)
    moved(network, 7)
    for average in (straight, resumed):
        average.update(network)
    for one, other in zip(straight.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not any(weight.requires_grad for weight in resumed.model.parameters())
    assert all(weight.requires_grad for weight in network.parameters())
