"""A model and the rules of its training in; its weights, their running average and what the rules remember, out.

A checkpoint's weights are those that are judged and used, under their usual names. With a running average they are its
own, and where small matrices learn (LoRA) these are added. What is trained stands with the optimizer's memory then, as
`weight/<name>`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor

from seq2seq_core.errors import ConfigError
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.training.checkpoints.checkpoint import MODEL_FILE, OPTIMIZER_FILE
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.optimization import lora
from seq2seq_core.training.optimization.optimizer import (
    Optimizers,
    build_optimizer,
    load_state_tensors,
    state_tensors,
)
from seq2seq_core.training.optimization.running_average import RunningAverage

_WEIGHT, _AVERAGE = "weight/", "average/"


@dataclass(frozen=True)
class Learner:
    """All that changes while a run trains.

    Attributes:
        model: What is trained.
        average: The running average of its weights, where there is one.
        plain: A model as the run's configuration has it, where another one is trained.
    """

    model: Seq2Seq
    optimizer: Optimizers
    average: RunningAverage | None
    plain: Seq2Seq | None

    @property
    def judged(self) -> Seq2Seq:
        """The model that is validated and becomes best/ and last/, with its weights of now."""
        found = self.average.model if self.average else self.model
        if self.plain is None:
            return found
        self.plain.load_state_dict(lora.merged(found))
        return self.plain

    def begin(self, initialize: Callable[[Seq2Seq], None]) -> None:
        """Begin with weights that are put into a model as the configuration has it."""
        initialize(self.plain or self.model)
        if self.plain is not None:
            lora.take(self.model, self.plain.state_dict())

    def follow(self) -> None:
        """Take an update of the weights into their average."""
        if self.average is not None:
            self.average.update(self.model)

    def files(self) -> dict[str, dict[str, Tensor]]:
        """The tensors of a checkpoint by its files (not copied)."""
        memory = state_tensors(self.optimizer, self.model)
        if self.average is not None or self.plain is not None:
            memory |= _named(_WEIGHT, self.model)
        if self.average is not None and self.plain is not None:
            memory |= _named(_AVERAGE, self.average.model)
        return {MODEL_FILE: dict(self.judged.state_dict()), OPTIMIZER_FILE: memory}

    def load(self, read: Callable[[str], Iterable[tuple[str, Tensor]]], updates: int) -> None:
        """Put back what `files` gave after so many updates; `read` gives the tensors of a file.

        Raises:
            CheckpointError: See `load_state_tensors`.
        """
        weights, memory = dict(read(MODEL_FILE)), dict(read(OPTIMIZER_FILE))
        averages = _taken(_AVERAGE, memory) or weights
        self.model.load_state_dict(_taken(_WEIGHT, memory) or weights)
        if self.average is not None:
            self.average.load(averages, updates)
        load_state_tensors(self.optimizer, self.model, memory)


def build_learner(config: TrainConfig, model: Seq2Seq) -> Learner:
    """The learner of a run that trains this model.

    Raises:
        ConfigError: A pattern of the configuration means no weight; or there is nothing that LoRA could adapt.
    """
    plain = None
    if config.lora.rank:
        if config.initialize_from is None:
            raise ConfigError(
                "LoRA adapts a model that has learned",
                where="lora.rank",
                found=config.lora.rank,
                advice="Name the model's folder in initialize_from.",
            )
        plain = copy.deepcopy(model)
        lora.adapt(model, config.lora)
    average = RunningAverage(model, config.ema_decay) if config.ema_decay else None
    return Learner(model, build_optimizer(config.optimizer, model), average, plain)


def _named(kind: str, model: Seq2Seq) -> dict[str, Tensor]:
    return {f"{kind}{name}": weight for name, weight in model.state_dict().items()}


def _taken(kind: str, memory: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a kind by their names, taken out of the others."""
    return {name.removeprefix(kind): memory.pop(name) for name in [*memory] if name.startswith(kind)}
