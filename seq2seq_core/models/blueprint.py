"""How a Transformer is built in; the same told without torch, for engines that have a Transformer of their own, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ATTENTION = {"linear_0": "self_attention.input", "linear_1": "self_attention.output"}
_CROSS = {"linear_0": "query", "linear_1": "memory", "linear_2": "output"}
_FEED_FORWARD = {"linear_0": "inner", "linear_1": "outer"}


@dataclass(frozen=True)
class Blueprint:
    """A Transformer as Vaswani et al. 2017 have it: embeddings times the root of their width, positions added.

    Attributes:
        encoder_layers: Their number.
        decoder_layers: Their number.
        heads: Of every attention.
        pre_norm: Whether norms stand before the sublayers, and one behind them all; else behind each.
        activation: Of the feed-forward layers: relu, gelu (exact) or swish.
        weights: Names of weights by their place: parts with slashes between them, layers numbered, projections of one
            attention fused (of a sequence to itself query, key and value; of a memory key and value).
        learned_positions: Most tokens of a source or target; None: positions are sinusoids, sines first.
        forbidden: Ids that are never said.
    """

    encoder_layers: int
    decoder_layers: int
    heads: int
    pre_norm: bool
    activation: str
    weights: Mapping[str, str]
    learned_positions: int | None
    forbidden: tuple[int, ...]


def named_weights(
    layers: tuple[int, int], *, final_norms: bool, learned_positions: bool, source: str, output: str
) -> dict[str, str]:
    """The weights of a model that is made of `EncoderLayer` and `DecoderLayer`, by their places.

    Args:
        layers: How many encoder and decoder have.
        final_norms: Whether a norm stands behind all layers.
        learned_positions: Whether positions have tables.
        source: The module of the source's table.
        output: The module of the table that the output is compared with.
    """
    found = {
        "encoder/embeddings_0/weight": f"{source}.weight",
        "decoder/embeddings/weight": "embeddings.target.weight",
        "decoder/projection/weight": f"{output}.weight",
        "decoder/projection/bias": "embeddings.output_bias",
    }
    for half, count in zip(("encoder", "decoder"), layers, strict=True):
        for number in range(count):
            found.update(_layer(f"{half}/layer_{number}", f"{half}.{number}", crosses=half == "decoder"))
        if final_norms:
            found.update(_norm(f"{half}/layer_norm", f"{half}_norm"))
    if learned_positions:
        found["encoder/position_encodings/encodings"] = "source_positions.table"
        found["decoder/position_encodings/encodings"] = "target_positions.table"
    return found


def _layer(place: str, module: str, *, crosses: bool) -> Iterator[tuple[str, str]]:
    yield from _norm(f"{place}/self_attention/layer_norm", f"{module}.self_residual.norm")
    yield from _linears(f"{place}/self_attention", module, _ATTENTION)
    if crosses:
        yield from _norm(f"{place}/attention/layer_norm", f"{module}.cross_residual.norm")
        yield from _linears(f"{place}/attention", f"{module}.cross_attention", _CROSS)
    yield from _norm(f"{place}/ffn/layer_norm", f"{module}.feed_forward_residual.norm")
    yield from _linears(f"{place}/ffn", f"{module}.feed_forward", _FEED_FORWARD)


def _norm(place: str, module: str) -> Iterator[tuple[str, str]]:
    yield f"{place}/gamma", f"{module}.weight"
    yield f"{place}/beta", f"{module}.bias"


def _linears(place: str, module: str, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for at, name in names.items():
        for part in ("weight", "bias"):
            yield f"{place}/{at}/{part}", f"{module}.{name}.{part}"
