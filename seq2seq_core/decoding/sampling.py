"""Scores of next tokens in, one drawn for each row out, by numbers that follow from the row's source alone.

Each draw takes one number between 0 and 1, which a hash makes of seed, source, number of the output and step. So the
same source draws the same in any batch and any run, on any machine.

Shape legend: B sentences, D outputs drawn of each, N rows, V target vocabulary, K tokens that may be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import xxhash
from torch import Tensor

from seq2seq_core.decoding.hypothesis import SearchConfig

Keys = npt.NDArray[np.uint64]
"""A number for each output that is drawn."""

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def keys_of(source_BS: Tensor, lengths_B: Tensor, seed: int, draws: int) -> Keys:
    """A number for each output to be drawn (uint64, B * D): it names the seed, the source and which output it is."""
    rows = zip(source_BS.cpu(), lengths_B.tolist(), strict=True)
    contents = [row[:length].contiguous().numpy().tobytes() for row, length in rows]
    found = [xxhash.xxh3_64_intdigest(content, seed + draw) for content in contents for draw in range(draws)]
    return np.array(found, np.uint64)


def uniforms(keys_N: Keys, step: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each row at a step (float64): SplitMix64 (Steele, Lea and Flood 2014), at any place."""
    with np.errstate(over="ignore"):
        z = keys_N + _STEP * np.uint64(step + 1)
        for mix, shift in zip(_MIX, _SHIFTS, strict=False):
            z = (z ^ (z >> shift)) * mix
        z ^= z >> _SHIFTS[-1]
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass
class Draw:
    """Draws tokens for the rows of a search.

    Attributes:
        keys_N: See `keys_of`.
        temperature: See `SearchConfig`.
        top_k: See `SearchConfig`.
        top_p: See `SearchConfig` (Holtzman et al. 2020).
        step: Tokens that were drawn.
    """

    keys_N: Keys
    temperature: float
    top_k: int
    top_p: float
    step: int = 0

    @classmethod
    def start(cls, keys_N: Keys, options: SearchConfig) -> Draw:
        """Before the first token."""
        return cls(keys_N, options.temperature, options.top_k, options.top_p)

    def __call__(self, scores_NV: Tensor) -> tuple[Tensor, Tensor]:
        """The scores as they came (float32) and the ids (int64) of the tokens that were drawn, both N."""
        count = min(self.top_k or scores_NV.shape[1], scores_NV.shape[1])
        is_some = count < scores_NV.shape[1] or self.top_p < 1
        best_NK, ids_NK = scores_NV.topk(count) if is_some else (scores_NV, None)
        shares_NK = (best_NK / self.temperature).double().softmax(1)
        sums_NK = shares_NK.cumsum(1)
        if self.top_p < 1:
            shares_NK = shares_NK.masked_fill(sums_NK - shares_NK >= self.top_p, 0)
            sums_NK = shares_NK.cumsum(1)
        drawn_N = torch.from_numpy(uniforms(self.keys_N, self.step)).to(sums_NK.device)
        self.step += 1
        places_N1 = (sums_NK <= (drawn_N * sums_NK[:, -1]).unsqueeze(1)).sum(1, keepdim=True)
        places_N1 = places_N1.clamp(max=count - 1)
        scores_N = best_NK.gather(1, places_N1).squeeze(1)
        return scores_N, (places_N1 if ids_NK is None else ids_NK.gather(1, places_N1)).squeeze(1)

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        self.keys_N = self.keys_N[parents_N.cpu().numpy()]
