"""Several models of one target vocabulary in; one model whose probabilities are the mean of theirs out.

Shape legend: B sentences, N rows, S source positions, T target positions, V target vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seq2seq_core.models.interface import Forward, Memory, Seq2Seq, State, Step


@dataclass(frozen=True)
class EnsembleMemory(Memory):
    """What each model's encoder gives; as a memory itself, that of the first."""

    parts: tuple[Memory, ...]

    @classmethod
    def of(cls, parts: Sequence[Memory]) -> EnsembleMemory:
        return cls(parts[0].states_BSD, parts[0].mask_BS, tuple(parts))

    def repeated(self, times: int) -> EnsembleMemory:
        """See `Memory.repeated`."""
        return self.of([part.repeated(times) for part in self.parts])


@dataclass(frozen=True)
class EnsembleState(State):
    """A state of each model."""

    parts: tuple[State, ...]

    def reorder(self, parents_N: Tensor) -> EnsembleState:
        """See `State.reorder`."""
        return EnsembleState(tuple(part.reorder(parents_N) for part in self.parts))


class Ensemble(Seq2Seq):
    """The mean of the probabilities of some models, each token's; they may be of different families and shapes.

    Their encoders have to give as many states for a source (`subsampling`); attention is the mean of theirs.
    """

    def __init__(self, models: Sequence[Seq2Seq]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        first = models[0]
        self.max_length = min((most for model in models if (most := model.max_length) is not None), default=None)
        self.subsampling = first.subsampling
        self.auxiliary_weight = min(model.auxiliary_weight for model in models)
        self.train(first.training)

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> EnsembleMemory:
        """See `Seq2Seq.encode`."""
        return EnsembleMemory.of([model.encode(source_BS, source_lengths_B) for model in self._models()])

    def forward(
        self, source_BS: Tensor, source_lengths_B: Tensor, target_BT: Tensor, *, attending: bool = False
    ) -> Forward:
        """See `Seq2Seq.forward`: logarithms of the mean probabilities, as logits; and mean attention."""
        found = [model(source_BS, source_lengths_B, target_BT, attending=attending) for model in self._models()]
        attention = [one.attention_BTS.float() for one in found] if attending else None
        return Forward(
            _mean([one.logits_BTV for one in found]),
            attention_BTS=None if attention is None else torch.stack(attention).mean(0),
        )

    def start(self, memory: Memory, width: int = 1) -> EnsembleState:
        """See `Seq2Seq.start`."""
        if not isinstance(memory, EnsembleMemory):
            raise TypeError(f"a memory of Ensemble.encode is needed, not {type(memory).__name__}")
        pairs = zip(self._models(), memory.parts, strict=True)
        return EnsembleState(tuple(model.start(part, width) for model, part in pairs))

    def step(self, tokens_N: Tensor, state: State) -> Step:
        """See `Seq2Seq.step`."""
        if not isinstance(state, EnsembleState):
            raise TypeError(f"a state of Ensemble.start is needed, not {type(state).__name__}")
        steps = [model.step(tokens_N, part) for model, part in zip(self._models(), state.parts, strict=True)]
        attention_NS = torch.stack([step.attention_NS.float() for step in steps]).mean(0)
        return Step(
            _mean([step.logits_NV for step in steps]), attention_NS, EnsembleState(tuple(s.state for s in steps))
        )

    def frame_scores(self, memory: Memory) -> Tensor | None:
        """See `Seq2Seq.frame_scores`; None where one of the models has none."""
        if not isinstance(memory, EnsembleMemory):
            raise TypeError(f"a memory of Ensemble.encode is needed, not {type(memory).__name__}")
        found = [model.frame_scores(part) for model, part in zip(self._models(), memory.parts, strict=True)]
        there = [scores for scores in found if scores is not None]
        return _mean(there) if len(there) == len(found) else None

    def _models(self) -> list[Seq2Seq]:
        return list(self.models)  # type: ignore[arg-type]  # ModuleList forgets its element type


def _mean(logits: Sequence[Tensor]) -> Tensor:
    """Logarithms (float32) of the mean of the probabilities over the last axis."""
    return torch.stack([some.float().log_softmax(-1) for some in logits]).logsumexp(0) - math.log(len(logits))
