"""One global batch in, one update of the weights out, the same at any world size.

What is minimised is `(1 - w) * cross-entropy + w * auxiliary`, where a model has a second head of weight w, or
`cross-entropy + g * auxiliary`, where attention is guided with weight g; both are sums over rows, in nats. Every
process computes the gradient of its rows' summed loss, scaled by `world size / target tokens of all processes`; the
mean over processes that DDP or FSDP takes is then exactly the gradient of the loss per token.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel

from seq2seq_core.data.batch import Batch
from seq2seq_core.models.interface import Forward, Seq2Seq
from seq2seq_core.training.optimization.loss import Objective, guided_loss
from seq2seq_core.training.optimization.memory import named_shortage
from seq2seq_core.training.processes.distributed import World
from seq2seq_core.training.processes.sharding import whole

Precision = Literal["float32", "bfloat16", "auto"]


class Updates(Protocol):
    """What turns gradients into new weights, unless a tensor says that they are bad; see `Optimizers`."""

    def step(self, is_bad: Tensor) -> object: ...
    def zero_grad(self, set_to_none: bool = True) -> None: ...


@dataclass(frozen=True)
class StepResult:
    """Sums over all processes: losses in nats, the gradient's norm before it was cut, and the processes' flags.

    Attributes:
        loss: What was minimised.
        nll: Cross-entropy of the decoder, without label smoothing.
        auxiliary: Loss of the second head, or of attention that is guided; 0 where there is neither.
    """

    loss: float
    nll: float
    auxiliary: float
    gradient_norm: float
    updated: bool
    flags: tuple[bool, ...]


class Losses(nn.Module):
    """A model with what is minimised: what all processes call together."""

    def __init__(self, model: Seq2Seq, objective: Objective) -> None:
        super().__init__()
        self.model, self._objective = model, objective
        self._auxiliary_weight = model.auxiliary_weight

    def forward(
        self,
        source_BS: Tensor,
        source_lengths_B: Tensor,
        target_in_BT: Tensor,
        target_out_BT: Tensor,
        guidance_BTS: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What is minimised, cross-entropy and auxiliary loss, as `StepResult` has them; targets out for each row once.

        The rows in, and where attention should be, are repeated as often as the objective says.
        """
        found: Forward = self.model(source_BS, source_lengths_B, target_in_BT, attending=guidance_BTS is not None)
        loss, nll = self._objective.losses(found, target_out_BT.flatten())
        if guidance_BTS is not None and found.attention_BTS is not None:
            auxiliary = guided_loss(found.attention_BTS, guidance_BTS) / self._objective.passes
            return loss + self._objective.guidance * auxiliary, nll, auxiliary
        if found.auxiliary is None:
            return loss, nll, torch.zeros_like(nll)
        auxiliary, weight = found.auxiliary.double() / self._objective.passes, self._auxiliary_weight
        return (1 - weight) * loss + weight * auxiliary, nll, auxiliary


