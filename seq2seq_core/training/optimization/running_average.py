"""A model that is trained in; the same model with the running average of its weights, for validation and use, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from seq2seq_core.models.interface import Seq2Seq

_FIRST, _SLOWER = 1.0, 10.0


class RunningAverage:
    """The exponential moving average of a model's weights (Polyak and Juditsky 1992; Morales-Brotons et al. 2024).

    After update n, from 0, each weight becomes `d * average + (1 - d) * weight`, d the smaller of `decay` and
    (1 + n) / (10 + n), so that what a model was at its beginning is soon forgotten. Each process has its own copy; all
    have the same updates.

    Args:
        model: What is trained; on its device.
        decay: Share of the average that stays at an update, 0 to 1.
    """

    def __init__(self, model: Seq2Seq, decay: float) -> None:
        self._decay, self._updates = decay, 0
        self._averaged = AveragedModel(model, multi_avg_fn=self._mix)
        self._averaged.requires_grad_(False)

    @property
    def model(self) -> Seq2Seq:
        """The model with the averaged weights."""
        return cast(Seq2Seq, self._averaged.module)

    def update(self, model: Seq2Seq) -> None:
        """Take the weights after one more update in; the first time they are the average."""
        self._averaged.update_parameters(model)
        self._updates += 1

    def load(self, tensors: Mapping[str, Tensor], updates: int) -> None:
        """Put back the averaged weights, after so many updates."""
        self.model.load_state_dict(dict(tensors))
        self._averaged.n_averaged.fill_(updates)
        self._updates = updates

    def _mix(self, averages: Any, weights: Any, updates: Any) -> None:
        decay = min(self._decay, (_FIRST + self._updates) / (_SLOWER + self._updates))
        get_ema_multi_avg_fn(decay)(averages, weights, updates)  # type: ignore[no-untyped-call]
