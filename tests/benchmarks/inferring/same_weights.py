"""A Transformer of this project in; Hugging Face's M2M-100 with the same weights, which says the same, out.

M2M-100 has norms before its sublayers and sinusoids for positions, as this project's usual model; its table of them
is replaced by ours, as the frequencies differ, and its output projection gets a bias.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import M2M100Config, M2M100ForConditionalGeneration

from seq2seq_core.models.folder import load_model
from seq2seq_core.models.layers.positions import SinusoidalPositions
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID

_LONGEST = 1024
_NEVER = -1e4


def as_hugging_face(folder: str) -> Any:
    """The model, in evaluation mode."""
    loaded = load_model(folder)
    shape = loaded.architecture
    assert isinstance(shape, TransformerConfig)
    assert (shape.norm, shape.positions, shape.activation) == ("pre", "sinusoidal", "relu"), "no such model there"
    weights = loaded.model.state_dict()
    vocabulary = loaded.tokenizers["target"].vocabulary_size
    config = M2M100Config(
        vocab_size=vocabulary,
        d_model=shape.width,
        encoder_layers=shape.encoder_layers,
        decoder_layers=shape.decoder_layers,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_ffn_dim=shape.feed_forward_width,
        decoder_ffn_dim=shape.feed_forward_width,
        max_position_embeddings=_LONGEST,
        pad_token_id=PAD_ID,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        decoder_start_token_id=BOS_ID,
        forced_eos_token_id=None,
        activation_function=shape.activation,
        tie_word_embeddings=False,
    )
    model: Any = M2M100ForConditionalGeneration(config).eval()
    model.lm_head = nn.Linear(shape.width, vocabulary)
    _fill(model, weights, shape)
    return model


def _fill(model: Any, weights: dict[str, Tensor], shape: TransformerConfig) -> None:
    inner = model.model
    target = weights["embeddings.target.weight"]
    inner.shared.weight.data = target
    inner.encoder.embed_tokens.weight.data = weights.get("embeddings.source.weight", target)
    inner.decoder.embed_tokens.weight.data = target
    model.lm_head.weight.data = weights.get("embeddings.output.weight", target)
    bias = weights["embeddings.output_bias"].clone()
    bias[[PAD_ID, BOS_ID]] = _NEVER
    model.lm_head.bias.data = bias
    table = SinusoidalPositions()(0, _LONGEST, target)
    first = torch.zeros(PAD_ID + 1, shape.width)  # positions are counted from behind the id of the padding
    for half in (inner.encoder, inner.decoder):
        half.embed_positions.weights = torch.cat([first, table, table.new_zeros(2, shape.width)])
    for name, half in (("encoder", inner.encoder), ("decoder", inner.decoder)):
        _copy(half.layer_norm, weights, f"{name}_norm")
        for number, layer in enumerate(half.layers):
            _fill_layer(layer, weights, f"{name}.{number}")


def _fill_layer(layer: Any, weights: dict[str, Tensor], name: str) -> None:
    _split(layer.self_attn, ("q_proj", "k_proj", "v_proj"), weights, f"{name}.self_attention.input")
    _copy(layer.self_attn.out_proj, weights, f"{name}.self_attention.output")
    _copy(layer.self_attn_layer_norm, weights, f"{name}.self_residual.norm")
    if hasattr(layer, "encoder_attn"):
        _copy(layer.encoder_attn.q_proj, weights, f"{name}.cross_attention.query")
        _split(layer.encoder_attn, ("k_proj", "v_proj"), weights, f"{name}.cross_attention.memory")
        _copy(layer.encoder_attn.out_proj, weights, f"{name}.cross_attention.output")
        _copy(layer.encoder_attn_layer_norm, weights, f"{name}.cross_residual.norm")
    _copy(layer.fc1, weights, f"{name}.feed_forward.inner")
    _copy(layer.fc2, weights, f"{name}.feed_forward.outer")
    _copy(layer.final_layer_norm, weights, f"{name}.feed_forward_residual.norm")


def _copy(module: Any, weights: dict[str, Tensor], name: str) -> None:
    module.weight.data, module.bias.data = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _split(module: Any, parts: tuple[str, ...], weights: dict[str, Tensor], name: str) -> None:
    """A fused projection, part by part."""
    for part, weight, bias in zip(
        parts, weights[f"{name}.weight"].chunk(len(parts)), weights[f"{name}.bias"].chunk(len(parts)), strict=True
    ):
        getattr(module, part).weight.data, getattr(module, part).bias.data = weight, bias
