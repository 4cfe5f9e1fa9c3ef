"""A run's batches and waits in; what of its work was padding, waiting and arithmetic since the last report, out.

All of it is of this process; nothing depends on it, and where a run carries on it begins anew.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from typing import Any

import torch

from seq2seq_core.data.batch import Batch
from seq2seq_core.models.interface import Seq2Seq

_A_WEIGHT = 6.0
"""Additions and multiplications for a weight and position: 2 forwards, 4 backwards (Kaplan et al. 2020)."""
_KIBIBYTE = 1024


class Effort:
    """What a process does between two reports.

    Args:
        model: What is trained.
        passes: How often each row is computed.
        waited: Seconds that this process has waited for batches, in all.
        peak_teraflops: What the device can do, where it is known.
    """

    def __init__(
        self, model: Seq2Seq, passes: int, waited: Callable[[], float], peak_teraflops: float | None = None
    ) -> None:
        encoder = set(model.encoder_weights())
        sizes = {name: weight.numel() for name, weight in model.named_parameters() if weight.dim() > 1}
        tables = sum(size for name, size in sizes.items() if name in _looked_up(model))
        source = sum(size for name, size in sizes.items() if name in encoder) - tables
        target = sum(size for name, size in sizes.items() if name not in encoder)
        self._weights = (source * passes / model.subsampling, target * passes)
        self._waited, self._peak = waited, peak_teraflops
        self.begin_window()

    def begin_window(self) -> None:
        """A report was made."""
        self._waited_before = self._waited()
        self._computed = [0, 0]
        self._real = 0

    def add(self, batches: Sequence[Batch]) -> None:
        """A step with these batches."""
        for batch in batches:
            sides = (batch.source_BS.shape[0] * batch.source_BS.shape[1], batch.target_out_BT.numel())
            self._computed = [before + now for before, now in zip(self._computed, sides, strict=True)]
            self._real += int(batch.source_lengths_B.sum()) + batch.target_tokens

    def figures(self, seconds: float) -> dict[str, Any]:
        """What a report tells of so many seconds; shares from 0 to 1.

        padding, data_wait: Shares of the positions, and of the time.
        teraflops: Arithmetic of weights with positions, those of padding not counted, in 10^12 a second.
        utilization: Its share of what the device can do; None where that is not known.
        peak_memory: Most bytes that were in use so far, on the device.
        """
        positions = sum(self._computed)
        real = self._real / positions if positions else 1.0
        work = sum(weights * count for weights, count in zip(self._weights, self._computed, strict=True))
        teraflops = _A_WEIGHT * work * real / seconds / 1e12
        return {
            "padding": 1 - real,
            "data_wait": min((self._waited() - self._waited_before) / seconds, 1.0),
            "teraflops": teraflops,
            "utilization": teraflops / self._peak if self._peak else None,
            "peak_memory": peak_memory(),
        }


def peak_memory() -> int:
    """Most bytes that this process has had in use, of the GPU where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTE


def _looked_up(model: Seq2Seq) -> set[str]:
    """Names of tables of the encoder: their rows are looked up, and cost no arithmetic."""
    tables = {id(part.weight) for part in model.modules() if isinstance(part, torch.nn.Embedding)}
    encoder = set(model.encoder_weights())
    return {name for name, weight in model.named_parameters() if id(weight) in tables and name in encoder}
