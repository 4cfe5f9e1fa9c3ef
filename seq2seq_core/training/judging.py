"""A run between two steps in; whether a validation is due, what it finds, and what follows for best/ and state, out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seq2seq_core import storage
from seq2seq_core.data.loader import GlobalStep
from seq2seq_core.errors import TrainingError
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.training.agreement import LeftError, Stopped, together
from seq2seq_core.training.checkpoints.checkpoint import Checkpoints, Retention
from seq2seq_core.training.checkpoints.run_state import RunState, Validation
from seq2seq_core.training.clock import Clock
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.exporter import Exporter
from seq2seq_core.training.learner import Learner
from seq2seq_core.training.processes.distributed import World
from seq2seq_core.training.recorders import Recorder
from seq2seq_core.training.validate import FAILURES, Validator

_MOST_TRIES = 2

logger = logging.getLogger(__name__)


def retention(config: TrainConfig, state: RunState) -> Retention:
    """Which checkpoints stay, by the validations so far."""
    judge = config.validation.judge
    scores = {validation.step: validation.score(judge) for validation in state.validations}
    return Retention(config.checkpoints.keep_last, config.checkpoints.keep_best, scores)


def outputs_url(run: str, step: int) -> str:
    """Where what a validation makes of the split is kept, a line a row."""
    return storage.join(run, "validations", f"step-{step:08d}.txt")


@dataclass(frozen=True)
class Judging:
    """The validations of a run.

    Attributes:
        learner: Whose model is judged, and becomes best/ where it is the best so far.
        validator: None where the dataset has nothing to validate on.
        check: Raises where the run folder is the run's no more.
        recorders: Those of this process.
    """

    config: TrainConfig
    world: World
    learner: Learner
    validator: Validator | None
    checkpoints: Checkpoints
    exporter: Exporter
    check: Callable[[], None]
    recorders: Sequence[Recorder]
    clock: Clock

    def has_lost_patience(self, state: RunState) -> bool:
        """Whether too many validations brought no new best."""
        patience = self.config.validation.patience
        return patience is not None and state.since_best(self.config.validation.judge) >= patience

    def is_due(self, state: RunState, following: GlobalStep, *, ends: bool) -> bool:
        """Whether the step that is done is to be validated; `ends`: it is the last one."""
        config = self.config.validation
        is_done = any(validation.step == state.step for validation in state.validations)
        if self.validator is None or state.step == 0 or is_done:
            return False
        epoch_ended = following.epoch > state.epoch
        by_epoch = config.every_epochs is not None and epoch_ended and following.epoch % config.every_epochs == 0
        by_step = config.every_steps is not None and state.step % config.every_steps == 0
        return (ends or by_epoch or by_step) and not self._is_hopeless(state)

    def judged(self, state: RunState) -> RunState:
        """Look at the validation split, and refresh best/ where the model is the best so far.

        Raises:
            Stopped: A stop signal came; all leave.
            TrainingError: The validation failed, here or elsewhere.
        """
        if self.validator is None:
            return state
        began = time.monotonic()
        with self.learner.judging() as model:
            validation = self._validated(self.validator, model, state)
            validations = (*state.validations, validation)
            seconds = self.clock.seconds()
            state = state.model_copy(update={"validations": validations, "failed_validations": (), "seconds": seconds})
            together(self.world, lambda: self._publish(model, state, validation))
        self.clock.leave_out(began)
        return state

    def _validated(self, validator: Validator, model: Seq2Seq, state: RunState) -> Validation:
        try:
            return validator.run(model, state.step, state.epoch)
        except (LeftError, Stopped):
            raise
        except FAILURES as error:
            raise self._failed(state, error) from error

    def _is_hopeless(self, state: RunState) -> bool:
        """Whether the validation of this step has failed so often that the run goes on without it."""
        tries = state.failed_validations.count(self.config.validation.max_batch_tokens)
        if tries >= _MOST_TRIES:
            logger.warning("step %d is not validated: that failed %d times", state.step, tries)
        return tries >= _MOST_TRIES

    def _publish(self, model: Seq2Seq, state: RunState, validation: Validation) -> None:
        """Rows and model first, then the marker: whoever is killed in between validates again, and writes the same."""
        for recorder in self.recorders:
            recorder.validation(validation, self.clock.seconds())
        if not self.world.is_main:
            return
        if self.validator is not None and self.validator.outputs:
            lines = "".join(" ".join(text.splitlines()) + "\n" for text in self.validator.outputs)
            self.check()
            storage.publish_text(outputs_url(self.config.output, state.step), lines)
        if state.best(self.config.validation.judge) is validation:
            self.check()
            self.exporter.export("best", model, state.step, validation, drawn=state.drawn)
        self.checkpoints.record(state, retention(self.config, state))

    def _failed(self, state: RunState, error: BaseException) -> TrainingError:
        """Note that the validation failed, so that it does not end every further run as well."""
        tokens = self.config.validation.max_batch_tokens
        failed = (*state.failed_validations, tokens)
        if self.world.is_main:
            noted = state.model_copy(update={"failed_validations": failed})
            self.checkpoints.record(noted, retention(self.config, state))
            self.checkpoints.wait()
        last = failed.count(tokens) >= _MOST_TRIES
        return TrainingError(
            "the validation failed",
            where=f"step {state.step}",
            found=str(error).partition("\n")[0] or type(error).__name__,
            advice="The step is saved. Lower validation.max_batch_tokens if memory was short. The same command "
            + ("goes on without this validation." if last else "tries it once more."),
        )
