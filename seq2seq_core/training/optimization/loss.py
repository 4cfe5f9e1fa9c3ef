"""Logits and target ids in, the label-smoothed loss and the plain negative log likelihood, summed over tokens, out.

Shape legend: R target positions (all rows of a batch, flattened), P = 2 passes over each row, V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from seq2seq_core.models.interface import Forward
from seq2seq_core.tokenizer.vocabulary import PAD_ID
from seq2seq_core.training.optimization.projected import fits, projected_loss
from seq2seq_core.training.optimization.projected_pair import Weights, projected_paired_loss


@dataclass(frozen=True)
class Objective:
    """What of logits is minimised.

    Attributes:
        smoothing: Label smoothing, 0 to 1.
        divergence: Weight of the divergence of two passes over each row; 0: there is one pass.
        guidance: Weight of how far attention is from where a batch says that it should be.
    """

    smoothing: float
    divergence: float = 0.0
    guidance: float = 0.0

    @property
    def passes(self) -> int:
        """How often each row is computed."""
        return 2 if self.divergence else 1

    def losses(self, found: Forward, targets_R: Tensor) -> tuple[Tensor, Tensor]:
        """As `smoothed_loss` and `paired_loss` have them; what is found are all passes, one behind the other."""
        if not self.divergence:
            return forward_loss(found, targets_R, self.smoothing)
        if found.projection is None or not fits(found.outputs_BTE):
            return paired_loss(found.logits_BTV.flatten(0, 1), targets_R, self.smoothing, self.divergence)
        weights = Weights(self.smoothing, self.divergence)
        return projected_paired_loss(found.outputs_BTE.flatten(0, 1), found.projection, targets_R, weights)


def guided_loss(attention_BTS: Tensor, guidance_BTS: Tensor) -> Tensor:
    """How far attention is from where it should be: their cross-entropy, summed over target positions where somebody
    says that (Chen et al. 2016, "Guided Alignment Training for Topic-Aware Neural Machine Translation", section 3.1).

    A float64 scalar in nats.
    """
    least = torch.finfo(torch.float32).tiny
    return -(guidance_BTS * attention_BTS.float().clamp_min(least).log()).sum(dtype=torch.float64)


def smoothed_loss(logits_RV: Tensor, targets_R: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Sums over the positions that are no padding: label-smoothed loss, and negative log likelihood (no gradient).

    The target distribution is `(1 - smoothing) * one_hot + smoothing / V` (Szegedy et al. 2016, "Rethinking the
    Inception Architecture", section 7). Both sums are float64 scalars in nats; the logits may be of lower precision.
    """
    loss, nll = cast(tuple[Tensor, Tensor], _SmoothedLoss.apply(logits_RV, targets_R, smoothing))  # type: ignore[no-untyped-call]
    return loss, nll


def forward_loss(found: Forward, targets_R: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """`smoothed_loss` of what a model gives, in the way that is the fastest where it runs."""
    if found.projection is None or not fits(found.outputs_BTE):
        return smoothed_loss(found.logits_BTV.flatten(0, 1), targets_R, smoothing)
    return projected_loss(found.outputs_BTE.flatten(0, 1), found.projection, targets_R, smoothing)


def paired_loss(logits_2RV: Tensor, targets_R: Tensor, smoothing: float, weight: float) -> tuple[Tensor, Tensor]:
    """The same of two passes with other dropout, and how far they are apart (Liang et al. 2021, "R-Drop").

    The loss is the mean of the passes' smoothed losses + weight / 4 * (KL(one, other) + KL(other, one)): half of the
    paper's equation 4, whose alpha is the weight, so that it is as large as that of a single pass.
    """
    loss, nll = cast(
        tuple[Tensor, Tensor],
        _PairedLoss.apply(logits_2RV, targets_R, smoothing, weight),  # type: ignore[no-untyped-call]
    )
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


class _PairedLoss(torch.autograd.Function):
    """The gradient is made on the way forward, where all that it takes is at hand, and kept instead of the rest."""

    @staticmethod
    def forward(
        ctx: Any, logits_2RV: Tensor, targets_R: Tensor, smoothing: float, weight: float
    ) -> tuple[Tensor, Tensor]:
        is_token_R = targets_R != PAD_ID
        log_probs_PRV = torch.unflatten(torch.log_softmax(logits_2RV, dim=-1, dtype=torch.float32), 0, (2, -1))
        nll_R = -log_probs_PRV.gather(2, targets_R.expand(2, -1).unsqueeze(2)).squeeze(2).mean(0)
        loss_R = (1 - smoothing) * nll_R - smoothing * log_probs_PRV.mean(dim=(0, 2))
        probs_PRV = log_probs_PRV.exp()
        apart_RV = log_probs_PRV[0] - log_probs_PRV[1]
        there_R1 = (probs_PRV[0] * apart_RV).sum(1, keepdim=True)
        back_R1 = -(probs_PRV[1] * apart_RV).sum(1, keepdim=True)
        loss_R += weight / 4 * (there_R1 + back_R1).squeeze(1)
        ways = (apart_RV - there_R1, -apart_RV - back_R1)
        gradients_RV = [
            0.5 * (probs - smoothing / probs.shape[1]) + weight / 4 * (probs * (way + 1) - other)
            for probs, other, way in zip(probs_PRV, probs_PRV.flip(0), ways, strict=True)
        ]
        index_R1 = targets_R.unsqueeze(1)
        for gradient_RV in gradients_RV:
            gradient_RV.scatter_add_(1, index_R1, gradient_RV.new_full(index_R1.shape, 0.5 * (smoothing - 1)))
            gradient_RV.mul_(is_token_R.unsqueeze(1))
        ctx.save_for_backward(torch.cat(gradients_RV).to(logits_2RV.dtype))
        nll = torch.where(is_token_R, nll_R, 0.0).sum(dtype=torch.float64)
        ctx.mark_non_differentiable(nll)
        return torch.where(is_token_R, loss_R, 0.0).sum(dtype=torch.float64), nll

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient_2RV,) = ctx.saved_tensors
        return gradient_2RV * gradients[0].to(gradient_2RV.dtype), None, None, None
