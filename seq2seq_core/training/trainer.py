"""A configuration in, a run folder with checkpoints, metrics and the models best/ and last/ out.

output/config.yaml        the resolved configuration
       metrics.jsonl      a row for each report and validation
       tensorboard/       the same as curves
       checkpoints/       see `training.checkpoint`
       best/ last/        model folders; best/ is there from the first validation on
       .claim/            whose the folder is, while a run is at work
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import Literal

from seq2seq_core import storage
from seq2seq_core.config import to_yaml
from seq2seq_core.data.batch import idle_batch
from seq2seq_core.data.loader import GlobalStep
from seq2seq_core.errors import Seq2SeqError, TrainingError
from seq2seq_core.training.agreement import LeftError, Stopped, together
from seq2seq_core.training.checkpoints.checkpoint import MODEL_FILE, OPTIMIZER_FILE, Checkpoints, Retention
from seq2seq_core.training.checkpoints.identity import identity_digest
from seq2seq_core.training.checkpoints.run_state import RunState, Validation, Window
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.finish import Final, Finisher
from seq2seq_core.training.opening import Opened, open_run
from seq2seq_core.training.optimization.optimizer import build_optimizer, set_learning_rate, state_tensors
from seq2seq_core.training.optimization.schedule import rate_factor
from seq2seq_core.training.optimization.step import Stepper, StepResult
from seq2seq_core.training.ownership import CONFIG_NAME, Ownership, owned
from seq2seq_core.training.processes.distributed import World, joined
from seq2seq_core.training.processes.stop import STOP_SIGNALS, StopFlag
from seq2seq_core.training.recorders import Recorder, TrainReport, build_recorders
from seq2seq_core.training.resume import begin
from seq2seq_core.training.telling import Told, telling_recorders
from seq2seq_core.training.validate import FAILURES, build_validator

Reason = Literal["max_steps", "max_epochs", "max_minutes", "patience", "signal"]

_MOST_TRIES = 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        output: URL of the run folder.
        state: Where it stands; `state.validations` is the whole history.
        reason: Why it ended; after "signal" the same configuration carries on from there.
        stopped_by: Number of the signal, or None.
        final: What best/ holds; None after a signal.
    """

    output: str
    state: RunState
    reason: Reason
    stopped_by: int | None
    final: Final | None


def train(config: TrainConfig) -> TrainResult:
    """Train until a limit, lost patience or a stop signal; carries on where the output folder has checkpoints.

    Under torchrun every process calls this.

    Raises:
        ConfigError: The configuration does not fit the dataset, the devices or the output folder.
        DatasetError: The dataset is missing or damaged.
        CheckpointError: The output folder belongs to another run, or its checkpoint is damaged.
        ClaimError: Another run is at work in the output folder.
        StorageError: Something cannot be written there.
        TrainingError: Losses stayed non-finite, or a validation failed.
    """
    with joined(config.device) as world, StopFlag().listening() as stop:
        return _run(config, world, stop)  # the trainer has to be gone when the world is left


def _run(config: TrainConfig, world: World, stop: StopFlag) -> TrainResult:
    opened = open_run(config, world)
    try:
        with (
            owned(config.output, identity_digest(opened.identity), world, stop) as ownership,
            contextlib.closing(Trainer(opened.config, world, stop, opened, ownership)) as trainer,
        ):
            return trainer.run()
    except Stopped as stopped:
        logger.info("stopped by a signal before training began")
        return TrainResult(config.output, RunState(), "signal", stopped.number, None)


