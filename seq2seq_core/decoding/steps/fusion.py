"""A model of the target language beside the one that is searched: its log probabilities added (shallow fusion).

Shape legend: B sentences, W search width, N = B * W rows, S source positions, V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from seq2seq_core.decoding.steps.processor import Processing
from seq2seq_core.models.interface import Memory, Seq2Seq, State


@dataclass(frozen=True)
class Fusion(Processing):
    """score + weight * log p(token | tokens before) (Gulcehre et al. 2015; Kannan et al. 2018).

    Attributes:
        language_model: Of the same target vocabulary, in evaluation mode, on the same device; trained on text alone.
        source_1S: What it has for a source: that of an empty text, as its encoder reads it.
        lengths_1: How many positions of that are real (int64).
        weight: What it counts for.
    """

    language_model: Seq2Seq
    source_1S: Tensor
    lengths_1: Tensor
    weight: float

    @property
    def longest(self) -> int | None:
        """See `Processing`."""
        return self.language_model.max_length

    def start(self, model: Seq2Seq, memory: Memory, width: int) -> _Fused:
        """See `Processing.start`."""
        del model
        sentences = len(memory.mask_BS)
        sources_BS = self.source_1S.expand(sentences, *self.source_1S.shape[1:])
        own_memory = self.language_model.encode(sources_BS, self.lengths_1.expand(sentences))
        return _Fused(self, self.language_model.start(own_memory, width))


class _Fused:
    def __init__(self, fusion: Fusion, state: State) -> None:
        self._fusion, self._state = fusion, state

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`."""
        step = self._fusion.language_model.step(tokens_N, self._state)
        self._state = step.state
        return scores_NV.add_(step.logits_NV.float().log_softmax(1), alpha=self._fusion.weight)

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        self._state = self._state.reorder(parents_N)
