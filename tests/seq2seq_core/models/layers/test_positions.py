from __future__ import annotations

import math

import torch

from seq2seq_core.models.layers.positions import SinusoidalPositions


def test_sinusoids_follow_the_formula_at_any_length() -> None:
    vectors = SinusoidalPositions()(995, 10, torch.empty(1, 6))
    for row, position in ((0, 995), (9, 1004)):
        angles = [position / 10_000 ** (channel / 3) for channel in range(3)]
        expected = torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles])
        torch.testing.assert_close(vectors[row], expected)
