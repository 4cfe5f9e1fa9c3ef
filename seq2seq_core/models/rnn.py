"""Recurrent models with attention (Bahdanau et al. 2015, Luong et al. 2015): token ids in, logits out.

The decoder is built so that teacher forcing leaves as little as possible to a loop over positions (the order of
Wu et al. 2016, section 3.2): the first layer asks the attention; upper layers, readout and output projection take its
outputs and contexts, and run over all positions at once. Input feeding gives the last context to the first layer
alone, so just that layer and the attention weights are computed position by position.

Shape legend: B sentences, W search width (hypotheses a sentence), N = B * W rows, S source positions, T target
positions, E embedding width, D width of memory and decoder, G gates (4 D for LSTM, 3 D for GRU), L decoder layers,
V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from seq2seq_core.modalities.base import EncoderInput
from seq2seq_core.models.attention import AdditiveAttention, MultiplicativeAttention
from seq2seq_core.models.interface import ArchitectureConfig, Forward, Memory, Seq2Seq, State, Step
from seq2seq_core.models.layers import Embeddings, TieEmbeddings, length_mask, linear, moved_sentences
from seq2seq_core.models.recurrence import Carry, Cell, Recurrence


class RnnConfig(ArchitectureConfig):
    """The shape of a recurrent model."""

    family: Literal["rnn"] = Field("rnn", description="rnn: recurrent encoder and decoder with attention")
    cell: Cell = Field("lstm", description="recurrent cell")
    embedding_width: int = Field(
        256, ge=1, le=1 << 16, description="width of embeddings and of the readout before the output"
    )
    width: int = Field(
        512, ge=1, le=1 << 16, description="hidden units of each decoder layer, and of each encoder layer in all"
    )
    encoder_layers: int = Field(1, ge=1, le=1000, description="layers of the encoder")
    decoder_layers: int = Field(1, ge=1, le=1000, description="layers of the decoder; the first asks the attention")
    bidirectional: bool = Field(True, description="read the source both ways, half of width each")
    attention: Literal["additive", "multiplicative"] = Field(
        "multiplicative", description="additive (Bahdanau et al. 2015) or multiplicative (Luong et al. 2015, general)"
    )
    input_feeding: bool = Field(True, description="give the last context to the next step; off trains faster")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of embeddings, between layers and of the readout")
    tie_embeddings: TieEmbeddings = Field(
        "target",
        description="target: target table and output projection are one; all: source too (needs a joint vocabulary)",
    )

    @model_validator(mode="after")
    def _widths_fit(self) -> RnnConfig:
        if self.bidirectional and self.width % 2:
            raise ValueError(f"width ({self.width}) is odd, bidirectional ({self.bidirectional}) needs it even")
        return self

    @property
    def layer_counts(self) -> dict[str, int]:
        """See `ArchitectureConfig.layer_counts`."""
        return {"encoder_layers": self.encoder_layers, "decoder_layers": self.decoder_layers}

    @property
    def dimensions(self) -> dict[str, int]:
        """See `ArchitectureConfig.dimensions`."""
        return {"embedding_width": self.embedding_width, "width": self.width}

    def build(self, source: EncoderInput, target_vocabulary: int) -> RnnSeq2Seq:
        """A freshly initialised model; see `Embeddings` for the ConfigError."""
        return RnnSeq2Seq(self, source, target_vocabulary)


class RnnSeq2Seq(Seq2Seq):
    """Encoder and decoder of `RnnConfig`."""

    def __init__(self, config: RnnConfig, source: EncoderInput, target_vocabulary: int) -> None:
        super().__init__()
        embedding, width = config.embedding_width, config.width
        self.embeddings = Embeddings(source, target_vocabulary, embedding, config.tie_embeddings)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = nn.ModuleList(
            EncoderLayer(config, embedding if layer == 0 else width) for layer in range(config.encoder_layers)
        )
        self.carries = 2 if config.cell == "lstm" else 1
        self.bridge = linear(width, width, parts=config.decoder_layers * self.carries)
        attention = AdditiveAttention if config.attention == "additive" else MultiplicativeAttention
        self.attention = attention(width, width)
        self.first = Recurrence(config.cell, embedding, width)
        self.feed = linear(width, width, parts=self.first.gates // width, bias=False) if config.input_feeding else None
        self.upper = nn.ModuleList(Recurrence(config.cell, 2 * width, width) for _ in range(config.decoder_layers - 1))
        self.readout = linear(2 * width + embedding, embedding)

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        """See `Seq2Seq.encode`."""
        mask_BS = length_mask(source_lengths_B, source_BS.size(1))
        rows = _mirrored_rows(source_lengths_B, mask_BS)
        x_BSD = self.dropout(self.embeddings.embed_source(source_BS))
        for layer in self.encoder:
            x_BSD = self.dropout(layer(x_BSD, rows))
        return Memory(x_BSD, mask_BS)

    def forward(self, source_BS: Tensor, source_lengths_B: Tensor, target_BT: Tensor) -> Forward:
        """See `Seq2Seq.forward`."""
        memory = self.encode(source_BS, source_lengths_B)
        carries = self._first_carries(memory)
        x_BTE = self.dropout(self.embeddings.embed_target(target_BT))
        hidden_BTD, weights_BTS = self._first_layer(x_BTE, carries[0], memory)
        contexts_BTD = _contexts(weights_BTS, memory.states_BSD)
        for layer, carry in zip(self.upper, carries[1:], strict=True):
            hidden_BTD = layer(torch.cat([self.dropout(hidden_BTD), contexts_BTD], -1), carry)
        return Forward(self._logits(hidden_BTD, contexts_BTD, x_BTE))

    def start(self, memory: Memory, width: int = 1) -> RnnState:
        """See `Seq2Seq.start`."""
        carries = tuple(
            tuple(part.repeat_interleave(width, 0) for part in carry) for carry in self._first_carries(memory)
        )
        return RnnState(
            width=width,
            memory=memory,
            keys_BSD=self.attention.keys(memory.states_BSD),
            carries=carries,
            context_ND=torch.zeros_like(carries[0][0]),
        )

    def step(self, tokens_N: Tensor, state: State) -> Step:
        """See `Seq2Seq.step`; the hypotheses of a sentence stand side by side as W queries."""
        if not isinstance(state, RnnState):
            raise TypeError(f"a state of {type(self).__name__}.start is needed, not {type(state).__name__}")
        x_NE = self.dropout(self.embeddings.embed_target(tokens_N))
        gates_NG = self.first.project(x_NE)
        gates_NG = gates_NG if self.feed is None else gates_NG + self.feed(state.context_ND)
        carries = [self.first.advance(gates_NG, state.carries[0])]
        hidden_ND = carries[0][0]
        queries_BWD = hidden_ND.view(-1, state.width, hidden_ND.size(1))
        weights_BWS = self.attention.weights(queries_BWD, state.keys_BSD, state.memory.mask_BS)
        context_ND = _contexts(weights_BWS, state.memory.states_BSD).flatten(0, 1)
        for layer, carry in zip(self._upper_layers(), state.carries[1:], strict=True):
            inputs = layer.project(torch.cat([self.dropout(hidden_ND), context_ND], -1))
            carries.append(layer.advance(inputs, carry))
            hidden_ND = carries[-1][0]
        logits_NV = self._logits(hidden_ND, context_ND, x_NE)
        state = replace(state, carries=tuple(carries), context_ND=context_ND)
        return Step(logits_NV, weights_BWS.flatten(0, 1), state)

    def _first_layer(self, x_BTE: Tensor, carry: Carry, memory: Memory) -> tuple[Tensor, Tensor]:
        """Outputs (B x T x D) of the first decoder layer and their attention (B x T x S)."""
        keys_BSD = self.attention.keys(memory.states_BSD)
        if self.feed is None:
            hidden_BTD = self.first(x_BTE, carry)
            return hidden_BTD, self.attention.weights(hidden_BTD, keys_BSD, memory.mask_BS)
        # feed(weights @ states) = weights @ feed(states): projecting the memory once is cheaper than every context.
        fed_BSG = self.feed(memory.states_BSD)
        weights_B1S = torch.zeros_like(memory.mask_BS[:, None], dtype=fed_BSG.dtype)
        hiddens: list[Tensor] = []
        weights: list[Tensor] = []
        for gates_BG in self.first.project(x_BTE.transpose(0, 1)).unbind(0):
            carry = self.first.advance(gates_BG + _contexts(weights_B1S, fed_BSG).squeeze(1), carry)
            weights_B1S = self.attention.weights(carry[0][:, None], keys_BSD, memory.mask_BS)
            hiddens.append(carry[0])
            weights.append(weights_B1S)
        return torch.stack(hiddens, 1), torch.cat(weights, 1)

    def _first_carries(self, memory: Memory) -> list[Carry]:
        """A carry (parts B x D) for each decoder layer, from the mean state (Sennrich et al. 2017, Nematus)."""
        mask_BS1 = memory.mask_BS[..., None]
        mean_BD = memory.states_BSD.masked_fill(~mask_BS1, 0.0).sum(1) / mask_BS1.sum(1)
        parts = self.bridge(mean_BD).tanh().to(self.bridge.weight.dtype).split(mean_BD.size(1), 1)
        return [tuple(parts[first : first + self.carries]) for first in range(0, len(parts), self.carries)]

    def _logits(self, hidden: Tensor, context: Tensor, x: Tensor) -> Tensor:
        """Logits (... x V) by a deep output (Pascanu et al. 2014) of hidden, context (... x D) and input (... x E)."""
        outputs = self.readout(torch.cat([self.dropout(hidden), context, x], -1)).tanh()
        return self.embeddings.logits(self.dropout(outputs))

    def _upper_layers(self) -> list[Recurrence]:
        return list(self.upper)  # type: ignore[arg-type]  # ModuleList forgets its element type


class EncoderLayer(nn.Module):
    """A recurrent layer over the source, or two of half the width, one each way."""

    def __init__(self, config: RnnConfig, inputs: int) -> None:
        super().__init__()
        width = config.width // 2 if config.bidirectional else config.width
        self.onward = Recurrence(config.cell, inputs, width)
        self.mirrored = Recurrence(config.cell, inputs, width) if config.bidirectional else None

    def forward(self, x_BSI: Tensor, rows: Tensor) -> Tensor:
        """B x S x I in, B x S x D out; `rows` as `_mirrored_rows` gives them."""
        onward: Tensor = self.onward(x_BSI)
        if self.mirrored is None:
            return onward
        return torch.cat([onward, _take_rows(self.mirrored(_take_rows(x_BSI, rows)), rows)], -1)


def _mirrored_rows(lengths_B: Tensor, mask_BS: Tensor) -> Tensor:
    """Where in the B * S positions each one finds its mirror image within its sentence; padding stays in place.

    A layer that runs over mirrored sentences reads them from their ends, with the padding still behind: no result
    depends on padding, and, unlike packed sequences, the device need not wait for the host to learn the lengths.
    """
    batch, positions = mask_BS.shape
    forward_S = torch.arange(positions, device=mask_BS.device)
    mirrored_BS = torch.where(mask_BS, lengths_B[:, None] - 1 - forward_S, forward_S)
    return (mirrored_BS + torch.arange(batch, device=mask_BS.device)[:, None] * positions).flatten()


def _take_rows(x_BSI: Tensor, rows: Tensor) -> Tensor:
    return x_BSI.flatten(0, 1).index_select(0, rows).view_as(x_BSI)


def _contexts(weights_BQS: Tensor, states_BSD: Tensor) -> Tensor:
    """The states as the weights mix them (B x Q x D)."""
    return weights_BQS.to(states_BSD.dtype) @ states_BSD


@dataclass(frozen=True)
class RnnState(State):
    """Carries and last contexts of all hypotheses; memory and attention keys once a sentence.

    Attributes:
        width: W.
        memory: States and mask of the source.
        keys_BSD: What the attention makes of the memory.
        carries: A carry for each decoder layer (parts N x D).
        context_ND: What the last step attended to.
    """

    width: int
    memory: Memory
    keys_BSD: Tensor
    carries: tuple[Carry, ...]
    context_ND: Tensor

    def reorder(self, parents_N: Tensor) -> RnnState:
        """See `State.reorder`; the memory moves only when a sentence leaves."""
        carries = tuple(tuple(part.index_select(0, parents_N) for part in carry) for carry in self.carries)
        state = replace(self, carries=carries, context_ND=self.context_ND.index_select(0, parents_N))
        sentences = moved_sentences(parents_N, self.width, self.memory.mask_BS.size(0))
        if sentences is None:
            return state
        memory = Memory(
            self.memory.states_BSD.index_select(0, sentences), self.memory.mask_BS.index_select(0, sentences)
        )
        return replace(state, memory=memory, keys_BSD=self.keys_BSD.index_select(0, sentences))
