"""The parts that families build on: what encoder and decoder are given in; vectors, masks and logits out.

Shape legend: B sentences, W search width, N = B * W rows, S source positions, T target positions, F numbers a source
position has, E embedding width, V target vocabulary.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import EncoderInput, Symbols
from seq2seq_core.models.layers.projections import Linear, Projection
from seq2seq_core.tokenizer.vocabulary import PAD_ID

TieEmbeddings = Literal["none", "target", "all"]


class Embeddings(nn.Module):
    """What stands between a model's inputs and vectors: the source's, the target's table, and the output projection.

    A source of symbols has a table, one of vectors (F numbers a position) a projection onto E.

    A tied table is one parameter under one name, so it is saved once. Tables are drawn from N(0, 1/E) and multiplied
    by sqrt(E) on the way in (Vaswani et al. 2017, section 3.4): vectors and first logits have a variance near 1.

    Args:
        source: What the encoder is given; None where a front end of its own reads it.
        target_vocabulary: Number of target pieces.
        width: E.
        tie: "target" uses the target table as output projection too, "all" also as source table.
        factor: Tables have rows so wide, and a matrix that makes them E wide (Lan et al. 2020, "ALBERT"); None: they
            are E wide themselves.

    Raises:
        ConfigError: `tie` is "all", and the source is none of symbols, or of another number of them.
    """

    def __init__(
        self,
        source: EncoderInput | None,
        target_vocabulary: int,
        width: int,
        tie: TieEmbeddings,
        factor: int | None = None,
    ) -> None:
        super().__init__()
        if tie == "all" and source != Symbols(target_vocabulary):
            raise ConfigError(
                "tie_embeddings: all needs one vocabulary for source and target",
                found=f"{_described(source)} and {target_vocabulary} target pieces",
                advice="Use tie_embeddings: target, or prepare the dataset with a joint tokenizer.",
            )
        self.scale = math.sqrt(width)
        self.target = _table(target_vocabulary, width, factor)
        self.source = None if source is None or tie == "all" else _source(source, width, factor)
        self.output = _table(target_vocabulary, width, factor) if tie == "none" else None
        self.output_bias = nn.Parameter(torch.zeros(target_vocabulary))

    @property
    def source_name(self) -> str:
        """Of the module that reads a source."""
        return "target" if self.source is None else "source"

    def embed_source(self, source_BS: Tensor) -> Tensor:
        """Vectors (B x S x E) of a source (B x S or B x S x F); 0 at padded ids until training moves a tied table."""
        embed = self.target if self.source is None else self.source
        given = source_BS.to(self.output_bias.dtype) if source_BS.is_floating_point() else source_BS
        vectors: Tensor = embed(given)
        return vectors * self.scale

    def embed_target(self, target: Tensor) -> Tensor:
        """Vectors (... x E) of target ids of any shape."""
        vectors: Tensor = self.target(target)
        return vectors * self.scale

    @property
    def projection(self) -> Projection:
        """What makes logits of decoder outputs that are `narrowed`."""
        table = self.target if self.output is None else self.output
        rows = table.pieces if isinstance(table, FactoredTable) else table
        return Projection(rows.weight, self.output_bias)

    def narrowed(self, outputs: Tensor) -> Tensor:
        """What `projection` makes logits of: decoder outputs, as narrow as the table's rows."""
        table = self.target if self.output is None else self.output
        return outputs @ table.projection.weight if isinstance(table, FactoredTable) else outputs


class FactoredTable(nn.Module):
    """A narrow table, and a matrix that makes its rows as wide as they should be."""

    def __init__(self, size: int, width: int, factor: int) -> None:
        super().__init__()
        self.pieces = _narrow(size, factor)
        self.projection = Linear(factor, width, bias=False)
        nn.init.normal_(self.projection.weight, std=width**-0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (... x E) of ids of any shape."""
        vectors: Tensor = self.projection(self.pieces(ids))
        return vectors


def _source(source: EncoderInput, width: int, factor: int | None) -> nn.Module:
    """A table of ids, or a projection of vectors whose results have the variance of a table's rows."""
    if isinstance(source, Symbols):
        return _table(source.vocabulary, width, factor)
    projection = Linear(source.width, width)
    nn.init.normal_(projection.weight, std=(width * source.width) ** -0.5)
    nn.init.zeros_(projection.bias)
    return projection


def _described(source: EncoderInput | None) -> str:
    if source is None:
        return "a source without a table"
    return f"{source.vocabulary} source" if isinstance(source, Symbols) else f"source vectors of {source.width}"


def _table(size: int, width: int, factor: int | None) -> nn.Embedding | FactoredTable:
    return _narrow(size, width) if factor is None else FactoredTable(size, width, factor)


def _narrow(size: int, width: int) -> nn.Embedding:
    table = nn.Embedding(size, width, padding_idx=PAD_ID)
    nn.init.normal_(table.weight, std=width**-0.5)
    with torch.no_grad():
        table.weight[PAD_ID].zero_()
    return table
