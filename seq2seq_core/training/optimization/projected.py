"""Decoder outputs, the projection onto logits and target ids in; the loss of them, without all logits at once, out.

The logits of a batch are the largest tensor of a step, by far, and are gone through several times: made, normalised,
compared, turned into their gradient and multiplied by outputs and table. Here, some rows at a time go all of that way
while they are in the cache of a core. The gradients are made on the way forward, where the probabilities are at hand.

Shape legend: R target positions that are no padding, C of them at once, E output width, V target vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from seq2seq_core.models.layers.projections import Projection, is_bfloat16
from seq2seq_core.tokenizer.vocabulary import PAD_ID
from seq2seq_core.training.optimization.table_products import TableProducts, table_products

_LOGITS_AT_ONCE = 1 << 21
"""Eight megabytes: less is made for longer than it is used, more is fetched again from memory each time."""


def fits(outputs: Tensor) -> bool:
    """Whether `projected_loss` takes such outputs, and is the faster way: on a CPU.

    A GPU would wait for the host to learn how many positions are no padding.
    """
    return outputs.device.type == "cpu" and outputs.dtype in (torch.float32, torch.bfloat16)


def projected_loss(outputs: Tensor, projection: Projection, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """What `loss.smoothed_loss` gives for the logits that a projection makes of outputs (positions x E)."""
    is_token = targets != PAD_ID
    given = (outputs[is_token].float(), projection.table_VE.float(), projection.bias_V.float(), targets[is_token])
    settings = (smoothing, is_bfloat16(outputs), torch.is_grad_enabled())
    with torch.autocast("cpu", enabled=False):
        loss, nll = cast(tuple[Tensor, Tensor], _ProjectedLoss.apply(*given, *settings))  # type: ignore[no-untyped-call]
    return loss, nll


class _Gradients(NamedTuple):
    """Of the summed loss; what the smoothing adds to all pieces alike is left to the end.

    So is what the gradients of the outputs are multiplied by, row by row.
    """

    outputs_RE: Tensor
    bias_V: Tensor
    parts_R1: Tensor


class _ProjectedLoss(torch.autograd.Function):
    """With s for the smoothing and p for the probabilities, the gradient of the logits is p - (1 - s) onehot - s / V.

    The last term is the same for all rows and pieces, so what it adds is a sum of the table's, or of the outputs' rows.
    """

    @staticmethod
    def forward(
        ctx: Any,
        outputs_RE: Tensor,
        table_VE: Tensor,
        bias_V: Tensor,
        targets_R: Tensor,
        smoothing: float,
        is_bfloat16: bool,
        learns: bool,
    ) -> tuple[Tensor, Tensor]:
        spread = smoothing / len(table_VE)
        sums = torch.zeros(2, dtype=torch.float64)
        made = _Gradients(
            torch.empty_like(outputs_RE), torch.zeros_like(bias_V), outputs_RE.new_empty(len(targets_R), 1)
        )
        products = table_products(table_VE, bias_V, is_bfloat16=is_bfloat16)
        rows = products.rows(_LOGITS_AT_ONCE, len(targets_R))
        room_CV = outputs_RE.new_empty(rows, len(table_VE))
        for begin in range(0, len(targets_R), max(1, rows)):
            some = slice(begin, begin + rows)
            chosen_C, normalizers_C = _some_rows(
                outputs_RE[some],
                (products, room_CV),
                targets_R[some],
                1 - smoothing,
                (made, some) if learns else None,
            )
            sums[0] += (normalizers_C - chosen_C).sum(dtype=torch.float64)
            sums[1] += normalizers_C.sum(dtype=torch.float64)
        all_logits = (outputs_RE.sum(0) @ table_VE.sum(0)).double() + len(targets_R) * bias_V.sum(dtype=torch.float64)
        nll = sums[0]
        loss = (1 - smoothing) * nll + smoothing * sums[1] - spread * all_logits
        if learns:
            of_table_VE = products.table().sub_(spread * outputs_RE.sum(0))
            made.outputs_RE.mul_(made.parts_R1).sub_(spread * table_VE.sum(0))
            made.bias_V.sub_(spread * len(targets_R))
            ctx.save_for_backward(made.outputs_RE, of_table_VE, made.bias_V)
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scale = gradients[0].float()
        return (*(made * scale for made in ctx.saved_tensors), None, None, None, None)


def _some_rows(
    outputs_CE: Tensor,
    making: tuple[TableProducts, Tensor],
    targets_C: Tensor,
    share: float,
    made: tuple[_Gradients, slice] | None,
) -> tuple[Tensor, Tensor]:
    """The logit of each target, and the logarithm of the sum of all exponentials; adds to what is made.

    Logits are made in a room that is the same each time, and so in the cache.
    """
    products, room_CV = making
    logits_CV = products.logits(outputs_CE, room_CV[: len(targets_C)])
    chosen_C1 = logits_CV.gather(1, targets_C[:, None])
    most_C1 = logits_CV.amax(1, keepdim=True)
    exponentials_CV = logits_CV.sub_(most_C1).exp_()
    total_C1 = exponentials_CV.sum(1, keepdim=True)
    if made is not None:
        gradients, some = made
        # By the total everything is divided where it is narrow, not where it is as wide as the vocabulary.
        exponentials_CV.scatter_add_(1, targets_C[:, None], -share * total_C1)
        parts_C1 = torch.reciprocal(total_C1, out=gradients.parts_R1[some])
        products.gradients(exponentials_CV, outputs_CE * parts_C1, gradients.outputs_RE[some])
        gradients.bias_V.addmv_(exponentials_CV.t(), parts_C1.squeeze(1))
    return chosen_C1.squeeze(1), (most_C1 + total_C1.log()).squeeze(1)
