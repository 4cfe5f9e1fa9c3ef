"""A model and the rules of its training in; its weights, their running average and what the rules remember, out.

A checkpoint's weights are those that are judged and used: with a running average, its own. Those that are trained stand
with the optimizer's memory then, as `weight/<name>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor

from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.training.checkpoints.checkpoint import MODEL_FILE, OPTIMIZER_FILE
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.optimization.optimizer import (
    Optimizers,
    build_optimizer,
    load_state_tensors,
    state_tensors,
)
from seq2seq_core.training.optimization.running_average import RunningAverage

_WEIGHT = "weight/"


@dataclass(frozen=True)
class Learner:
    """All that changes while a run trains.

    Attributes:
        model: What is trained.
        average: The running average of its weights, where there is one.
    """

    model: Seq2Seq
    optimizer: Optimizers
    average: RunningAverage | None

    @property
    def judged(self) -> Seq2Seq:
        """The model that is validated and becomes best/ and last/."""
        return self.average.model if self.average else self.model

    def follow(self) -> None:
        """Take an update of the weights into their average."""
        if self.average is not None:
            self.average.update(self.model)

    def files(self) -> dict[str, dict[str, Tensor]]:
        """The tensors of a checkpoint by its files (not copied)."""
        memory = state_tensors(self.optimizer, self.model)
        if self.average is not None:
            memory |= {f"{_WEIGHT}{name}": weight for name, weight in self.model.state_dict().items()}
        return {MODEL_FILE: dict(self.judged.state_dict()), OPTIMIZER_FILE: memory}

    def load(self, read: Callable[[str], Iterable[tuple[str, Tensor]]], updates: int) -> None:
        """Put back what `files` gave after so many updates; `read` gives the tensors of a file.

        Raises:
            CheckpointError: See `load_state_tensors`.
        """
        weights, memory = dict(read(MODEL_FILE)), dict(read(OPTIMIZER_FILE))
        if self.average is not None:
            self.average.load(weights, updates)
            weights = {name.removeprefix(_WEIGHT): memory.pop(name) for name in [*memory] if name.startswith(_WEIGHT)}
        self.model.load_state_dict(weights)
        load_state_tensors(self.optimizer, self.model, memory)


def build_learner(config: TrainConfig, model: Seq2Seq) -> Learner:
    """The learner of a run that trains this model."""
    average = RunningAverage(model, config.ema_decay) if config.ema_decay else None
    return Learner(model, build_optimizer(config.optimizer, model), average)
