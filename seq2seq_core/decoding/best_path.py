"""Frame scores of a CTC model in, the text of the most probable path through the frames out: no decoder, no beam.

Shape legend: B sentences, S frames (encoder states), V target vocabulary.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.decoding.paths import check_scores
from seq2seq_core.tokenizer.vocabulary import PAD_ID


def best_path(frames_BSV: Tensor, mask_BS: Tensor) -> list[list[Hypothesis]]:
    """The best token of each frame, repetitions and blanks taken out (Graves et al. 2006, section 3.2).

    Args:
        frames_BSV: Natural log probabilities of each frame, blank = PAD_ID.
        mask_BS: Which frames are real.

    Returns:
        One hypothesis a sentence; its log probability is that of the path, its score the mean of the frames, and a
        token's score that of its frames and the blanks behind them, of the first those before it, too.

    Raises:
        ModelError: The frame scores are not numbers.
    """
    best = frames_BSV.float().max(2)
    ids_BS = best.indices.masked_fill(~mask_BS, PAD_ID)
    is_new_BS = (ids_BS != PAD_ID) & (ids_BS != torch.nn.functional.pad(ids_BS, (1, 0), value=PAD_ID)[:, :-1])
    scores_BS = best.values.masked_fill(~mask_BS, 0).double()
    totals_B = scores_BS.sum(1).cpu().numpy()
    check_scores(totals_B)
    ids, is_new, frames_B = ids_BS.cpu().numpy().astype(np.int32), is_new_BS.cpu().numpy(), mask_BS.sum(1).tolist()
    rows = zip(ids, is_new, scores_BS.cpu().numpy(), totals_B.tolist(), frames_B, strict=True)
    return [
        [Hypothesis(row[new], total / frames, total, finished=True, token_scores=_by_token(scores, new))]
        for row, new, scores, total, frames in rows
    ]


def _by_token(scores_S: npt.NDArray[np.float64], is_new_S: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The sums of the frames from each token's first to the next one's."""
    begins = np.flatnonzero(is_new_S)
    begins[:1] = 0
    return np.add.reduceat(scores_S, begins) if len(begins) else np.zeros(0)
