from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from seq2seq_core.models.layers.sublayers import DecoderLayer, EncoderLayer
from seq2seq_core.models.transformer import TransformerConfig

SMALL = {"width": 8, "feed_forward_width": 12, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}
MASK = torch.tensor([[True, True, True], [True, False, False]])


def small(**changes: object) -> TransformerConfig:
    return TransformerConfig.model_validate(SMALL | changes)


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
