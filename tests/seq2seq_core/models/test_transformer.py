from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from seq2seq_core.config import build
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.transformer import (
    DecoderLayer,
    EncoderLayer,
    SinusoidalPositions,
    Transformer,
    TransformerConfig,
)

SMALL = {"width": 8, "feed_forward_width": 12, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}
MASK = torch.tensor([[True, True, True], [True, False, False]])


def small(**changes: object) -> TransformerConfig:
    return TransformerConfig.model_validate(SMALL | changes)


def test_widths_have_to_fit() -> None:
    with pytest.raises(ConfigError, match=r"width \(10\) is not a multiple of heads \(4\)"):
        build(TransformerConfig, {"width": 10, "heads": 4})
    with pytest.raises(ConfigError, match=r"width \(9\) is odd, positions \(sinusoidal\)"):
        build(TransformerConfig, {"width": 9, "heads": 3})
    assert build(TransformerConfig, {"width": 9, "heads": 3, "positions": "learned"}).width == 9


def attention_weights(prefix: str, weights: list[Tensor], biases: list[Tensor], output: nn.Linear) -> dict[str, Tensor]:
    return {
        f"{prefix}.in_proj_weight": torch.cat(weights),
        f"{prefix}.in_proj_bias": torch.cat(biases),
        f"{prefix}.out_proj.weight": output.weight,
        f"{prefix}.out_proj.bias": output.bias,
    }


def module_weights(**modules: nn.Module) -> dict[str, Tensor]:
    return {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_layers_agree_with_torch(norm: str, activation: str) -> None:
    torch.manual_seed(0)
    config = small(norm=norm, activation=activation)
    options = {
        "d_model": 8,
        "nhead": 2,
        "dim_feedforward": 12,
        "activation": activation,
        "batch_first": True,
        "norm_first": norm == "pre",
    }
    encoder, decoder = EncoderLayer(config).eval(), DecoderLayer(config).eval()
    for weight in [*encoder.parameters(), *decoder.parameters()]:
        nn.init.normal_(weight, std=0.5)
    x, states = torch.randn(2, 3, 8), torch.randn(2, 3, 8)

    other = nn.TransformerEncoderLayer(**options).eval()
    attention = encoder.self_attention
    other.load_state_dict(
        attention_weights("self_attn", [attention.input.weight], [attention.input.bias], attention.output)
        | module_weights(
            linear1=encoder.feed_forward.inner,
            linear2=encoder.feed_forward.outer,
            norm1=encoder.self_residual.norm,
            norm2=encoder.feed_forward_residual.norm,
        )
    )
    expected = other(x, src_key_padding_mask=~MASK)
    torch.testing.assert_close(encoder(x, MASK[:, None, None])[MASK], expected[MASK])

    other = nn.TransformerDecoderLayer(**options).eval()
    attention, cross = decoder.self_attention, decoder.cross_attention
    other.load_state_dict(
        attention_weights("self_attn", [attention.input.weight], [attention.input.bias], attention.output)
        | attention_weights(
            "multihead_attn",
            [cross.query.weight, cross.memory.weight],
            [cross.query.bias, cross.memory.bias],
            cross.output,
        )
        | module_weights(
            linear1=decoder.feed_forward.inner,
            linear2=decoder.feed_forward.outer,
            norm1=decoder.self_residual.norm,
            norm2=decoder.cross_residual.norm,
            norm3=decoder.feed_forward_residual.norm,
        )
    )
    causal = torch.ones(3, 3, dtype=torch.bool).triu(1)
    expected = other(x, states, tgt_mask=causal, memory_key_padding_mask=~MASK)
    torch.testing.assert_close(decoder(x, states, MASK[:, None, None]), expected)


def test_sinusoids_follow_the_formula_at_any_length() -> None:
    vectors = SinusoidalPositions()(995, 10, torch.empty(1, 6))
    for row, position in ((0, 995), (9, 1004)):
        angles = [position / 10_000 ** (channel / 3) for channel in range(3)]
        expected = torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles])
        torch.testing.assert_close(vectors[row], expected)


def test_sinusoids_first_asked_for_in_inference_mode_can_be_trained_with() -> None:
    model = small(width=14).build(Symbols(9), 9)
    arguments = torch.tensor([[5, 6, 3]]), torch.tensor([3]), torch.tensor([[2, 5]])
    with torch.inference_mode():
        model(*arguments)
    model(*arguments).logits_BTV.sum().backward()


def test_word_order_counts() -> None:
    for positions in ("sinusoidal", "learned"):
        model = small(positions=positions).build(Symbols(9), 9).eval()
        states = model.encode(torch.tensor([[5, 6, 5, 3]]), torch.tensor([4])).states_BSD
        assert not torch.allclose(states[:, 0], states[:, 2])


def test_learned_positions_end() -> None:
    torch.manual_seed(0)
    model = small(positions="learned", max_positions=4).build(Symbols(9), 9).eval()
    assert model.max_length == 4
    assert small().build(Symbols(9), 9).max_length is None
    source, lengths = torch.full((1, 4), 5), torch.tensor([4])
    target = torch.full((1, 5), 5)
    model(source, lengths, target[:, :4])
    message = "longer than the learned positions of the model; found 5 tokens; expected at most 4.*shorter segments"
    with pytest.raises(ModelError, match=message):
        model.encode(torch.full((1, 5), 5), torch.tensor([5]))
    with pytest.raises(ModelError, match=message):
        model(source, lengths, target)
    state = model.start(model.encode(source, lengths))
    for column in target[:, :4].unbind(1):
        state = model.step(column, state).state
    with pytest.raises(ModelError, match=message):
        model.step(target[:, 4], state)


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout", "activation_dropout"])
def test_each_dropout_acts_in_training_alone(kind: str) -> None:
    torch.manual_seed(0)
    model = small(**({"dropout": 0.0} | {kind: 0.5})).build(Symbols(9), 9)
    arguments = torch.tensor([[5, 6, 7, 3]]), torch.tensor([4]), torch.tensor([[2, 5, 6]])
    assert not torch.equal(model(*arguments).logits_BTV, model(*arguments).logits_BTV)
    model.eval()
    assert torch.equal(model(*arguments).logits_BTV, model(*arguments).logits_BTV)


def memory_pointers(model: Transformer, width: int) -> tuple[int, int, int]:
    state = model.start(model.encode(torch.tensor([[5, 3], [6, 3]]), torch.tensor([2, 2])), width)
    state = model.step(torch.full((2 * width,), 2), state).state
    moved = state.reorder(torch.tensor([1, 0, 2, 2]))
    left = state.reorder(torch.tensor([3, 2]))
    return (
        state.crosses[0].data_ptr() - moved.crosses[0].data_ptr(),
        state.pasts[0].first(1).data_ptr() - moved.pasts[0].first(1).data_ptr(),
        left.crosses[0].size(1),
    )


def test_hypotheses_change_places_without_copying_their_past() -> None:
    with torch.no_grad():
        assert memory_pointers(small().build(Symbols(9), 9).eval(), width=2) == (0, 0, 1)
