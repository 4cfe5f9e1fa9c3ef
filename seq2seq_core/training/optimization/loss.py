"""Logits and target ids in, the label-smoothed loss and the plain negative log likelihood, summed over tokens, out.

Shape legend: R target positions (all rows of a batch, flattened), V target vocabulary.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from seq2seq_core.tokenizer.vocabulary import PAD_ID


def smoothed_loss(logits_RV: Tensor, targets_R: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Sums over the positions that are no padding: label-smoothed loss, and negative log likelihood (no gradient).

    The target distribution is `(1 - smoothing) * one_hot + smoothing / V` (Szegedy et al. 2016, "Rethinking the
    Inception Architecture", section 7). Both sums are float64 scalars in nats; the logits may be of lower precision.
    """
    loss, nll = cast(tuple[Tensor, Tensor], _SmoothedLoss.apply(logits_RV, targets_R, smoothing))  # type: ignore[no-untyped-call]
    return loss, nll


class _SmoothedLoss(torch.autograd.Function):
    """One tensor of the logits' size lives from forward to backward, and turns into the gradient in place.

    `torch.nn.functional.cross_entropy` builds several more of them, which takes twice the time on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, logits_RV: Tensor, targets_R: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        log_probs_RV = torch.log_softmax(logits_RV, dim=-1, dtype=torch.float32)
        is_token_R = targets_R != PAD_ID
        nll_R = -log_probs_RV.gather(1, targets_R.unsqueeze(1)).squeeze(1)
        loss_R = (1 - smoothing) * nll_R - smoothing * log_probs_RV.mean(dim=1)
        ctx.save_for_backward(log_probs_RV, targets_R, is_token_R)
        ctx.smoothing, ctx.dtype = smoothing, logits_RV.dtype
        nll = torch.where(is_token_R, nll_R, 0.0).sum(dtype=torch.float64)
        ctx.mark_non_differentiable(nll)
        return torch.where(is_token_R, loss_R, 0.0).sum(dtype=torch.float64), nll

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        log_probs_RV, targets_R, is_token_R = ctx.saved_tensors
        gradient_RV = log_probs_RV.exp_()
        gradient_RV.sub_(ctx.smoothing / gradient_RV.shape[1])
        index_R1 = targets_R.unsqueeze(1)
        gradient_RV.scatter_add_(1, index_R1, gradient_RV.new_full(index_R1.shape, ctx.smoothing - 1))
        gradient_RV.mul_((is_token_R * gradients[0]).to(torch.float32).unsqueeze(1))
        return gradient_RV.to(ctx.dtype), None, None
