from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from seq2seq_core.models.hearing.relative import RelativeSelfAttention
from seq2seq_core.models.layers.attention import (
    KEYS_ALIKE,
    AdditiveAttention,
    CrossAttention,
    MultiplicativeAttention,
    Past,
    SelfAttention,
    attended,
    attention_bias,
    masked_softmax,
    room_for,
)
from seq2seq_core.models.layers.rows import Taking

MASK = torch.tensor([[True, True, True], [True, False, False]])


def test_additive_scores_follow_the_formula() -> None:
    torch.manual_seed(0)
    attention = AdditiveAttention(query_width=4, memory_width=5)
    queries, states = torch.randn(2, 2, 4), torch.randn(2, 3, 5)
    weights = attention.weights(queries, attention.keys(states), MASK)
    for query in range(2):
        scores = [
            attention.score.weight[0]
            @ torch.tanh(attention.query.weight @ queries[0, query] + attention.key.weight @ states[0, source])
            for source in range(3)
        ]
        torch.testing.assert_close(weights[0, query], torch.stack(scores).softmax(0))
    assert weights[1].tolist() == [[1, 0, 0], [1, 0, 0]]


def test_multiplicative_scores_follow_the_formula() -> None:
    torch.manual_seed(0)
    attention = MultiplicativeAttention(query_width=4, memory_width=5)
    queries, states = torch.randn(2, 2, 4), torch.randn(2, 3, 5)
    weights = attention.weights(queries, attention.keys(states), MASK)
    scores = [queries[0, 1] @ attention.key.weight @ states[0, source] for source in range(3)]
    torch.testing.assert_close(weights[0, 1], torch.stack(scores).softmax(0))
    assert weights[1].tolist() == [[1, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_masked_softmax_is_computed_in_float32_or_better(kind: torch.dtype) -> None:
    weights = masked_softmax(torch.tensor([[10.0, -10.0, 60_000.0]], dtype=kind), torch.tensor([True, True, False]))
    assert weights.dtype == (torch.float64 if kind == torch.float64 else torch.float32)
    assert weights[0, 2] == 0
    assert weights[0, 1].item() == pytest.approx(math.exp(-20), rel=1e-3)


def reference(width: int, heads: int, state: dict[str, torch.Tensor]) -> nn.MultiheadAttention:
    attention = nn.MultiheadAttention(width, heads, batch_first=True)
    attention.load_state_dict(state)
    return attention.eval()


def test_self_attention_agrees_with_torch() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(width=8, heads=2, dropout=0.3).eval()
    nn.init.normal_(attention.input.bias)
    other = reference(
        8,
        2,
        {
            "in_proj_weight": attention.input.weight,
            "in_proj_bias": attention.input.bias,
            "out_proj.weight": attention.output.weight,
            "out_proj.bias": attention.output.bias,
        },
    )
    x = torch.randn(2, 3, 8)
    expected, _ = other(x, x, x, key_padding_mask=~MASK)
    torch.testing.assert_close(attention(x, MASK[:, None, None]), expected)
    expected, _ = other(x, x, x, attn_mask=torch.ones(3, 3, dtype=torch.bool).triu(1))
    torch.testing.assert_close(attention(x, None, causal=True), expected)


def test_cross_attention_agrees_with_torch() -> None:
    torch.manual_seed(0)
    attention = CrossAttention(width=8, heads=4, dropout=0.3).eval()
    other = reference(
        8,
        4,
        {
            "in_proj_weight": torch.cat([attention.query.weight, attention.memory.weight]),
            "in_proj_bias": torch.cat([attention.query.bias, attention.memory.bias]),
            "out_proj.weight": attention.output.weight,
            "out_proj.bias": attention.output.bias,
        },
    )
    x, states = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    expected, expected_weights = other(x, states, states, key_padding_mask=~MASK)
    memory, mask = attention.keys_values(states), MASK[:, None, None]
    contexts, weights = attention.with_weights(x, memory, attention_bias(mask, memory))
    torch.testing.assert_close(attention(x, memory, mask), expected)
    torch.testing.assert_close(contexts, expected)
    torch.testing.assert_close(weights.mean(1), expected_weights)


def test_dropout_of_weights_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(width=8, heads=2, dropout=0.5)
    x = torch.randn(2, 6, 8)
    assert not torch.equal(attention(x, None), attention(x, None))
    attention.eval()
    assert torch.equal(attention(x, None), attention(x, None))


def positions(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(1, 1, 1, -1, 1).expand(2, 1, 1, -1, 1)


def test_a_past_grows_in_place_and_branches_by_copy() -> None:
    empty = Past(positions(), 0)
    root = empty.extended(0, positions(1.0))
    assert root.first(1).flatten().tolist() == [1, 1]
    left = root.extended(1, positions(2.0))
    assert left.first(1).data_ptr() == root.first(1).data_ptr(), "the tip is extended without a copy"
    right = root.extended(1, positions(3.0))
    assert right.first(1).data_ptr() != root.first(1).data_ptr()
    assert left.first(2)[0].flatten().tolist() == [1, 2]
    assert right.first(2)[0].flatten().tolist() == [1, 3]


def test_a_past_outgrows_its_room() -> None:
    past = Past(positions(), 0)
    for step in range(100):
        past = past.extended(step, positions(float(step)))
    assert past.first(100)[1].flatten().tolist() == list(range(100))


def test_a_past_that_records_gradients_is_copied() -> None:
    root = Past(positions(), 0).extended(0, positions(1.0).clone().requires_grad_())
    left, right = (root.extended(1, positions(value).clone().requires_grad_()) for value in (2.0, 3.0))
    assert left.first(2)[0].flatten().tolist() == [1, 2]
    assert right.first(2)[0].flatten().tolist() == [1, 3]
    left.first(2).square().sum().backward()


@pytest.mark.parametrize("positions_a_step", [1, 5])
def test_behind_a_past_there_is_room_of_zeros(positions_a_step: int) -> None:
    past = Past(torch.empty(2, 3, 1, 0, 1), 0)
    for step in range(40):
        length = step * positions_a_step
        past = past.extended(length, torch.full((2, 3, 1, positions_a_step, 1), float("nan")))
        past = past.of_sentences(Taking(torch.tensor([0, 2, 1])))
        end = length + positions_a_step
        room = room_for(end, torch.empty(0))
        assert room % KEYS_ALIKE == 0 <= room - end < KEYS_ALIKE
        assert past.first(end).isnan().all()
        assert past.first(room)[:, :, :, end:].eq(0).all()
        assert past.first(room).size(3) == room


@pytest.mark.parametrize("keys", [1, 15, 16])
@pytest.mark.parametrize("is_masked", [False, True])
def test_one_query_is_attended_as_one_of_many(keys: int, is_masked: bool) -> None:
    torch.manual_seed(0)
    queries, parts = torch.randn(2, 3, 4, 8), torch.randn(2, 2, 3, keys, 8)
    seen = torch.rand(2, 1, 1, keys) < 0.5
    seen[..., 0] = True
    bias = attention_bias(seen, queries) if is_masked else None
    expected = attended(queries, *parts, seen if is_masked else None)
    for place in range(4):
        one = attended(queries[:, :, place : place + 1], *parts, bias)
        torch.testing.assert_close(one, expected[:, :, place : place + 1])


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("is_autocast", [False, True])
def test_half_as_many_bits_attend_in_float32_on_a_processor(
    kind: torch.dtype, is_autocast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    whole = functional.scaled_dot_product_attention

    def watched(queries: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
        seen.append((queries.dtype, torch.is_autocast_enabled("cpu")))
        return whole(queries, *given, **named)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", watched)
    queries, keys, values = torch.randn(3, 2, 4, 5, 8).to(kind)
    bias = torch.zeros(2, 1, 1, 5, dtype=kind)
    bias[1, ..., 3:] = -math.inf
    with torch.autocast("cpu", torch.bfloat16, enabled=is_autocast):
        contexts = attended(queries, keys, values, bias)
    assert seen == [(torch.float32, False)]
    assert contexts.dtype == kind
    expected = whole(queries.float(), keys.float(), values.float(), bias == 0)
    torch.testing.assert_close(contexts, expected.to(kind))


def test_every_attention_of_a_transformer_does_so(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    whole = functional.scaled_dot_product_attention
    monkeypatch.setattr(
        functional,
        "scaled_dot_product_attention",
        lambda queries, *given, **named: seen.append(queries.dtype) or whole(queries, *given, **named),
    )
    x = torch.randn(2, 5, 8)
    own, cross, relative = (kind(8, 2, 0.0) for kind in (SelfAttention, CrossAttention, RelativeSelfAttention))
    with torch.autocast("cpu", torch.bfloat16):
        own(x, None, causal=True)
        own.step(x[:, :2], Past(torch.empty(2, 2, 2, 1, 4, dtype=torch.bfloat16), 0), 0, None)
        cross(x, cross.keys_values(x), torch.ones(2, 1, 1, 5, dtype=torch.bool))
        relative(x, torch.ones(2, 1, 5, 5, dtype=torch.bool))
    assert seen == [torch.float32] * 4
