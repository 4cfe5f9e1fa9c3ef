"""A memory and target ids in, logits out, all positions at once or step by step: the decoder of a Transformer.

Shape legend: B sentences, W search width (hypotheses a sentence), N = B * W rows, S memory positions, T target
positions, P steps taken so far, D model width, H heads, C = channels of one head, V target vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.models.interface import Decoded, Memory, Seq2Seq, State, Step
from seq2seq_core.models.layers.attention import Past, attention_bias, room_for, with_room
from seq2seq_core.models.layers.dropout import Dropout
from seq2seq_core.models.layers.embeddings import Embeddings
from seq2seq_core.models.layers.positions import Positions
from seq2seq_core.models.layers.rows import Taking, moved_sentences
from seq2seq_core.models.layers.sublayers import DecoderLayer, Layers


class TransformerDecoder(Seq2Seq):
    """The decoder's half of a model; a family gives it an encoder, and makes its parts."""

    embeddings: Embeddings
    target_positions: Positions
    dropout: Dropout
    decoder: Layers
    decoder_norm: nn.Module

    def decode(self, memory: Memory, target_BT: Tensor, *, attending: bool = False) -> Decoded:
        """Outputs, and the attention of the last layer's heads on the average; a ModelError where positions do not
        reach.
        """
        x_BTD = self.embeddings.embed_target(target_BT)
        x_BTD = self.dropout(x_BTD + self.target_positions(0, target_BT.size(1), x_BTD))
        *layers, last = self.decoder.called()
        mask_B11S = memory.mask_BS[:, None, None]
        for layer in layers:
            x_BTD = layer(x_BTD, memory.states_BSD, mask_B11S)
        if not attending:
            return Decoded(self.decoder_norm(last(x_BTD, memory.states_BSD, mask_B11S)))
        x_BTD, weights_BHTS = last(x_BTD, memory.states_BSD, mask_B11S, attending=True)
        return Decoded(self.decoder_norm(x_BTD), weights_BHTS.mean(1))

    def start(self, memory: Memory, width: int = 1) -> TransformerState:
        """See `Seq2Seq.start`: the cross-attention keys and values are computed here, once a sentence."""
        # Contiguous, or every step would copy them for its matrix products.
        crosses = tuple(
            with_room(layer.cross_attention.keys_values(memory.states_BSD)) for layer in self._decoder_layers()
        )
        sentences, positions = memory.mask_BS.shape
        mask_BS = functional.pad(memory.mask_BS, (0, crosses[0].size(3) - positions))
        return TransformerState(
            width=width,
            positions=positions,
            bias_B11S=attention_bias(mask_BS[:, None, None], crosses[0]),
            crosses=crosses,
            pasts=tuple(Past(cross[:, :, :, :0], 0) for cross in crosses),
            ancestors_NP=torch.empty(sentences * width, 0, dtype=torch.int64, device=memory.mask_BS.device),
            logits=self.embeddings.projection.for_steps(),
        )

    def step(self, tokens_N: Tensor, state: State) -> Step:
        """See `Seq2Seq.step`; the hypotheses of a sentence stand side by side as W query positions."""
        if not isinstance(state, TransformerState):
            raise TypeError(f"a state of {type(self).__name__}.start is needed, not {type(state).__name__}")
        x_BWD = self.embeddings.embed_target(tokens_N.view(-1, state.width))
        x_BWD = self.dropout(x_BWD + self.target_positions(state.steps, 1, x_BWD))
        length, state = state.steps * state.width, state.opened()
        bias, pasts, layers = state.bias(), [], self._decoder_layers()
        for number, layer in enumerate(layers, 1):
            x_BWD, present = layer.look_back(x_BWD, state.pasts[number - 1], length, bias)
            pasts.append(present)
            if number < len(layers):  # of these layers nobody asks where they look
                x_BWD = layer.look_across(x_BWD, state.crosses[number - 1], state.bias_B11S)
        x_BWD, weights_BHWS = layer.look_across_with_weights(x_BWD, state.crosses[-1], state.bias_B11S)
        logits_NV = state.logits(self.embeddings.narrowed(self.decoder_norm(x_BWD).flatten(0, 1)))
        weights_NS = weights_BHWS[:, :, :, : state.positions].mean(1).flatten(0, 1)
        return Step(logits_NV, weights_NS, replace(state, pasts=tuple(pasts)))

    def _decoder_layers(self) -> list[DecoderLayer]:
        return list(self.decoder)  # type: ignore[arg-type]  # ModuleList forgets its element type


@dataclass(frozen=True)
class TransformerState(State):
    """Keys and values of all hypotheses, kept where they were computed.

    A hypothesis that changes its row would have to take its past along; copying that is most of a step's memory
    traffic. Instead, the W keys of each step stand in one row of keys a sentence (position p * W + slot), every
    hypothesis looks at all of them, and a mask leaves it those of its own ancestors.

    Attributes:
        width: W.
        positions: Of the memory; S may be the room for them.
        bias_B11S: -inf where the memory is not real, 0 elsewhere.
        crosses: Keys and values of the memory, a layer each (2 x B x H x S x C).
        pasts: Keys and values of the steps, a layer each (P * W positions).
        ancestors_NP: Slot (int64, 0 to W-1) of each row's ancestor at each step.
        logits: Gives those of narrowed outputs.
    """

    width: int
    positions: int
    bias_B11S: Tensor
    crosses: tuple[Tensor, ...]
    pasts: tuple[Past, ...]
    ancestors_NP: Tensor
    logits: Callable[[Tensor], Tensor]

    @property
    def steps(self) -> int:
        """P."""
        return self.ancestors_NP.size(1)

    def opened(self) -> TransformerState:
        """The state with one more step, at which every row is its own ancestor."""
        rows = torch.arange(self.ancestors_NP.size(0), device=self.ancestors_NP.device)
        return replace(self, ancestors_NP=torch.cat([self.ancestors_NP, rows[:, None] % self.width], 1))

    def bias(self) -> Tensor | None:
        """0 at a row's ancestors, else -inf (broadcast to B x 1 x W x K, K the room for P * W); None if it sees all."""
        taken, device = self.steps * self.width, self.ancestors_NP.device
        room = room_for(taken, self.bias_B11S)
        if self.width == 1:
            return (
                None if room == taken else attention_bias(torch.arange(room) < taken, self.bias_B11S)[None, None, None]
            )
        own_NPW = self.ancestors_NP[:, :, None] == torch.arange(self.width, device=device)
        own_NK = functional.pad(own_NPW.flatten(1), (0, room - taken))
        return attention_bias(own_NK, self.bias_B11S).view(-1, 1, self.width, room)

    def reorder(self, parents_N: Tensor) -> TransformerState:
        """See `State.reorder`; moves the table of ancestors alone while no sentence leaves."""
        state = replace(self, ancestors_NP=self.ancestors_NP.index_select(0, parents_N))
        sentences = moved_sentences(parents_N, self.width, self.bias_B11S.size(0))
        if sentences is None:
            return state
        taking = Taking(sentences)
        return replace(
            state,
            bias_B11S=self.bias_B11S.index_select(0, sentences),
            crosses=tuple(taking.of(cross) for cross in self.crosses),
            pasts=tuple(past.of_sentences(taking) for past in self.pasts),
        )
