"""Attention: queries, keys and values in, contexts and weights out.

Shape legend: B sentences, Q query positions, K key positions, S source positions, D memory width, A attention width,
H heads, C = channels of one head.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.models.layers.positions import RelativePositions, rotated
from seq2seq_core.models.layers.projections import linear
from seq2seq_core.models.layers.rows import Taking

Place = Literal["rotary"] | RelativePositions | None

KEYS_ALIKE = 16
_FIRST_STEPS = 16


class AdditiveAttention(nn.Module):
    """score(q, m) = v . tanh(U q + W m) (Bahdanau, Cho and Bengio 2015, appendix A.1.2)."""

    def __init__(self, query_width: int, memory_width: int) -> None:
        super().__init__()
        self.query = linear(query_width, query_width, bias=False)
        self.key = linear(memory_width, query_width)
        self.score = linear(query_width, 1, bias=False)

    def keys(self, states_BSD: Tensor) -> Tensor:
        """What of the memory is the same for every query (B x S x A)."""
        keys: Tensor = self.key(states_BSD)
        return keys

    def weights(self, queries_BQA: Tensor, keys_BSA: Tensor, mask_BS: Tensor) -> Tensor:
        """How much each query attends to each real position (B x Q x S, rows sum to 1, 0 where masked)."""
        sums_BQSA = self.query(queries_BQA)[:, :, None] + keys_BSA[:, None]
        return masked_softmax(self.score(sums_BQSA.tanh()).squeeze(-1), mask_BS[:, None])


class MultiplicativeAttention(nn.Module):
    """score(q, m) = q . W m (Luong, Pham and Manning 2015, "general")."""

    def __init__(self, query_width: int, memory_width: int) -> None:
        super().__init__()
        self.key = linear(memory_width, query_width, bias=False)

    def keys(self, states_BSD: Tensor) -> Tensor:
        """What of the memory is the same for every query (B x S x A)."""
        keys: Tensor = self.key(states_BSD)
        return keys

    def weights(self, queries_BQA: Tensor, keys_BSA: Tensor, mask_BS: Tensor) -> Tensor:
        """How much each query attends to each real position (B x Q x S, rows sum to 1, 0 where masked)."""
        return masked_softmax(queries_BQA.to(keys_BSA.dtype) @ keys_BSA.transpose(1, 2), mask_BS[:, None])


class Past:
    """Keys and values (2 x B x H x K x C) of the steps so far, in a buffer of one type with room for more.

    The steps of one search share the buffer: each writes behind the last, so nothing is copied until it is full. A step
    that continues from an earlier state than the last one, or that records gradients, gets a buffer of its own; so
    a state never changes under the hands of its holder, but for `of_sentences`, which uses it up.

    Behind the steps there are zeros as far as `room_for` them goes.
    """

    def __init__(self, buffer_2BHKC: Tensor, length: int) -> None:
        self._buffer = buffer_2BHKC
        self._length = length

    def extended(self, length: int, newer_2BHQC: Tensor) -> Past:
        """The first `length` positions and then the newer ones."""
        end = length + newer_2BHQC.size(3)
        if newer_2BHQC.requires_grad:
            return Past(with_room(torch.cat([self.first(length), newer_2BHQC], 3)), end)
        past = self
        if self._length != length or room_for(end, newer_2BHQC) > self._buffer.size(3):
            shape = list(newer_2BHQC.shape)
            shape[3] = room_for(max(2 * end, _FIRST_STEPS * newer_2BHQC.size(3)), newer_2BHQC)
            past = Past(self._buffer.new_empty(shape), end)
            past.first(length).copy_(self.first(length))
        past._length = end
        past.first(end)[:, :, :, length:] = newer_2BHQC
        if past is not self or end > room_for(length, newer_2BHQC):
            past._buffer[:, :, :, end : room_for(end, newer_2BHQC)] = 0
        return past

    def first(self, length: int) -> Tensor:
        """The first `length` positions (2 x B x H x length x C), of which those behind the steps are zeros."""
        return self._buffer[:, :, :, :length]

    def of_sentences(self, taking: Taking) -> Past:
        """The past of some sentences alone; this one is used up."""
        return Past(taking.of(self._buffer, room_for(self._length, self._buffer)), self._length)


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself (Vaswani et al. 2017, section 3.2), one fused projection.

    Args:
        width: D.
        heads: H.
        dropout: Of the weights, in training.
        place: How positions are told apart: "rotary" turns queries and keys by them, `RelativePositions`, which other
            layers and the model have too, adds to the scores; None: vectors say it.
    """

    def __init__(self, width: int, heads: int, dropout: float, place: Place = None) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.is_rotary = place == "rotary"
        self._relative = (place,) if isinstance(place, RelativePositions) else ()  # whose weights the model names
        self.input = linear(width, width, parts=3)
        self.output = linear(width, width)

    def forward(self, x_BQD: Tensor, mask: Tensor | None, *, causal: bool = False) -> Tensor:
        """Contexts (B x Q x D); `mask` (bool, broadcast to B x H x Q x K) is True where attention may go."""
        queries, keys, values = split_heads(self.input(x_BQD), self.heads, parts=3)
        if self.is_rotary:
            queries, keys = (rotated(part, 0, part.size(2)) for part in (queries, keys))
        for relative in self._relative:
            mask, causal = _biased(relative.bias(range(x_BQD.size(1)), x_BQD.size(1)), mask, causal=causal), False
            mask = mask.to(queries.dtype)
        dropout = self.dropout if self.training else 0.0
        contexts = attended(queries, keys, values, mask, dropout, causal=causal)
        return merge_heads(self.output, contexts)

    def step(self, x_BQD: Tensor, past: Past, length: int, bias: Tensor | None) -> tuple[Tensor, Past]:
        """Contexts (B x Q x D) over the first `length` positions of `past` and these, and the past of the next step.

        The Q stand at one position, and each position of `past` has as many: the hypotheses of a search. `bias` (of the
        type of the past, broadcast to B x H x Q x K) is -inf where attention may not go, and 0 elsewhere; K may be
        `room_for` all the positions.
        """
        parts_3BHQC = split_heads(self.input(x_BQD), self.heads, parts=3)
        together = x_BQD.size(1)
        steps = length // together
        if self.is_rotary:
            turned = [rotated(part, steps, 1) for part in parts_3BHQC[:2]]
            parts_3BHQC = torch.stack([*turned, parts_3BHQC[2]])
        past = past.extended(length, parts_3BHQC[1:])
        keys, values = past.first(length + together if bias is None else bias.size(3))
        for relative in self._relative:
            own = relative.bias(range(steps, steps + 1), steps + 1).repeat_interleave(together, 2).to(keys.dtype)
            bias = own if bias is None else bias + functional.pad(own, (0, bias.size(3) - own.size(2)))
        contexts = attended(parts_3BHQC[0], keys, values, bias)
        return merge_heads(self.output, contexts), past


