"""A model and the rules of its training in; its weights, their running average and what the rules remember, out.

A checkpoint's weights are those that are judged and used, under their usual names. With a running average they are its
own, and where small matrices learn (LoRA) these are added. What is trained stands with the optimizer's memory then, as
`weight/<name>`.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
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
from seq2seq_core.training.processes.distributed import World
from seq2seq_core.training.processes.sharding import whole

_WEIGHT, _AVERAGE = "weight/", "average/"
_NOWHERE = torch.device("meta")


@dataclass(frozen=True)
class Learner:
    """All that changes while a run trains.

    Attributes:
        model: What is trained.
        average: The running average of its weights, where there is one.
        plain: A model as the run's configuration has it, where another one is trained, or the weights of that are
            spread over processes; it takes memory while it is judged alone, then.
        world: The processes that train it.
    """

    model: Seq2Seq
    optimizer: Optimizers
    average: RunningAverage | None
    plain: Seq2Seq | None
    world: World

    @property
    def outline(self) -> Seq2Seq:
        """A model as the run's configuration has it, whatever its weights are."""
        return self.plain or self.model

    @contextlib.contextmanager
    def judging(self) -> Iterator[Seq2Seq]:
        """The model that is validated and becomes best/ and last/, with its weights of now; all processes call this."""
        if self.plain is None:
            yield self._followed
            return
        is_spread = self.world.sharding is not None
        if is_spread:
            self.plain.to_empty(device=self.world.device)
        self.plain.load_state_dict({name: whole(weight) for name, weight in self._judged().items()})
        try:
            yield self.plain
        finally:
            if is_spread:
                self.plain.to(_NOWHERE)

    def begin(self, initialize: Callable[[Seq2Seq], None]) -> None:
        """Begin with weights that are put into a model as the configuration has it; all processes call this."""
        if self.plain is None:
            initialize(self.model)
            return
        with self.judging() as model:
            initialize(model)
            lora.take(self.model, model.state_dict())

    def follow(self) -> None:
        """Take an update of the weights into their average."""
        if self.average is not None:
            self.average.update(self.model)

    def files(self) -> dict[str, dict[str, Tensor]]:
        """The tensors of a checkpoint by its files (not copied); this process's parts of those that are spread."""
        memory = state_tensors(self.optimizer, self.model)
        if self.average is not None or lora.is_adapted(self.model):
            memory |= _named(_WEIGHT, self.model)
        if self.average is not None and lora.is_adapted(self.model):
            memory |= _named(_AVERAGE, self.average.model)
        return {MODEL_FILE: self._judged(), OPTIMIZER_FILE: memory}

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

    @property
    def _followed(self) -> Seq2Seq:
        return self.average.model if self.average else self.model

    def _judged(self) -> dict[str, Tensor]:
        """The weights that are judged, by their usual names."""
        found = self._followed
        return lora.merged(found) if lora.is_adapted(found) else dict(found.state_dict())


def build_learner(config: TrainConfig, model: Seq2Seq, world: World) -> Learner:
    """The learner of a run that trains this model; of a sharded one this process keeps its parts.

    Raises:
        ConfigError: A pattern of the configuration means no weight; or there is nothing that LoRA could adapt.
    """
    plain = copy.deepcopy(model) if config.lora.rank or world.sharding else None
    if config.lora.rank:
        if config.initialize_from is None:
            raise ConfigError(
                "LoRA adapts a model that has learned",
                where="lora.rank",
                found=config.lora.rank,
                advice="Name the model's folder in initialize_from.",
            )
        lora.adapt(model, config.lora)
    average = RunningAverage(model, config.ema_decay) if config.ema_decay else None
    if world.sharding is not None:
        for one in (model, *([average.model] if average else [])):
            world.sharding.shard(one)
    if plain is not None and world.sharding is not None:
        plain.to(_NOWHERE)
    return Learner(model, build_optimizer(config.optimizer, model), average, plain, world)


def _named(kind: str, model: Seq2Seq) -> dict[str, Tensor]:
    return {f"{kind}{name}": weight for name, weight in model.state_dict().items()}


def _taken(kind: str, memory: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a kind by their names, taken out of the others."""
    return {name.removeprefix(kind): memory.pop(name) for name in [*memory] if name.startswith(kind)}
