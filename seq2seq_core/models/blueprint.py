"""How a Transformer is built in; the same told without torch, for engines that have a Transformer of their own, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ATTENTION = {"linear_0": "self_attention.input", "linear_1": "self_attention.output"}
_CROSS = {"linear_0": "query", "linear_1": "memory", "linear_2": "output"}
_GATE = {"linear_0_noact": "gate"}
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
        learned_positions: Most tokens of a source or target; None: positions are sinusoids, sines first, unless one of
            the next says something else.
        forbidden: Ids that are never said.
        rms_norm: Whether norms are of the root of the mean square alone.
        gated: Whether feed-forward layers have a gate, which is multiplied in.
        rotary: Whether queries and keys are turned, in planes of a channel of the first and one of the second half.
        farthest: Distance from which all have one relative position, of which the first half are near ones; None: there
            are no relative positions.
        widened: Of tables by their place that are narrow, the matrix that widens them.
    """

    encoder_layers: int
    decoder_layers: int
    heads: int
    pre_norm: bool
    activation: str
    weights: Mapping[str, str]
    learned_positions: int | None
    forbidden: tuple[int, ...]
    rms_norm: bool
    gated: bool
    rotary: bool
    farthest: int | None
    widened: Mapping[str, str]


@dataclass(frozen=True)
class Naming:
    """How the weights of a model that is made of `EncoderLayer` and `DecoderLayer` are called.

    Attributes:
        layers: How many encoder and decoder have.
        distinct: How many of these have weights of their own; the others use them again in turn.
        is_shared: Whether decoder layers use self-attention and feed-forward of the encoder's.
        final_norms: Whether a norm stands behind all layers.
        has_shifts: Whether norms add a vector.
        is_gated: Whether feed-forward layers have a gate.
        positions: Their kind.
        source: The module of the source's table.
        output: The module of the table that the output is compared with.
        is_factored: Whether tables are narrow, with a matrix that widens them.
    """

    layers: tuple[int, int]
    distinct: tuple[int, int]
    is_shared: bool
    final_norms: bool
    has_shifts: bool
    is_gated: bool
    positions: str
    source: str
    output: str
    is_factored: bool

    def weights(self) -> Iterator[tuple[str, str]]:
        """Places and names; see `Blueprint.weights`."""
        for place, table in self._tables().items():
            yield place, f"{table}.pieces.weight" if self.is_factored else f"{table}.weight"
        yield "decoder/projection/bias", "embeddings.output_bias"
        for half, layers, distinct, positions in zip(
            ("encoder", "decoder"), self.layers, self.distinct, ("source_positions", "target_positions"), strict=True
        ):
            for number in range(layers):
                yield from self._layer(half, number, number % distinct)
                if self.positions == "relative":
                    yield f"{half}/layer_{number}/self_attention/relative_attention_bias", f"{positions}.table"
            if self.final_norms:
                yield from self._norm(f"{half}/layer_norm", f"{half}_norm")
            if self.positions == "learned":
                yield f"{half}/position_encodings/encodings", f"{positions}.table"

    def widened(self) -> dict[str, str]:
        """See `Blueprint.widened`."""
        return {place: f"{table}.projection.weight" for place, table in self._tables().items() if self.is_factored}

    def _tables(self) -> dict[str, str]:
        return {
            "encoder/embeddings_0/weight": self.source,
            "decoder/embeddings/weight": "embeddings.target",
            "decoder/projection/weight": self.output,
        }

    def _layer(self, half: str, number: int, kept: int) -> Iterator[tuple[str, str]]:
        place, module = f"{half}/layer_{number}", f"{half}.{kept}"
        inner = f"encoder.{kept}" if self.is_shared else module
        yield from self._norm(f"{place}/self_attention/layer_norm", f"{module}.self_residual.norm")
        yield from _linears(f"{place}/self_attention", inner, _ATTENTION)
        if half == "decoder":
            yield from self._norm(f"{place}/attention/layer_norm", f"{module}.cross_residual.norm")
            yield from _linears(f"{place}/attention", f"{module}.cross_attention", _CROSS)
        yield from self._norm(f"{place}/ffn/layer_norm", f"{module}.feed_forward_residual.norm")
        yield from _linears(f"{place}/ffn", f"{inner}.feed_forward", _FEED_FORWARD | (_GATE if self.is_gated else {}))

    def _norm(self, place: str, module: str) -> Iterator[tuple[str, str]]:
        yield f"{place}/gamma", f"{module}.weight"
        if self.has_shifts:
            yield f"{place}/beta", f"{module}.bias"


def _linears(place: str, module: str, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for at, name in names.items():
        for part in ("weight", "bias"):
            yield f"{place}/{at}/{part}", f"{module}.{name}.{part}"
