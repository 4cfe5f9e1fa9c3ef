"""Deterministic models without weights: the logits follow from the source and the prefix by a hash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from seq2seq_core.models.interface import Forward, Memory, Seq2Seq, State, Step

_MODULUS = 10007


@dataclass(frozen=True)
class HashedState(State):
    """The hash of the prefix of each row; the source hash is kept once a sentence, as real families keep memory."""

    prefix_N: Tensor
    source_A: Tensor
    mask_AS: Tensor
    width: int

    def reorder(self, parents_N: Tensor) -> State:
        sentences_A = parents_N[:: self.width] // self.width
        assert torch.equal(parents_N // self.width, sentences_A.repeat_interleave(self.width))
        return replace(
            self,
            prefix_N=self.prefix_N[parents_N],
            source_A=self.source_A[sentences_A],
            mask_AS=self.mask_AS[sentences_A],
        )


class HashedModel(Seq2Seq):
    """Logits of a row are `sharpness * sin(hash(source, prefix) * (token + 1))`, with a bonus for EOS."""

    def __init__(self, vocabulary: int, sharpness: float, end_bonus: float) -> None:
        super().__init__()
        self.vocabulary, self.sharpness, self.end_bonus = vocabulary, sharpness, end_bonus
        self.rows_stepped: list[int] = []
        self.anchor = nn.Parameter(torch.zeros(1))  # parameters tell the device

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        mask_BS = torch.arange(source_BS.shape[1]) < source_lengths_B[:, None]
        return Memory((source_BS * mask_BS)[:, :, None].double(), mask_BS)

    def start(self, memory: Memory, width: int = 1) -> State:
        weights_S = torch.arange(1, memory.mask_BS.shape[1] + 1)
        source_B = (memory.states_BSD[:, :, 0].long() * weights_S).sum(1) % _MODULUS
        prefix_N = torch.zeros(len(source_B) * width, dtype=torch.int64)
        return HashedState(prefix_N, source_B, memory.mask_BS, width)

    def step(self, tokens_N: Tensor, state: State) -> Step:
        assert isinstance(state, HashedState)
        self.rows_stepped.append(len(tokens_N))
        prefix_N = (state.prefix_N * 31 + tokens_N + 7) % _MODULUS
        source_N = state.source_A.repeat_interleave(state.width)
        mask_NS = state.mask_AS.repeat_interleave(state.width, 0)
        seed_N1 = ((prefix_N * 17 + source_N * 5) % _MODULUS).double()[:, None]
        logits_NV = self.sharpness * torch.sin(seed_N1 * torch.arange(1, self.vocabulary + 1) * 0.37)
        logits_NV[:, 3] += self.end_bonus
        positions_S = torch.arange(mask_NS.shape[1])
        attention_NS = torch.sin(seed_N1 + positions_S).masked_fill(~mask_NS, -torch.inf).softmax(1)
        return Step(logits_NV.float(), attention_NS.float(), replace(state, prefix_N=prefix_N))

    def forward(self, source_BS: Tensor, source_lengths_B: Tensor, target_BT: Tensor) -> Forward:
        state = self.start(self.encode(source_BS, source_lengths_B))
        logits = []
        for tokens_B in target_BT.unbind(1):
            step = self.step(tokens_B, state)
            state = step.state
            logits.append(step.logits_NV)
        return Forward(torch.stack(logits, 1))


class HeardModel(HashedModel):
    """A hashed model of speech: an encoder state for every `subsampling` ids of the source, which scores its frame."""

    def __init__(self, vocabulary: int, sharpness: float, end_bonus: float, subsampling: int) -> None:
        super().__init__(vocabulary, sharpness, end_bonus)
        self.subsampling = subsampling

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        whole = super().encode(source_BS, source_lengths_B)
        missing = -source_BS.shape[1] % self.subsampling
        states_BSD = nn.functional.pad(whole.states_BSD, (0, 0, 0, missing))
        lengths_B = (source_lengths_B + self.subsampling - 1) // self.subsampling
        mask_BS = torch.arange(states_BSD.shape[1] // self.subsampling) < lengths_B[:, None]
        return Memory(states_BSD.unflatten(1, (-1, self.subsampling)).sum(2), mask_BS)

    def frame_scores(self, memory: Memory) -> Tensor:
        places_S = torch.arange(memory.mask_BS.shape[1])
        seeds_BS = (memory.states_BSD[:, :, 0].long() * 29 + places_S * 13) % _MODULUS
        waves_BSV = torch.sin(seeds_BS[:, :, None].double() * torch.arange(1, self.vocabulary + 1) * 0.61)
        return (2 * waves_BSV).log_softmax(2).float()


@pytest.fixture
def heard_model() -> Callable[..., HeardModel]:
    """Builds a model: `heard_model(vocabulary=7, sharpness=2.0, end_bonus=0.0, subsampling=3)`."""

    def build(vocabulary: int = 7, sharpness: float = 2.0, end_bonus: float = 0.0, subsampling: int = 3) -> HeardModel:
        return HeardModel(vocabulary, sharpness, end_bonus, subsampling).eval()

    return build


@pytest.fixture
def hashed_model() -> Callable[..., HashedModel]:
    """Builds a model: `hashed_model(vocabulary=12, sharpness=2.0, end_bonus=0.0)`."""

    def build(vocabulary: int = 12, sharpness: float = 2.0, end_bonus: float = 0.0) -> HashedModel:
        return HashedModel(vocabulary, sharpness, end_bonus).eval()

    return build