class Trainer:
    """One process's part in a run."""

    def __init__(self, config: TrainConfig, world: World, stop: StopFlag, opened: Opened, ownership: Ownership) -> None:
        self._config, self._world, self._stop = config, world, stop
        self._opened, self._ownership = opened, ownership
        self._dataset, self._model = opened.materials.dataset, opened.materials.model
        root = storage.join(config.output, "checkpoints")
        self._checkpoints = Checkpoints(root, opened.identity, ownership.check)
        self._optimizer = build_optimizer(config.optimizer, self._model)
        self._state = begin(config, world, opened, self._checkpoints, self._optimizer)
        self._stepper = Stepper(
            self._model,
            self._optimizer,
            world,
            idle_batch(self._dataset.manifest.sides["source"]),
            smoothing=config.label_smoothing,
            clip_norm=config.optimizer.clip_norm,
            precision=config.precision,
            seed=config.seed,
        )
        self._validator = together(world, lambda: build_validator(config.validation, self._dataset, world, stop))
        self._recorders = together(world, self._opened_recorders)
        self._failure: Seq2SeqError | None = None
        self._fails = False
        self._saved_step = self._first_step = self._state.step
        self._stopped_by: int | None = None
        self._earlier_seconds = self._state.seconds
        self._began = self._window_began = time.monotonic()
        self._tokens_before = self._state.window.tokens  # of a window that was begun before this process
        self._time_is_up: bool = world.agree(self._is_late())

    def run(self) -> TrainResult:
        """Train to an end, then make the final models, unless a signal ended it."""
        reason = self._train()
        self._settle()
        if reason == "signal":
            return self._stopped()
        if self._state.ended is None:
            logger.info("training ends after step %d: %s", self._state.step, reason)
        try:
            final, self._state = self._finisher().finish(self._state, self._retention())
        except Stopped as stopped:
            self._stopped_by = stopped.number
            return self._stopped()
        return TrainResult(self._config.output, self._state, reason, None, final)

    def close(self) -> None:
        """End what writes in the background."""
        try:
            for recorder in self._recorders:
                recorder.close()
        finally:
            self._checkpoints.close()

    def _stopped(self) -> TrainResult:
        logger.info("stopped by a signal after step %d; the same command carries on", self._state.step)
        return TrainResult(self._config.output, self._state, "signal", self._stopped_by, None)

    def _finisher(self) -> Finisher:
        return Finisher(
            self._config,
            self._world,
            self._model,
            self._checkpoints,
            self._validator,
            self._opened.exporter,
            self._opened.identity,
            self._ownership.check,
        )

    def _opened_recorders(self) -> list[Recorder]:
        if not self._world.is_main:
            return []
        config = self._config
        storage.publish_text(storage.join(config.output, CONFIG_NAME), to_yaml(config))
        weights = sum(weight.numel() for weight in self._model.parameters())
        family, rows = config.model.family, self._dataset.split("train").rows
        size, device = self._world.size, self._world.device.type
        logger.info("%s with %d weights | %d rows | %d processes on %s", family, weights, rows, size, device)
        steps, told = config.limits.max_steps, Told(self._ownership.tell, self._opened.loader.waited)
        recorders = build_recorders(config.output, self._state, steps, tensorboard=config.tensorboard)
        return [*recorders, *telling_recorders(self._state.step, steps, told)]

    def _train(self) -> Reason:
        with contextlib.closing(self._opened.loader.steps(self._state.position, self._state.start)) as batches:
            for batch in batches:
                reason = self._between(batch)
                if reason is not None:
                    return reason
                self._step(batch)
        raise TrainingError("the stream of batches ended", where=storage.redact(self._config.dataset))

    def _between(self, following: GlobalStep) -> Reason | None:
        """Everything that is due after the last step and before the following; why to stop, if so.

        What is done is saved before the validation looks at it: that may take long, and die.
        """
        if self._fails:
            self._settle()
        self._state = self._state.model_copy(update={"start": following.start})
        reason = self._reason_to_stop(following)
        is_due = reason != "signal" and self._validation_is_due(following, ends=reason is not None)
        by_step = self._state.step % self._config.checkpoints.every_steps == 0
        if self._state.step != self._saved_step and (reason is not None or is_due or by_step):
            self._save()
        if is_due and not self._validate():
            return "signal"
        return reason or self._lost_patience()

    def _step(self, batch: GlobalStep) -> None:
        step = self._state.step + 1
        rate = self._config.optimizer.learning_rate * rate_factor(self._config.schedule, step)
        set_learning_rate(self._optimizer, rate)
        fails = self._failure is not None or self._checkpoints.has_failed
        mine = [self._world.is_main and self._is_late(), fails, *(self._stop.received == s for s in STOP_SIGNALS)]
        result = self._stepper.run(step, batch.micro_batches, batch.target_tokens, mine)
        self._time_is_up, self._fails, *signals = result.flags
        self._stopped_by = next((s for s, seen in zip(STOP_SIGNALS, signals, strict=True) if seen), None)
        self._state = self._advanced(batch, result)
        for recorder in self._recorders:
            recorder.step(step)
        if step % self._config.report_every_steps == 0:
            self._report(rate)

    def _settle(self) -> None:
        """Return when all that the main process writes is written; what it ran into is raised on every process."""
        together(self._world, self._raise_failure)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._checkpoints.wait()

    def _advanced(self, batch: GlobalStep, result: StepResult) -> RunState:
        """The state after a step.

        Raises:
            TrainingError: Too many steps in a row had no update.
        """
        state, tokens = self._state, batch.target_tokens
        place = {"step": state.step + 1, "position": batch.position + 1, "epoch": batch.epoch}
        now = {**place, "failed_validations": (), "ended": None}
        if result.updated:
            window = state.window.plus(result.loss, result.nll, result.gradient_norm, tokens, result.auxiliary)
            return state.model_copy(update={**now, "window": window, "skipped_in_a_row": 0})
        in_a_row, most = state.skipped_in_a_row + 1, self._config.max_skipped_in_a_row
        found = f"loss {result.loss / tokens:.4g} a token, gradient norm {result.gradient_norm:.4g}"
        logger.warning("step %d is skipped, its values are not finite: %s", now["step"], found)
        if in_a_row > most:
            raise TrainingError(
                f"{in_a_row} steps in a row gave non-finite losses or gradients",
                where=f"step {now['step']}",
                found=found,
                expected=f"at most {most} in a row",
                advice="Lower optimizer.learning_rate, lengthen schedule.warmup_steps, or set precision to float32.",
            )
        skips = {"skipped": state.skipped + 1, "skipped_in_a_row": in_a_row}
        return state.model_copy(update={**now, **skips})

    def _reason_to_stop(self, following: GlobalStep) -> Reason | None:
        limits = self._config.limits
        if self._stopped_by is not None:
            return "signal"
        if limits.max_steps is not None and self._state.step >= limits.max_steps:
            return "max_steps"
        if limits.max_epochs is not None and following.epoch >= limits.max_epochs:
            return "max_epochs"
        return "max_minutes" if self._time_is_up else None

    def _lost_patience(self) -> Reason | None:
        patience = self._config.validation.patience
        stale = self._state.since_best(self._config.validation.judge)
        return "patience" if patience is not None and stale >= patience else None

    def _validation_is_due(self, following: GlobalStep, *, ends: bool) -> bool:
        state, config = self._state, self._config.validation
        is_done = any(validation.step == state.step for validation in state.validations)
        if self._validator is None or state.step == 0 or is_done:
            return False
        epoch_ended = following.epoch > state.epoch
        by_epoch = config.every_epochs is not None and epoch_ended and following.epoch % config.every_epochs == 0
        by_step = config.every_steps is not None and state.step % config.every_steps == 0
        return (ends or by_epoch or by_step) and not self._is_hopeless()

    def _is_hopeless(self) -> bool:
        """Whether the validation of this step has failed so often that the run goes on without it."""
        tries = self._state.failed_validations.count(self._config.validation.max_batch_tokens)
        if tries >= _MOST_TRIES:
            logger.warning("step %d is not validated: that failed %d times", self._state.step, tries)
        return tries >= _MOST_TRIES

    def _validate(self) -> bool:
        """Look at the validation split, and refresh best/ where the model is the best so far; False after a signal."""
        if self._validator is None:
            return True
        began = time.monotonic()
        try:
            validation = self._validator.run(self._model, self._state.step, self._state.epoch)
        except Stopped as stopped:
            self._stopped_by = stopped.number
            return False
        except LeftError:
            raise
        except FAILURES as error:
            raise self._failed(error) from error
        validations = (*self._state.validations, validation)
        self._state = self._state.model_copy(update={"validations": validations, "failed_validations": ()})
        self._state = self._state.model_copy(update={"seconds": self._seconds()})
        together(self._world, lambda: self._publish_validation(validation))
        self._window_began += time.monotonic() - began
        return True

    def _publish_validation(self, validation: Validation) -> None:
        """Rows and model first, then the marker: whoever is killed in between validates again, and writes the same."""
        for recorder in self._recorders:
            recorder.validation(validation, self._seconds())
        if not self._world.is_main:
            return
        if self._state.best(self._config.validation.judge) is validation:
            self._ownership.check()
            self._opened.exporter.export("best", self._state.step, validation)
        self._checkpoints.record(self._state, self._retention())

    def _failed(self, error: BaseException) -> TrainingError:
        """Note that the validation failed, so that it does not end every further run as well."""
        tokens = self._config.validation.max_batch_tokens
        failed = (*self._state.failed_validations, tokens)
        if self._world.is_main:
            self._checkpoints.record(self._state.model_copy(update={"failed_validations": failed}), self._retention())
            self._checkpoints.wait()
        last = failed.count(tokens) >= _MOST_TRIES
        return TrainingError(
            "the validation failed",
            where=f"step {self._state.step}",
            found=str(error).partition("\n")[0] or type(error).__name__,
            advice="The step is saved. Lower validation.max_batch_tokens if memory was short. The same command "
            + ("goes on without this validation." if last else "tries it once more."),
        )

    def _save(self) -> None:
        self._state = self._state.model_copy(update={"seconds": self._seconds()})
        self._saved_step = self._state.step
        together(self._world, self._write)

    def _write(self) -> None:
        if self._world.is_main:
            files = {
                MODEL_FILE: self._model.state_dict(),
                OPTIMIZER_FILE: state_tensors(self._optimizer, self._model),
            }
            self._checkpoints.save(files, self._state, self._retention())

    def _retention(self) -> Retention:
        config, metric = self._config.checkpoints, self._config.validation.judge
        scores = {validation.step: validation.score(metric) for validation in self._state.validations}
        return Retention(config.keep_last, config.keep_best, scores)

    def _report(self, rate: float) -> None:
        state, window, now = self._state, self._state.window, time.monotonic()
        if self._recorders and window.steps:
            report = TrainReport(
                step=state.step,
                position=state.position,
                epoch=state.epoch,
                loss=window.loss / window.tokens,
                nll=window.nll / window.tokens,
                auxiliary=window.auxiliary / window.tokens if self._model.auxiliary_weight else None,
                learning_rate=rate,
                gradient_norm=window.gradient_norm / window.steps,
                tokens_per_second=(window.tokens - self._tokens_before) / (now - self._window_began),
                seconds=self._seconds(),
                seconds_left=self._seconds_left(),
                skipped=state.skipped,
                tokens=window.tokens - self._tokens_before,
            )
            try:
                for recorder in self._recorders:
                    recorder.report(report)
            except Seq2SeqError as error:
                self._failure = error  # the others hear of it with the next step
        self._state = state.model_copy(update={"window": Window()})
        self._window_began, self._tokens_before = now, 0

    def _seconds(self) -> float:
        """Time trained, over all resumptions."""
        return self._earlier_seconds + time.monotonic() - self._began

    def _is_late(self) -> bool:
        minutes = self._config.limits.max_minutes
        return minutes is not None and self._seconds() >= 60 * minutes

    def _seconds_left(self) -> float | None:
        """Until the nearest limit at the pace so far; None where only epochs are limited."""
        limits, steps = self._config.limits, self._state.step - self._first_step
        left = []
        if limits.max_steps is not None and steps:
            left.append((time.monotonic() - self._began) / steps * (limits.max_steps - self._state.step))
        if limits.max_minutes is not None:
            left.append(max(60 * limits.max_minutes - self._seconds(), 0.0))
        return min(left, default=None)
