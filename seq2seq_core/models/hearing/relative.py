"""Vectors of a source in, contexts out: self-attention that knows how far apart two positions are.

Shape legend: B rows, S positions, R = 2 S - 1 distances, D model width, H heads, C = channels of one head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from seq2seq_core.models.hearing.shape import EncoderShape
from seq2seq_core.models.layers.attention import SelfAttention, attended, merge_heads, split_heads
from seq2seq_core.models.layers.positions import distances
from seq2seq_core.models.layers.projections import linear


class RelativeSelfAttention(nn.Module):
    """Multi-head self-attention with relative positions (Dai et al. 2019, "Transformer-XL", section 3.3).

    The score of query q at i and key k at j is (q + u) . k + (q + v) . W r(i - j): r are sinusoids, u and v are learned
    for each head. The second term is a bias of the fused attention.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.input = linear(width, width, parts=3)
        self.position = linear(width, width, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.position_bias = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.output = linear(width, width)

    def forward(self, x_BSD: Tensor, mask: Tensor) -> Tensor:
        """Contexts (B x S x D); `mask` (bool, broadcast to B x H x S x S) is True where attention may go."""
        queries, keys, values = split_heads(self.input(x_BSD), self.heads, parts=3)
        vectors_RD = self.position(distances(x_BSD.size(1), x_BSD))
        vectors_HCR = vectors_RD.view(len(vectors_RD), self.heads, -1).permute(1, 2, 0)
        asking = (queries + self.position_bias) / math.sqrt(queries.size(-1))
        bias = by_pairs(asking.to(queries.dtype) @ vectors_HCR.to(queries.dtype)).masked_fill(~mask, -math.inf)
        dropout = self.dropout if self.training else 0.0
        queries = (queries + self.content_bias).to(values.dtype)
        return merge_heads(self.output, attended(queries, keys, values, bias, dropout))


def by_pairs(scores_BHSR: Tensor) -> Tensor:
    """Scores of a query at each distance, from S - 1 down to 1 - S, as scores with each key (B x H x S x S).

    Query i and key j are i - j apart, entry S - 1 - i + j of row i: in all rows behind one another, a row begins R - 1
    entries after the last one.
    """
    positions = scores_BHSR.size(2)
    if positions == 1:
        return scores_BHSR
    flat = scores_BHSR.flatten(2)[:, :, positions - 1 : -1]
    return torch.unflatten(flat, 2, (positions, 2 * positions - 2))[..., :positions]


def source_attention(shape: EncoderShape) -> nn.Module:
    """Self-attention with relative positions, or without any where they are added to what it sees."""
    kind = RelativeSelfAttention if shape.positions == "relative" else SelfAttention
    return kind(shape.width, shape.heads, shape.attention_dropout)
