"""A memory and target ids in, logits out, all positions at once or one by one: a recurrent decoder with attention.

It is built so that teacher forcing leaves as little as possible to a loop over positions (the order of Wu et al. 2016,
section 3.2): the first layer asks the attention; upper layers, readout and output projection take its outputs and
contexts, and run over all positions at once. Input feeding gives the last context to the first layer alone, so just
that layer and the attention weights are computed position by position.

Shape legend: B sentences, W search width (hypotheses a sentence), N = B * W rows, S memory positions, T target
positions, E embedding width, D width of memory and decoder, G gates (4 D for LSTM, 3 D for GRU), L decoder layers,
V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from seq2seq_core.models.interface import Memory, Seq2Seq, State, Step
from seq2seq_core.models.layers.attention import AdditiveAttention, MultiplicativeAttention
from seq2seq_core.models.layers.dropout import Dropout
from seq2seq_core.models.layers.embeddings import Embeddings
from seq2seq_core.models.layers.projections import linear
from seq2seq_core.models.layers.recurrence import Carry, Cell, Recurrence
from seq2seq_core.models.layers.rows import moved_sentences

AttentionKind = Literal["additive", "multiplicative"]


class RnnDecoderShape(Protocol):
    """What the decoder has to know of an architecture."""

    @property
    def cell(self) -> Cell: ...
    @property
    def embedding_width(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def decoder_layers(self) -> int: ...
    @property
    def attention(self) -> AttentionKind: ...
    @property
    def input_feeding(self) -> bool: ...
    @property
    def dropout(self) -> float: ...


class RnnDecoder(Seq2Seq):
    """The decoder's half of a model; a family gives it an encoder, whose states are as wide as the decoder's."""

    def __init__(self, shape: RnnDecoderShape, embeddings: Embeddings, encoder: nn.Module) -> None:
        super().__init__()
        embedding, width = shape.embedding_width, shape.width
        self.embeddings = embeddings
        self.dropout = Dropout(shape.dropout)
        self.encoder = encoder
        self.carries = 2 if shape.cell == "lstm" else 1
        self.bridge = linear(width, width, parts=shape.decoder_layers * self.carries)
        attention = AdditiveAttention if shape.attention == "additive" else MultiplicativeAttention
        self.attention = attention(width, width)
        self.first = Recurrence(shape.cell, embedding, width)
        self.feed = linear(width, width, parts=self.first.gates // width, bias=False) if shape.input_feeding else None
        self.upper = nn.ModuleList(Recurrence(shape.cell, 2 * width, width) for _ in range(shape.decoder_layers - 1))
        self.readout = linear(2 * width + embedding, embedding)

    def decode(self, memory: Memory, target_BT: Tensor) -> Tensor:
        """Outputs (B x T x E), of which logits of the next token after each target id are made."""
        carries = self._first_carries(memory)
        x_BTE = self.dropout(self.embeddings.embed_target(target_BT))
        hidden_BTD, weights_BTS = self._first_layer(x_BTE, carries[0], memory)
        contexts_BTD = _contexts(weights_BTS, memory.states_BSD)
        for layer, carry in zip(self.upper, carries[1:], strict=True):
            hidden_BTD = layer(torch.cat([self.dropout(hidden_BTD), contexts_BTD], -1), carry)
        return self._outputs(hidden_BTD, contexts_BTD, x_BTE)

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
        logits_NV = self.embeddings.logits(self._outputs(hidden_ND, context_ND, x_NE))
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

    def _outputs(self, hidden: Tensor, context: Tensor, x: Tensor) -> Tensor:
        """Outputs (... x E), a deep output (Pascanu et al. 2014) of hidden, context (... x D) and input (... x E)."""
        outputs: Tensor = self.dropout(self.readout(torch.cat([self.dropout(hidden), context, x], -1)).tanh())
        return outputs

    def _upper_layers(self) -> list[Recurrence]:
        return list(self.upper)  # type: ignore[arg-type]  # ModuleList forgets its element type


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
