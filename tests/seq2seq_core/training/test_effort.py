from __future__ import annotations

import pytest
import torch

from seq2seq_core.data.batch import Batch
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.training.effort import Effort


def batch() -> Batch:
    """Ten positions a side, of which 6 and 7 are real."""
    ids = torch.ones(2, 5, dtype=torch.int64)
    return Batch(ids, torch.tensor([5, 1]), ids, ids, target_tokens=7)


def test_padding_waits_and_arithmetic_are_those_of_the_window() -> None:
    waited = [3.0]
    config = TransformerConfig(width=8, feed_forward_width=16, heads=2, encoder_layers=1, decoder_layers=1)
    effort = Effort(build_model(config, Symbols(12), 20), 2, lambda: waited[0], peak_teraflops=1e-9)
    for _ in range(2):
        effort.add([batch(), batch()])
        waited[0] += 0.5
    found = effort.figures(4.0)
    assert (found["padding"], found["data_wait"]) == (pytest.approx(0.35), pytest.approx(0.25))
    inner = 2 * 8 * 16  # of a feed-forward layer
    encoder, decoder = 4 * 8 * 8 + inner, 8 * 8 * 8 + inner + 20 * 8  # the source's table is looked up
    expected = 6 * 2 * (encoder + decoder) * 40 * 0.65 / 4 / 1e12
    assert found["teraflops"] == pytest.approx(expected)
    assert found["utilization"] == pytest.approx(expected / 1e-9)
    assert found["peak_memory"] > 1e6
    effort.begin_window()
    found = effort.figures(4.0)
    assert (found["padding"], found["data_wait"], found["teraflops"]) == (0.0, 0.0, 0.0)
