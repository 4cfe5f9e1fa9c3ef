"""A memory and target ids in, logits out, all positions at once or one by one: a recurrent decoder with attention.

It is built so that teacher forcing leaves as little as possible to a loop over positions (the order of Wu et al. 2016,
section 3.2): the first layer asks the attention; upper layers, readout and output projection take its outputs and
contexts, and run over all positions at once. Input feeding gives the last context to the first layer alone, so just
that layer and the attention weights are computed position by position.

In a search, contexts are never made as such where hypotheses are many and sources short: all that reads them is linear,
so it is made of the memory once, and mixed by the attention of each step.

Shape legend: B sentences, W search width (hypotheses a sentence), N = B * W rows, S memory positions, T target
positions, E embedding width, D width of memory and decoder, G gates (4 D for LSTM, 3 D for GRU), L decoder layers,
R all that reads a context: the gates of all layers that do, and the readout, V target vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from seq2seq_core.models.interface import Decoded, Memory, Seq2Seq, State, Step
from seq2seq_core.models.layers.attention import AdditiveAttention, MultiplicativeAttention
from seq2seq_core.models.layers.dropout import Dropout
from seq2seq_core.models.layers.embeddings import Embeddings
from seq2seq_core.models.layers.projections import linear, product
from seq2seq_core.models.layers.recurrence import Carry, Cell, Recurrence
from seq2seq_core.models.layers.rows import moved_sentences

_SHORT = 1 / 4
"""Positions for each one of the width, up to which a source is short."""

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

    def decode(self, memory: Memory, target_BT: Tensor, *, attending: bool = False) -> Decoded:
        """Outputs, of which logits of the next token after each target id are made, and attention."""
        del attending  # it is there, asked for or not
        carries = self._first_carries(memory)
        x_BTE = self.dropout(self.embeddings.embed_target(target_BT))
        hidden_BTD, weights_BTS = self._first_layer(x_BTE, carries[0], memory)
        contexts_BTD = _contexts(weights_BTS, memory.states_BSD)
        for layer, carry in zip(self.upper, carries[1:], strict=True):
            hidden_BTD = layer(torch.cat([self.dropout(hidden_BTD), contexts_BTD], -1), carry)
        return Decoded(self._outputs(hidden_BTD, contexts_BTD, x_BTE), weights_BTS)

    def start(self, memory: Memory, width: int = 1) -> RnnState:
        """See `Seq2Seq.start`."""
        carries = tuple(
            tuple(part.repeat_interleave(width, 0) for part in carry) for carry in self._first_carries(memory)
        )
        return RnnState(
            width=width,
            memory=memory,
            keys_BSD=self.attention.keys(memory.states_BSD),
            readings=Readings.of_memory(memory.states_BSD, self._readers(), width),
            carries=carries,
            fed_NG=None if self.feed is None else self.feed(torch.zeros_like(carries[0][0])),
            logits=self.embeddings.projection.for_steps(),
        )

    def step(self, tokens_N: Tensor, state: State) -> Step:
        """See `Seq2Seq.step`; the hypotheses of a sentence stand side by side as W queries."""
        if not isinstance(state, RnnState):
            raise TypeError(f"a state of {type(self).__name__}.start is needed, not {type(state).__name__}")
        x_NE = self.dropout(self.embeddings.embed_target(tokens_N))
        gates_NG = self.first.project(x_NE)
        gates_NG = gates_NG if state.fed_NG is None else gates_NG + state.fed_NG
        carries = [self.first.advance(gates_NG, state.carries[0])]
        hidden_ND = carries[0][0]
        queries_BWD = hidden_ND.view(-1, state.width, hidden_ND.size(1))
        weights_BWS = self.attention.weights(queries_BWD, state.keys_BSD, state.memory.mask_BS)
        *gates, readout_NE = state.readings.mixed(weights_BWS)
        fed_NG = gates.pop(0) if self.feed is not None else None
        for layer, more_NG, carry in zip(self._upper_layers(), gates, state.carries[1:], strict=True):
            carries.append(layer.advance(layer.project(self.dropout(hidden_ND), more_NG), carry))
            hidden_ND = carries[-1][0]
        logits_NV = state.logits(self.embeddings.narrowed(self._read_out(hidden_ND, readout_NE, x_NE)))
        state = replace(state, carries=tuple(carries), fed_NG=fed_NG)
        return Step(logits_NV, weights_BWS.flatten(0, 1), state)

    def _readers(self) -> list[Tensor]:
        """The weights of all that reads a context (... x D): feeding, upper layers, readout."""
        feed = [] if self.feed is None else [self.feed.weight]
        return [*feed, *(layer.weights_from(layer.width) for layer in self._upper_layers()), self._readout_weights()[1]]

    def _readout_weights(self) -> list[Tensor]:
        """Those that read the hidden state, the context and the input."""
        width = self.first.width
        return list(self.readout.weight.split_with_sizes([width, width, self.readout.weight.size(1) - 2 * width], 1))

    def _read_out(self, hidden_ND: Tensor, of_context_NE: Tensor, x_NE: Tensor) -> Tensor:
        """As `_outputs`, with what the readout makes of the context."""
        of_hidden, _, of_input = self._readout_weights()
        sum_NE = product(self.dropout(hidden_ND), of_hidden, self.readout.bias) + of_context_NE
        outputs: Tensor = self.dropout((sum_NE + product(x_NE, of_input)).tanh())
        return outputs

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
class Readings:
    """What is made of contexts, by all that reads them.

    Attributes:
        values_BSX: What is mixed: the memory's states (X = D), or what the readers make of them (X = R).
        weights_RD: What then still has to be done to a mixture; None: nothing.
        sizes: Outputs of each reader.
    """

    values_BSX: Tensor
    weights_RD: Tensor | None
    sizes: tuple[int, ...]

    @classmethod
    def of_memory(cls, states_BSD: Tensor, readers: list[Tensor], width: int) -> Readings:
        """For so many hypotheses a sentence.

        The readers cost as much for a position as for a step of a hypothesis, and mixing costs more with their outputs
        than with states: that pays where a beam takes many steps over few positions.
        """
        weights_RD, sizes = torch.cat(readers), tuple(len(reader) for reader in readers)
        positions, states = states_BSD.shape[1:]
        if width == 1 or positions > states * _SHORT:
            return cls(states_BSD, weights_RD, sizes)
        return cls(product(states_BSD, weights_RD), None, sizes)

    def mixed(self, weights_BWS: Tensor) -> tuple[Tensor, ...]:
        """What each reader makes of the contexts (N x its outputs)."""
        mixed_NX = _contexts(weights_BWS, self.values_BSX).flatten(0, 1)
        mixed_NR = mixed_NX if self.weights_RD is None else product(mixed_NX, self.weights_RD)
        return mixed_NR.split_with_sizes(self.sizes, 1)

    def of_sentences(self, sentences: Tensor) -> Readings:
        """Those of some sentences (int64) alone."""
        return replace(self, values_BSX=self.values_BSX.index_select(0, sentences))


@dataclass(frozen=True)
class RnnState(State):
    """Carries of all hypotheses, and what their last contexts feed; memory and what is made of it once a sentence.

    Attributes:
        width: W.
        memory: States and mask of the source.
        keys_BSD: What the attention makes of the memory.
        readings: What other parts make of it.
        carries: A carry for each decoder layer (parts N x D).
        fed_NG: What the last context adds to the gates of the first layer; None without input feeding.
        logits: Gives those of narrowed outputs.
    """

    width: int
    memory: Memory
    keys_BSD: Tensor
    readings: Readings
    carries: tuple[Carry, ...]
    fed_NG: Tensor | None
    logits: Callable[[Tensor], Tensor]

    def reorder(self, parents_N: Tensor) -> RnnState:
        """See `State.reorder`; the memory moves only when a sentence leaves."""
        carries = tuple(tuple(part.index_select(0, parents_N) for part in carry) for carry in self.carries)
        fed_NG = None if self.fed_NG is None else self.fed_NG.index_select(0, parents_N)
        state = replace(self, carries=carries, fed_NG=fed_NG)
        sentences = moved_sentences(parents_N, self.width, self.memory.mask_BS.size(0))
        if sentences is None:
            return state
        memory = Memory(
            self.memory.states_BSD.index_select(0, sentences), self.memory.mask_BS.index_select(0, sentences)
        )
        readings = self.readings.of_sentences(sentences)
        return replace(state, memory=memory, keys_BSD=self.keys_BSD.index_select(0, sentences), readings=readings)