class CrossAttention(nn.Module):
    """Multi-head attention of target positions to a memory (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = linear(width, width)
        self.memory = linear(width, width, parts=2)
        self.output = linear(width, width)

    def keys_values(self, states_BSD: Tensor) -> Tensor:
        """What of the memory is the same for every query: keys and values (2 x B x H x S x C)."""
        return split_heads(self.memory(states_BSD), self.heads, parts=2)

    def forward(self, x_BQD: Tensor, memory_2BHSC: Tensor, mask_B11S: Tensor) -> Tensor:
        """Contexts (B x Q x D); `mask_B11S` is True where the memory is real, or a bias as in `with_weights`."""
        queries = split_heads(self.query(x_BQD), self.heads, parts=1)[0]
        dropout = self.dropout if self.training else 0.0
        keys, values = memory_2BHSC
        contexts = attended(queries, keys, values, mask_B11S, dropout)
        return merge_heads(self.output, contexts)

    def with_weights(self, x_BQD: Tensor, memory_2BHSC: Tensor, bias_B11S: Tensor) -> tuple[Tensor, Tensor]:
        """Contexts as `forward` gives them, and the weights of the heads before dropout (float32, B x H x Q x S);
        `bias_B11S` (of the type of the memory, which may be another than that of x) is -inf where it is not real, and 0
        elsewhere.
        """
        queries = split_heads(self.query(x_BQD), self.heads, parts=1)[0]
        keys, values = memory_2BHSC
        weights_BHQS = _weights(queries, keys, bias_B11S)
        kept_BHQS = functional.dropout(weights_BHQS, self.dropout, self.training)
        contexts_BHQC = (kept_BHQS.to(values.dtype) @ values).to(x_BQD.dtype)
        return merge_heads(self.output, contexts_BHQC), weights_BHQS


def _biased(bias_HQK: Tensor, mask: Tensor | None, *, causal: bool) -> Tensor:
    """What is added to scores, -inf where attention may not go."""
    seen = torch.ones_like(bias_HQK[0], dtype=torch.bool).tril() if causal else mask
    return bias_HQK if seen is None else bias_HQK.masked_fill(~seen, -math.inf)


def attended(
    queries_BHQC: Tensor,
    keys_BHKC: Tensor,
    values_BHKC: Tensor,
    mask: Tensor | None,
    dropout: float = 0.0,
    *,
    causal: bool = False,
) -> Tensor:
    """Contexts (B x H x Q x C) by scaled dot products (Vaswani et al. 2017, section 3.2.1).

    `mask` is True where attention may go, or is what is added to scores. Contexts are of the type of the queries.

    On a CPU half as many bits are more than ten times as slow here: what is multiplied is as small as one head of one
    sentence, and PyTorch has oneDNN prepare each of these products for itself. So they are float32.
    """
    kind, on_cpu = queries_BHQC.dtype, values_BHKC.device.type == "cpu"
    if on_cpu and kind in (torch.bfloat16, torch.float16):
        mask = mask if mask is None or mask.dtype == torch.bool else mask.float()
        with torch.autocast("cpu", enabled=False):
            queries, keys, values = queries_BHQC.float(), keys_BHKC.float(), values_BHKC.float()
            return attended(queries, keys, values, mask, dropout, causal=causal).to(kind)
    is_bias = not causal if mask is None else mask.dtype != torch.bool
    if on_cpu and queries_BHQC.size(2) == 1 and is_bias and not dropout:  # PyTorch's kernel there is made for many
        return _weights(queries_BHQC, keys_BHKC, mask) @ values_BHKC
    return functional.scaled_dot_product_attention(
        queries_BHQC, keys_BHKC, values_BHKC, mask, dropout, is_causal=causal
    )


def _weights(queries_BHQC: Tensor, keys_BHKC: Tensor, bias: Tensor | None) -> Tensor:
    """The weights of scaled dot products (float32, B x H x Q x K)."""
    scores_BHQK = (queries_BHQC / math.sqrt(queries_BHQC.size(3))).to(keys_BHKC.dtype) @ keys_BHKC.transpose(2, 3)
    scores_BHQK = scores_BHQK if bias is None else scores_BHQK + bias
    return scores_BHQK.softmax(-1, torch.promote_types(scores_BHQK.dtype, torch.float32))


def room_for(keys: int, like: Tensor) -> int:
    """How many keys attention should have, some of which it may not look at, to be fast: on a CPU, 16, 32 and so on.

    PyTorch's softmax takes 16 numbers of a row at once there, and the rest by one: 15 keys are 3 times as slow as 16.
    """
    return keys if like.device.type != "cpu" else keys + -keys % KEYS_ALIKE


def with_room(keys: Tensor) -> Tensor:
    """Keys or values (... x K x C) and zeros behind them, so that they have the room for K; contiguous.

    On a CPU they are float32, as `attended` needs them there at every step.
    """
    count, room = keys.size(-2), room_for(keys.size(-2), keys)
    kind = torch.promote_types(keys.dtype, torch.float32) if keys.device.type == "cpu" else keys.dtype
    if count == room:
        return keys.to(kind).contiguous()
    if keys.requires_grad:
        return functional.pad(keys.to(kind), (0, 0, 0, room - count)).contiguous()
    made = keys.new_empty(*keys.shape[:-2], room, keys.size(-1), dtype=kind)
    made[..., :count, :] = keys
    made[..., count:, :] = 0
    return made


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis in at least float32, 0 where `mask` (bool, broadcast) is False.

    Every row needs one True.
    """
    scores = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
    return scores.masked_fill(~mask, -math.inf).softmax(-1)


def attention_bias(mask: Tensor, like: Tensor) -> Tensor:
    """0 where `mask` (bool) is True and -inf elsewhere, of the type of `like`."""
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill_(~mask, -math.inf)


def split_heads(x: Tensor, heads: int, parts: int) -> Tensor:
    """B x Q x (parts * H * C) in, a view of parts x B x H x Q x C out."""
    batch, positions, width = x.shape
    return x.view(batch, positions, parts, heads, width // (parts * heads)).permute(2, 0, 3, 1, 4)


def merge_heads(output: nn.Module, contexts_BHQC: Tensor) -> Tensor:
    """The contexts of all heads side by side, through the output projection (B x Q x D)."""
    merged: Tensor = output(contexts_BHQC.transpose(1, 2).flatten(2))
    return merged
