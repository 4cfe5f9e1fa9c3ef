"""The end of a run in; the better of its best checkpoint and an average as best/, the latest weights as last/, out.

Whoever makes room removes old checkpoints, so the end asks what is there: where one is gone whose weights best/ holds,
best/ stays; else the best of those that are there is taken, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from seq2seq_core import storage
from seq2seq_core.config import to_yaml
from seq2seq_core.errors import ModelError, StorageError
from seq2seq_core.metrics.measures import MEASURES, label_of
from seq2seq_core.models.card import CONFIG_NAME, Lineage, read_card, verify_model
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.training.agreement import LeftError, on_main
from seq2seq_core.training.checkpoints.averaging import averaged, best_steps
from seq2seq_core.training.checkpoints.checkpoint import MODEL_FILE, Checkpoints, Retention
from seq2seq_core.training.checkpoints.run_state import Ended, RunState, Validation
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.exporter import Exporter
from seq2seq_core.training.ownership import MODELS, is_of_run
from seq2seq_core.training.processes.distributed import World
from seq2seq_core.training.validate import FAILURES, Validator

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Final:
    """What best/ holds: the weights of one checkpoint, or of several averaged, and what they reached."""

    steps: tuple[int, ...]
    validation: Validation | None


@dataclass(frozen=True)
class Found:
    """What the run folder has at the end.

    Attributes:
        steps: Those of this run's checkpoints.
        standing: What best/ holds, where it is whole and this run's.
    """

    steps: tuple[int, ...]
    standing: Final | None

    def are_gone(self, steps: Sequence[int]) -> bool:
        """Whether some checkpoints of these steps are there no more."""
        return not set(steps) <= set(self.steps)


@dataclass(frozen=True)
class Finisher:
    """What the end of a run needs; `check` raises where the run folder is the run's no more."""

    config: TrainConfig
    world: World
    model: Seq2Seq
    checkpoints: Checkpoints
    validator: Validator | None
    exporter: Exporter
    identity: Mapping[str, Any]
    check: Callable[[], None]

    def finish(self, state: RunState, retention: Retention) -> tuple[Final, RunState]:
        """Export last/ from the model's present weights, then best/, and note that it is done. All processes take part.

        Nothing is done again where the note stands, the configuration is the same and both models are whole.

        Raises:
            CheckpointError: A checkpoint that is needed is damaged.
            Stopped: A stop signal came meanwhile; the same call does it all again.
        """
        standing: Final | None = on_main(self.world, lambda: self._standing_end(state))
        if standing is not None:
            logger.info("all is done: best/ and last/ stand in %s", storage.redact(self.config.output))
            return standing, state
        final = self._make_end(state)
        return final, on_main(self.world, lambda: self._noted(state, retention))

    def _make_end(self, state: RunState) -> Final:
        latest = next((v for v in state.validations if v.step == state.step), None)
        self._export("last", Final((state.step,), latest), state)
        found: Found = on_main(self.world, lambda: self._found(state))
        single = self._single(state, found)
        final = self._better(single, self._average(state, found))
        if found.are_gone(final.steps) and found.standing and found.standing.steps == final.steps:
            logger.info("best/ stays as it is: the checkpoints that it is made of are gone")
            return final
        if final is single:
            self._load(single.steps)
        self._export("best", final, state)
        return final

    def _standing_end(self, state: RunState) -> Final | None:
        """What best/ holds, where the end of this very run has been made and stands."""
        if state.ended is None or state.ended != self._ended():
            return None
        return self._found(state).standing

    def _noted(self, state: RunState, retention: Retention) -> RunState:
        """The state with the note of an end that has just been made, which its checkpoint gets too."""
        state = state.model_copy(update={"ended": self._ended()})
        if state.step in self.checkpoints.steps():
            self.checkpoints.record(state, retention)
            self.checkpoints.wait()
        return state

    def _ended(self) -> Ended | None:
        """The note of an end that has been made; None where a model is missing or damaged."""
        try:
            models = {name: verify_model(storage.join(self.config.output, name)).digest for name in MODELS}
        except (ModelError, StorageError):
            return None
        anywhere = to_yaml(self.config.model_copy(update={"output": ""}))  # a run folder may be moved
        return Ended(configuration=storage.digest_bytes(anywhere.encode()), **models)

    def _found(self, state: RunState) -> Found:
        steps, url = tuple(self.checkpoints.steps()), storage.join(self.config.output, "best")
        if not storage.exists(storage.join(url, CONFIG_NAME)):
            return Found(steps, None)
        try:
            lineage = read_card(url)[1]
            standing = Final(lineage.averaged_steps or (lineage.step,), _reached(lineage, state))
            if not is_of_run(lineage, self.identity):
                return Found(steps, None)
            if Found(steps, None).are_gone(standing.steps):
                verify_model(url)
        except (ModelError, StorageError) as error:
            logger.warning("best/ cannot be used: %s", error)
            return Found(steps, None)
        return Found(steps, standing)

    def _single(self, state: RunState, found: Found) -> Final:
        """The best of the steps that are there; the latest, which always is, where there was no validation."""
        judge = self.config.validation.judge
        standing = found.standing.steps if found.standing and len(found.standing.steps) == 1 else ()
        best, there = state.best(judge), state.best(judge, {*found.steps, *standing})
        if best is not None and there is not best:
            logger.warning(
                "the checkpoint of step %d, the best, is gone, and best/ is not made of it; %s",
                best.step,
                f"that of step {there.step} is the best that is there" if there else "the latest weights are taken",
            )
        return Final((there.step,), there) if there else Final((state.step,), None)

    def _average(self, state: RunState, found: Found) -> Final | None:
        """Put the mean of several checkpoints into the model and validate it; None where there are not several.

        An average in best/ that can be made no more stands for itself.
        """
        if self.config.checkpoints.average.count < 2:
            return None
        standing = found.standing
        if standing and found.are_gone(standing.steps) and self._is_of_this_end(standing, state):
            return standing
        steps = self._averaged_steps(state, found.steps)
        missing = set(self._averaged_steps(state)) - set(found.steps)
        if missing:
            logger.warning("not averaged, as their checkpoints are gone: steps %s", _listed(missing))
        if len(steps) < 2:
            return None
        self._load(steps)
        logger.info("averaging the checkpoints of steps %s", _listed(steps))
        try:
            validation = self.validator.run(self.model, state.step, state.epoch) if self.validator else None
        except LeftError:
            raise
        except FAILURES as error:
            logger.warning("the average cannot be validated, and is not used: %s", error)
            return None
        return Final(tuple(steps), validation)

    def _averaged_steps(self, state: RunState, there: Sequence[int] | None = None) -> list[int]:
        """The steps to average, of those that are there; without them, of all that were ever there and are known."""
        average = self.config.checkpoints.average
        scores = {v.step: v.score(self.config.validation.judge) for v in state.validations}
        if average.of == "best" and scores:
            return sorted(best_steps(list(scores) if there is None else there, scores, average.count))
        return list(there or ())[-average.count :]

    def _is_of_this_end(self, standing: Final, state: RunState) -> bool:
        """Whether an average is the one that would be made now, if all checkpoints were there."""
        wanted = self._averaged_steps(state)
        is_latest = standing.steps[-1] == state.step
        return len(standing.steps) > 1 and (list(standing.steps) == wanted if wanted else is_latest)

    def _better(self, single: Final, average: Final | None) -> Final:
        """The averaged model where nothing can be compared: it is rarely worse than one checkpoint."""
        if average is None:
            return single
        judge = self.config.validation.judge
        if single.validation is None or average.validation is None:
            return average
        scores = average.validation.score(judge), single.validation.score(judge)
        values = [abs(value) for value, _ in scores]
        logger.info("%s of the average %.4f, of the best checkpoint alone %.4f", label_of(judge), *values)
        return average if scores[0] > scores[1] else single

    def _load(self, steps: Sequence[int]) -> None:
        """Put the mean of some checkpoints into the model: the main process reads them and shares it."""
        on_main(self.world, lambda: self._read(steps))
        self.world.share(self.model.state_dict().values())

    def _read(self, steps: Sequence[int]) -> None:
        self.model.load_state_dict(averaged(self.checkpoints.tensors(step, MODEL_FILE) for step in steps))

    def _export(self, name: Literal["best", "last"], final: Final, state: RunState) -> None:
        averaged_steps, step = final.steps if len(final.steps) > 1 else (), final.steps[-1]

        def export() -> None:
            self.check()
            drawn = state.drawn if step == state.step else self.checkpoints.marker(step).progress.drawn
            self.exporter.export(name, self.model, step, final.validation, averaged_steps, drawn)

        on_main(self.world, export)


def _reached(lineage: Lineage, state: RunState) -> Validation | None:
    """What the weights of a model reached, as its lineage says."""
    known = {name: lineage.metrics[name] for name in MEASURES if name in lineage.metrics}
    if "loss" not in known:
        return None
    return Validation(step=state.step, epoch=state.epoch, seconds=0.0, **known)


def _listed(steps: Sequence[int] | set[int]) -> str:
    return ", ".join(map(str, sorted(steps)))
