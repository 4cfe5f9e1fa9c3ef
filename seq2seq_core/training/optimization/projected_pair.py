"""Decoder outputs of two passes, the projection onto logits and target ids in; R-Drop's loss, without all logits, out.

As in `projected`, some rows at a time go all the way from logits to gradients while they are in the cache of a core:
with two passes over each row there would be a dozen tensors of the logits' size to go through.

Shape legend: R target positions that are no padding, C of them at once, P = 2 passes over each row, E output width,
V target vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from seq2seq_core.models.layers.projections import Projection, is_bfloat16
from seq2seq_core.tokenizer.vocabulary import PAD_ID
from seq2seq_core.training.optimization.table_products import TableProducts, table_products

_LOGITS_AT_ONCE = 1 << 20
"""Of each pass. Five tensors of this size are in use at once."""


class Weights(NamedTuple):
    """What of the target probability is spread over all pieces, and what the passes' divergence counts."""

    smoothing: float
    divergence: float


def projected_paired_loss(
    outputs_2RE: Tensor, projection: Projection, targets: Tensor, weights: Weights
) -> tuple[Tensor, Tensor]:
    """What `loss.paired_loss` gives for the logits that a projection makes of both passes' outputs."""
    is_token = targets != PAD_ID
    outputs_PRE = torch.unflatten(outputs_2RE, 0, (2, -1))[:, is_token]
    given = (outputs_PRE.float(), projection.table_VE.float(), projection.bias_V.float(), targets[is_token])
    settings = (weights, is_bfloat16(outputs_2RE), torch.is_grad_enabled())
    with torch.autocast("cpu", enabled=False):
        loss, nll = cast(tuple[Tensor, Tensor], _ProjectedPair.apply(*given, *settings))  # type: ignore[no-untyped-call]
    return loss, nll


class _Rooms(NamedTuple):
    """Where what is as wide as the vocabulary is made, the same memory for all rows, and so in the cache."""

    probs_PCV: Tensor
    apart_CV: Tensor
    gradients_PCV: Tensor


class _ProjectedPair(torch.autograd.Function):
    """With z for the logits of passes a and b and p for their probabilities, the divergence both ways is

        J = sum((p_a - p_b) (z_a - z_b)), and dJ/dz_a = p_a (z_a - z_b - E_a) + p_a - p_b

    where E_a is the mean of z_a - z_b under p_a; for b the same with a and b changed.
    """

    @staticmethod
    def forward(
        ctx: Any,
        outputs_PRE: Tensor,
        table_VE: Tensor,
        bias_V: Tensor,
        targets_R: Tensor,
        weights: Weights,
        is_bfloat16: bool,
        learns: bool,
    ) -> tuple[Tensor, Tensor]:
        count, pieces = len(targets_R), len(table_VE)
        spread = weights.smoothing / pieces
        sums = torch.zeros(3, dtype=torch.float64)  # cross-entropy, normalizers, divergence
        of_outputs_PRE, of_bias_V = torch.empty_like(outputs_PRE), torch.zeros_like(bias_V)
        products = table_products(table_VE, bias_V, is_bfloat16=is_bfloat16)
        rows = products.rows(_LOGITS_AT_ONCE, count)
        rooms = _Rooms(*(outputs_PRE.new_empty(*shape, rows, pieces) for shape in ((2,), (), (2,))))
        for begin in range(0, count, max(1, rows)):
            some = slice(begin, begin + rows)
            here = _Rooms(*(room[..., : len(targets_R[some]), :] for room in rooms))
            sums += _some_rows(outputs_PRE[:, some], products, targets_R[some], here, weights)
            if learns:
                of_bias_V += here.gradients_PCV.sum((0, 1))
                for i, into_RE in enumerate(of_outputs_PRE):
                    products.gradients(here.gradients_PCV[i], outputs_PRE[i, some], into_RE[some])
        all_logits = (outputs_PRE.sum((0, 1)) @ table_VE.sum(0)).double() / 2 + count * bias_V.sum(dtype=torch.float64)
        nll, normalizers, divergence = sums.unbind()
        loss = (1 - weights.smoothing) * nll + weights.smoothing * normalizers - spread * all_logits
        if learns:
            of_table_VE = products.table().sub_(spread / 2 * outputs_PRE.sum((0, 1)))
            of_outputs_PRE.sub_(spread / 2 * table_VE.sum(0))
            of_bias_V.sub_(spread * count)
            ctx.save_for_backward(of_outputs_PRE, of_table_VE, of_bias_V)
        ctx.mark_non_differentiable(nll)
        return loss + weights.divergence / 4 * divergence, nll

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scale = gradients[0].float()
        return (*(made * scale for made in ctx.saved_tensors), None, None, None, None)


def _some_rows(
    outputs_PCE: Tensor, products: TableProducts, targets_C: Tensor, rooms: _Rooms, weights: Weights
) -> Tensor:
    """Sums over the rows: of cross-entropy and normalizers as means of the passes, and of the divergence both ways.

    The gradients of the logits are left in their room, but for what the smoothing adds to all pieces alike.
    """
    probs_PCV, apart_CV, gradients_PCV = rooms
    index_PC1 = targets_C.expand(2, -1).unsqueeze(2)
    for outputs_CE, logits_CV in zip(outputs_PCE, probs_PCV, strict=True):
        products.logits(outputs_CE, logits_CV)
    torch.sub(probs_PCV[0], probs_PCV[1], out=apart_CV)
    chosen_PC1 = probs_PCV.gather(2, index_PC1)
    most_PC1 = probs_PCV.amax(2, keepdim=True)
    totals_PC1 = probs_PCV.sub_(most_PC1).exp_().sum(2, keepdim=True)
    probs_PCV.div_(totals_PC1)
    means_PC1 = torch.mul(probs_PCV, apart_CV, out=gradients_PCV).sum(2, keepdim=True)
    part = weights.divergence / 4
    apart_CV.mul_(part)
    for i, sign in enumerate((1, -1)):
        torch.add(0.5 + part - sign * part * means_PC1[i], apart_CV, alpha=sign, out=gradients_PCV[i])
        gradients_PCV[i].mul_(probs_PCV[i]).sub_(probs_PCV[1 - i], alpha=part)
    gradients_PCV.scatter_add_(2, index_PC1, gradients_PCV.new_full(index_PC1.shape, 0.5 * (weights.smoothing - 1)))
    normalizers_PC1 = most_PC1 + totals_PC1.log()
    sums = [(normalizers_PC1 - chosen_PC1) / 2, normalizers_PC1 / 2, means_PC1[0] - means_PC1[1]]
    return torch.stack([found.sum(dtype=torch.float64) for found in sums])
