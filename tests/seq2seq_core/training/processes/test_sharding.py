from __future__ import annotations

import pytest
import torch
from torch import nn

from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.training.processes.sharding import ShardingConfig, build_sharding, layers_of, spread, whole

CPU = torch.device("cpu")


def transformer(**shape: bool) -> nn.Module:
    config = TransformerConfig(width=8, feed_forward_width=8, heads=2, encoder_layers=2, decoder_layers=2, **shape)
    return build_model(config, Symbols(12), 12)


def test_the_layers_of_a_transformer_are_gathered_one_by_one() -> None:
    model = transformer()
    assert layers_of(model) == [*model.encoder.children(), *model.decoder.children()]


def test_layers_that_lend_their_parts_stay_with_the_rest() -> None:
    model = transformer(share_layers=True)
    assert layers_of(model) == [*model.decoder.children()]


def test_recurrent_layers_stay_with_the_rest() -> None:
    assert layers_of(build_model(RnnConfig(width=8, embedding_width=8, decoder_layers=3), Symbols(12), 12)) == []


def test_a_single_operation_is_no_layer() -> None:
    assert layers_of(nn.Sequential(nn.ModuleList([nn.Linear(2, 2)]))) == []


@pytest.mark.parametrize(("size", "group", "local"), [(4, 3, 4), (6, None, 4), (4, None, 1)])
def test_groups_that_are_not_whole_are_refused(size: int, group: int | None, local: int) -> None:
    with pytest.raises(ConfigError, match=r"sharding\.group: the processes do not make whole groups"):
        build_sharding(ShardingConfig(kind="hybrid", group=group), size, local, CPU, bfloat16=False)


def test_a_process_that_is_alone_holds_everything() -> None:
    assert build_sharding(ShardingConfig(kind="full"), 1, 1, CPU, bfloat16=False) is None
    assert build_sharding(ShardingConfig(), 4, 4, CPU, bfloat16=False) is None


def test_a_group_is_for_hybrid_alone() -> None:
    with pytest.raises(ValueError, match=r"group \(2\) is for hybrid, and kind is full"):
        ShardingConfig(kind="full", group=2)


def test_what_is_not_spread_is_whole_already() -> None:
    weight = torch.ones(2)
    assert whole(weight) is weight
    assert spread(weight, None) is weight
    assert spread(weight, torch.zeros(2)) is weight
