from __future__ import annotations

import pytest
import torch

from seq2seq_core.models.layers.projections import linear


def test_fused_projections_are_initialised_block_by_block() -> None:
    torch.manual_seed(0)
    layer = linear(64, 64, parts=3)
    bound = (6 / 128) ** 0.5
    assert layer.weight.shape == (192, 64)
    assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert layer.bias.abs().max() == 0
