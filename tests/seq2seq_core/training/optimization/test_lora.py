from __future__ import annotations

import copy

import pytest
import torch

from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.training.optimization.lora import LoraConfig, adapt, merged, take

SOURCES, LENGTHS, TARGETS = torch.tensor([[5, 6, 3]]), torch.tensor([3]), torch.tensor([[2, 7, 8]])


def model(seed: int = 0) -> Seq2Seq:
    torch.manual_seed(seed)
    config = TransformerConfig(width=8, feed_forward_width=16, heads=2, encoder_layers=1, decoder_layers=1, dropout=0)
    return build_model(config, Symbols(12), 12)


def test_small_matrices_alone_learn_and_the_merged_weights_do_the_same() -> None:
    network, plain = model(), model()
    adapt(network, LoraConfig(rank=2, also=("encoder_norm.*",)))
    names = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert {name.rpartition(".")[2] for name in names} == {"up", "down", "weight", "bias"}
    assert {name for name in names if "parametrizations" not in name} == {"encoder_norm.weight", "encoder_norm.bias"}
    assert torch.equal(network(SOURCES, LENGTHS, TARGETS).logits_BTV, plain(SOURCES, LENGTHS, TARGETS).logits_BTV)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight))
    found, before = merged(network), plain.state_dict()
    assert found.keys() == before.keys()
    state = network.state_dict()
    for name in (name for name in found if "attention" in name and name.endswith(".weight")):
        matrices = f"{name.removesuffix('weight')}parametrizations.weight.0"
        added = 16 / 2 * (state[f"{matrices}.up"] @ state[f"{matrices}.down"])
        torch.testing.assert_close(found[name], before[name] + added)
    plain.load_state_dict(found)
    ours = network(SOURCES, LENGTHS, TARGETS).logits_BTV
    torch.testing.assert_close(plain(SOURCES, LENGTHS, TARGETS).logits_BTV, ours)
    torch.testing.assert_close(copy.deepcopy(network)(SOURCES, LENGTHS, TARGETS).logits_BTV, ours)


def test_an_adapted_model_takes_weights_under_their_usual_names() -> None:
    network, other = model(), model(1)
    adapt(network, LoraConfig(rank=2))
    take(network, other.state_dict())
    for name, weight in merged(network).items():
        assert torch.equal(weight, other.state_dict()[name]), name


@pytest.mark.parametrize(
    ("patterns", "message"),
    [("embeddings.*", "only matrices of projections"), ("*atention*", "no weight .* called so")],
)
def test_patterns_that_mean_no_projection_are_refused(patterns: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        adapt(model(), LoraConfig(rank=2, weights=(patterns,)))
