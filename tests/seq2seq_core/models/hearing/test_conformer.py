from __future__ import annotations

import torch

from seq2seq_core.models.hearing.conformer import Convolution


def test_the_gradient_of_a_convolution_lies_in_memory_as_its_weight() -> None:
    """Processes exchange gradients in place; of any other, PyTorch makes a copy each step, and warns of it."""
    layer = Convolution(96, 15)
    layer(torch.randn(3, 40, 96), torch.ones(3, 40, dtype=torch.bool)).square().sum().backward()
    assert layer.depthwise.weight.grad is not None
    assert layer.depthwise.weight.grad.stride() == layer.depthwise.weight.stride()