class Stepper:
    """A model with its optimizer, ready for global batches.

    Args:
        model: The model itself, on the world's device.
        idle: What is computed where this process has no rows; see `data.batch.idle_batch`.
        objective: What of the decoder's logits is minimised.
        clip_norm: The gradient's norm is cut to this; None leaves it.
    """

    def __init__(
        self,
        model: Seq2Seq,
        optimizer: Updates,
        world: World,
        idle: Batch,
        *,
        objective: Objective,
        clip_norm: float | None,
        precision: Precision,
        seed: int,
    ) -> None:
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        self._parallel = world.parallel(Losses(model, objective))
        self._optimizer = optimizer
        self._world, self._idle = world, idle
        self._passes, self._clip_norm, self._seed = objective.passes, clip_norm, seed
        self._bfloat16 = uses_bfloat16(precision, world.device)
        self._settle()

    def run(self, step: int, batches: Sequence[Batch], target_tokens: int, flags: Sequence[bool]) -> StepResult:
        """Update the weights; nothing is updated when the loss or gradient is not finite anywhere.

        Args:
            step: Number of the step; with seed and rank it alone decides what dropout drops.
            batches: This process's part of the global batch, in pieces that fit the device; may be empty.
            target_tokens: Target tokens of the whole global batch, on all processes.
            flags: Raised by this process; the result has those raised by any.
        """
        with self._world.exchanging():
            return self._run(step, batches, target_tokens, flags)

    def _run(self, step: int, batches: Sequence[Batch], target_tokens: int, flags: Sequence[bool]) -> StepResult:
        """The device is asked for nothing before it has all that it has to do for the step."""
        torch.manual_seed(dropout_seed(self._seed, step, self._world.rank))
        sums = self._accumulate(batches, self._world.size / target_tokens)
        norm = self._cut_gradient()
        is_bad = ~(torch.isfinite(norm) & torch.isfinite(sums).all())
        raised = torch.tensor(flags, dtype=torch.float64, device=sums.device)
        shared = self._world.sum(torch.cat([sums, is_bad.double().unsqueeze(0), raised]))
        self._optimizer.step(shared[len(sums)] > 0)
        self._optimizer.zero_grad(set_to_none=True)
        gradient_norm, loss, nll, auxiliary, bad, *seen = torch.cat([norm.double().unsqueeze(0), shared]).tolist()
        return StepResult(loss, nll, auxiliary, gradient_norm, not bad, tuple(flag > 0 for flag in seen))

    def _accumulate(self, batches: Sequence[Batch], scale: float) -> Tensor:
        """Gradients of all pieces, shared between processes with the last one; sums of the losses."""
        sums = torch.zeros(3, dtype=torch.float64, device=self._world.device)
        pieces = self._pieces(batches)
        for i, batch in enumerate(pieces):
            with named_shortage(batch, self._passes), self._unshared(is_last=i == len(pieces) - 1):
                losses = self._losses(batch)
                (losses[0] * scale).backward()  # type: ignore[no-untyped-call]
            sums += torch.stack([loss.detach() for loss in losses])
        return sums

    def _pieces(self, batches: Sequence[Batch]) -> list[Batch]:
        """What is computed: at least one piece, and as many as elsewhere, where layers are gathered for each."""
        least = self._world.most(max(len(batches), 1)) if self._world.sharding else 1
        return [*batches, *[self._idle] * (least - len(batches))]

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """What is minimised, cross-entropy and auxiliary loss, as `StepResult` has them."""
        device = self._world.device
        batch = batch.to(device, non_blocking=True)
        seen = batch.twice() if self._passes > 1 else batch
        with torch.autocast(device.type, torch.bfloat16, enabled=self._bfloat16):
            found: tuple[Tensor, Tensor, Tensor] = self._parallel(
                seen.source_BS, seen.source_lengths_B, seen.target_in_BT, batch.target_out_BT, seen.guidance_BTS
            )
        return found

    def _unshared(self, *, is_last: bool) -> contextlib.AbstractContextManager[None]:
        """Where gradients are not exchanged yet; sharded ones always are, or whole ones would have to be kept."""
        if isinstance(self._parallel, FSDPModule):
            self._parallel.set_requires_all_reduce(is_last)  # between groups once suffices
        if is_last or not isinstance(self._parallel, DistributedDataParallel):
            return contextlib.nullcontext()
        return self._parallel.no_sync()

    def _cut_gradient(self) -> Tensor:
        norm = nn.utils.get_total_norm([w.grad for w in self._weights if w.grad is not None], foreach=True)
        norm = whole(norm)
        if self._clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self._weights, self._clip_norm, norm, foreach=True)
        return norm

    def _settle(self) -> None:
        """Let DDP arrange its buckets before the first real step.

        It does so after its first backward pass, by the order in which gradients came. Sums over three or more
        processes depend on that arrangement in their last bits, so it has to be the same after a resume.
        """
        if isinstance(self._parallel, DistributedDataParallel):
            for _ in range(2):
                self._accumulate([], 1.0)
            self._optimizer.zero_grad(set_to_none=True)


def uses_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether forward passes run in bfloat16: if asked for, or by `auto` where the device computes in it natively."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bfloat16"


def dropout_seed(seed: int, step: int, rank: int) -> int:
    """64 well-mixed bits, so that a resumed step drops what it would have dropped undisturbed."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0])
