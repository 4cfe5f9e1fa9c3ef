"""Encoder states and target ids in, the loss of connectionist temporal classification out (Graves et al. 2006).

Shape legend: B rows, S encoder states, T target positions, V target vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.models.layers.projections import linear
from seq2seq_core.tokenizer.vocabulary import PAD_ID


class CtcHead(nn.Module):
    """Says at each encoder state which target token is being spoken; blank has the id of PAD, which is no token."""

    def __init__(self, width: int, target_vocabulary: int) -> None:
        super().__init__()
        self.output = linear(width, target_vocabulary)

    def scores(self, states_BSD: Tensor) -> Tensor:
        """Log probabilities (at least float32, B x S x V)."""
        logits_BSV: Tensor = self.output(states_BSD)
        dtype = torch.promote_types(logits_BSV.dtype, torch.float32)
        return logits_BSV.log_softmax(-1, dtype=dtype)

    def loss(self, states_BSD: Tensor, mask_BS: Tensor, target_BT: Tensor) -> Tensor:
        """The rows' summed negative log likelihood in nats of their tokens (BOS, tokens, PAD), in any alignment.

        Rows without a token add nothing, nor do those that have fewer states than an alignment needs.
        """
        tokens_BT = functional.pad(target_BT[:, 1:], (0, 1), value=PAD_ID)  # one position at least
        counts_B = (tokens_BT != PAD_ID).sum(1)
        losses_B = functional.ctc_loss(
            self.scores(states_BSD).transpose(0, 1),
            tokens_BT,
            mask_BS.sum(1),
            counts_B,
            blank=PAD_ID,
            reduction="none",
            zero_infinity=True,
        )
        return torch.where(counts_B > 0, losses_B, 0.0).sum()
