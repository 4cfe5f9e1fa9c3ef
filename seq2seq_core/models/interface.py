"""The one interface of all model families: a source in, a memory, and logits of target ids step by step out.

Shape legend: B sentences, W search width (hypotheses a sentence), N = B * W rows, S source positions,
T target positions, D model width, V target vocabulary.

A source is what `modalities.EncoderInput` says: ids (int64, B x S) or vectors (float32, B x S x F); the suffix BS
stands for either. Where an encoder gives a state for every few positions (`Seq2Seq.subsampling`), the S of what follows
it counts its states.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from seq2seq_core.config import Grown
from seq2seq_core.modalities.base import EncoderInput
from seq2seq_core.models.blueprint import Blueprint
from seq2seq_core.models.layers.projections import Projection


@dataclass(frozen=True)
class Memory:
    """What an encoder gives: states (float, B x S x D) and where they are real (bool, B x S, True = a token)."""

    states_BSD: Tensor
    mask_BS: Tensor

    def repeated(self, times: int) -> Memory:
        """Each sentence so many times in a row."""
        return Memory(self.states_BSD.repeat_interleave(times, 0), self.mask_BS.repeat_interleave(times, 0))


class State(ABC):
    """What a decoder carries from step to step, for N rows; rows i*W to i*W+W-1 belong to sentence i."""

    @abstractmethod
    def reorder(self, parents_N: Tensor) -> State:
        """The state whose row n continues row `parents_N[n]` (int64).

        Fewer rows may come out than went in (finished sentences leave), and the W rows of one sentence always
        come from one sentence; so what is kept once a sentence need not be copied for every hypothesis. This state is
        used up: what others need may be written over what they do not.
        """


@dataclass(frozen=True)
class Step:
    """One decoding step: logits (float, N x V), attention over the source (float, N x S, rows sum to 1), new state."""

    logits_NV: Tensor
    attention_NS: Tensor
    state: State


class Decoded(NamedTuple):
    """What a decoder makes of all target positions at once: outputs (float, B x T x E), of which logits are made, and
    attention over the source (float, B x T x S, rows sum to 1), where it is asked for.
    """

    outputs_BTE: Tensor
    attention_BTS: Tensor | None = None


@dataclass(frozen=True)
class Forward:
    """What teacher forcing gives: the decoder's logits, and the loss of a second head, where the model has one.

    Attributes:
        outputs_BTE: What `projection` makes logits of (float), or the logits themselves.
        auxiliary: A loss in nats, summed over the rows (float32 scalar), such as that of CTC; None: there is none.
            Exactly 0, with gradients of 0, where no row has a token to learn.
        projection: None: the outputs are logits.
        attention_BTS: Where the decoder looks before it says what follows each target position (float, rows sum to 1):
            what `Step.attention_NS` is step by step; None unless it was asked for.
    """

    outputs_BTE: Tensor
    auxiliary: Tensor | None = None
    projection: Projection | None = None
    attention_BTS: Tensor | None = None

    @property
    def logits_BTV(self) -> Tensor:  # noqa: N802 (a tensor, with the suffix of its shape)
        """Logits (float) of the next token after each target position; made anew each time."""
        return self.outputs_BTE if self.projection is None else self.projection.logits(self.outputs_BTE)


class Seq2Seq(nn.Module, ABC):
    """An encoder and a decoder. The families differ in nothing that stands outside their file.

    Attributes:
        max_length: Longest source or target the model can take, in tokens with EOS or BOS; None: no limit.
        subsampling: Source positions an encoder state stands for: n positions give ceil(n / subsampling) states, and
            state s stands for the positions from s * subsampling on.
        auxiliary_weight: Share w (0 to 1) of the second head in what training minimises, (1 - w) * cross-entropy +
            w * auxiliary (Kim, Hori and Watanabe 2017); 0: there is no second head. Its `frame_scores` have a say in
            every search, unless something else is asked for.
        encoder_parts: Names of the modules that make a memory of a source, and of nothing else.
    """

    max_length: int | None = None
    subsampling: int = 1
    auxiliary_weight: float = 0.0
    encoder_parts: tuple[str, ...] = ("encoder",)

    def encoder_weights(self) -> dict[str, Tensor]:
        """The weights, by name, of all that stands between a source and its memory: `encoder_parts`."""
        parts = tuple(f"{part}." for part in self.encoder_parts)
        return {name: weight for name, weight in self.state_dict().items() if name.startswith(parts)}

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Without dropout; training mode is put back afterwards."""
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)

    @abstractmethod
    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        """Encode padded sources, of which so many positions are real (int64, at least one)."""

    @abstractmethod
    def forward(
        self, source_BS: Tensor, source_lengths_B: Tensor, target_BT: Tensor, *, attending: bool = False
    ) -> Forward:
        """What follows each of `target_BT` (int64; each row starts with BOS, and PAD may follow its tokens).

        Attention is told where it is asked for (`attending`).
        """

    @abstractmethod
    def start(self, memory: Memory, width: int = 1) -> State:
        """The state before the first step, `width` rows a sentence."""

    @abstractmethod
    def step(self, tokens_N: Tensor, state: State) -> Step:
        """Advance every row by its last token (int64, BOS at first); agrees with `forward` position by position."""

    def frame_scores(self, memory: Memory) -> Tensor | None:  # noqa: ARG002 (most families have none)
        """Log probabilities (float32, B x S x V) of target tokens at each encoder state; blank has the id of PAD.

        Those of connectionist temporal classification (Graves et al. 2006); None where the model has no head for it.
        """
        return None


class ArchitectureConfig(Grown):
    """The shape of a model: the entry of a family in `models.registry`; a subclass sets `family` to a Literal."""

    family: str

    @property
    @abstractmethod
    def layer_counts(self) -> dict[str, int]:
        """Numbers of layers, each with weights of its own."""

    @property
    @abstractmethod
    def dimensions(self) -> dict[str, int]:
        """Numbers that are dimensions of weights, or parts of them."""

    @abstractmethod
    def build(self, source: EncoderInput, target_vocabulary: int) -> Seq2Seq:
        """A freshly initialised model in training mode; a ConfigError when what it is given does not fit."""

    @property
    def blueprint(self) -> Blueprint | None:
        """How it is built, for engines with a Transformer of their own; None where it is no such Transformer."""
        return None
