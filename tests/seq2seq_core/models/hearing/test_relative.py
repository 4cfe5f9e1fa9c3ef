from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seq2seq_core.models.hearing.relative import RelativeSelfAttention, by_pairs
from seq2seq_core.models.layers.attention import split_heads
from seq2seq_core.models.layers.positions import distances

WIDTH, HEADS = 8, 2


def sinusoid(distance: int) -> Tensor:
    angles = [distance / 10_000 ** (channel / (WIDTH // 2)) for channel in range(WIDTH // 2)]
    return torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles])


def test_distances_run_from_the_future_to_the_past() -> None:
    found = distances(300, torch.empty(1, WIDTH))
    assert found.shape == (599, WIDTH)
    for row, distance in ((0, 299), (299, 0), (598, -299), (310, -11)):
        torch.testing.assert_close(found[row], sinusoid(distance))


@pytest.mark.parametrize("positions", [1, 2, 3, 6])
def test_scores_of_distances_become_scores_of_pairs(positions: int) -> None:
    of_distance = torch.arange(positions - 1, -positions, -1).expand(2, 3, positions, -1)
    query, key = torch.arange(positions)[:, None], torch.arange(positions)
    assert torch.equal(by_pairs(of_distance), (query - key).expand(2, 3, -1, -1))


def test_it_follows_the_formula() -> None:
    torch.manual_seed(4)
    attention = RelativeSelfAttention(WIDTH, HEADS, 0.0)
    torch.nn.init.normal_(attention.content_bias)
    torch.nn.init.normal_(attention.position_bias)
    x = torch.randn(1, 5, WIDTH)
    mask = torch.tensor([True, True, True, True, False]).view(1, 1, 1, 5)
    q, k, v = split_heads(attention.input(x), HEADS, parts=3)
    contexts = torch.zeros(1, HEADS, 5, WIDTH // HEADS)
    for head in range(HEADS):
        for i in range(5):
            scores = []
            for j in range(4):
                r = attention.position(sinusoid(i - j)).view(HEADS, -1)[head]
                content = (q[0, head, i] + attention.content_bias[head, 0]) @ k[0, head, j]
                scores.append((content + (q[0, head, i] + attention.position_bias[head, 0]) @ r) / math.sqrt(4))
            contexts[0, head, i] = torch.stack(scores).softmax(0) @ v[0, head, :4]
    expected = attention.output(contexts.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, mask), expected)


def test_only_distances_count() -> None:
    """The same vectors later in a longer source give the same contexts."""
    torch.manual_seed(4)
    attention = RelativeSelfAttention(WIDTH, HEADS, 0.0).double()
    x = torch.randn(1, 6, WIDTH, dtype=torch.float64)
    later = torch.cat([torch.randn(1, 3, WIDTH, dtype=torch.float64), x], 1)
    mask = torch.ones(1, 1, 1, 9, dtype=torch.bool)
    mask[..., :3] = False
    torch.testing.assert_close(attention(later, mask)[:, 3:], attention(x, mask[..., 3:]))
