"""A configuration in, a run folder with checkpoints, metrics and the models best/ and last/ out.

output/config.yaml        the resolved configuration
       metrics.jsonl      a row for each report and validation
       tensorboard/       the same as curves
       checkpoints/       see `training.checkpoint`
       best/ last/        model folders; best/ is there from the first validation on
       profile/          a trace of some steps, where it is asked for
       validations/       what each validation has made of the split, where that is kept
       lineage.json       what is learned from, and since which step
       .claim/            whose the folder is, while a run is at work
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from seq2seq_core import storage
from seq2seq_core.config import redacted, to_yaml
from seq2seq_core.data.batch import idle_batch
from seq2seq_core.data.loader import GlobalStep
from seq2seq_core.errors import Seq2SeqError, TrainingError
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.training.advance import advanced, counted
from seq2seq_core.training.agreement import Stopped, any_of, together
from seq2seq_core.training.checkpoints.checkpoint import Checkpoints
from seq2seq_core.training.checkpoints.identity import identity_digest
from seq2seq_core.training.checkpoints.run_state import RunState, Window
from seq2seq_core.training.clock import Clock
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.effort import Effort
from seq2seq_core.training.finish import Final, Finisher
from seq2seq_core.training.follower import Follower, Signs
from seq2seq_core.training.judging import Judging, retention
from seq2seq_core.training.learner import build_learner
from seq2seq_core.training.mixing import names_of, shares_told
from seq2seq_core.training.opening import Opened, open_run
from seq2seq_core.training.optimization.optimizer import set_learning_rate
from seq2seq_core.training.optimization.schedule import rate_factor
from seq2seq_core.training.optimization.step import Stepper, uses_bfloat16
from seq2seq_core.training.ownership import CONFIG_NAME, Ownership, owned
from seq2seq_core.training.processes.distributed import World, joined
from seq2seq_core.training.processes.garbage import collected_between
from seq2seq_core.training.processes.stop import STOP_SIGNALS, StopFlag
from seq2seq_core.training.profiling import Profiling
from seq2seq_core.training.recorders import Recorder, build_recorders, report_of
from seq2seq_core.training.resume import begin
from seq2seq_core.training.telling import Told, telling_recorders
from seq2seq_core.training.validate import build_validator
from seq2seq_core.training.wandb_run import wandb_recorders

Reason = Literal["max_steps", "max_epochs", "max_minutes", "patience", "signal"]

_MEET_SECONDS = 0.2

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
    with joined(config.device, config.late_minutes) as world, StopFlag().listening() as stop:
        return _run(config, world, stop)  # the trainer has to be gone when the world is left


def _run(config: TrainConfig, world: World, stop: StopFlag) -> TrainResult:
    opened = open_run(config, world)
    world = world.sharded(config.sharding, bfloat16=uses_bfloat16(config.precision, world.device))
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
        self._checkpoints = Checkpoints(root, opened.identity, ownership.check, world.sharding)
        self._learner = build_learner(config, self._model, world)
        self._state = begin(config, world, opened, self._checkpoints, self._learner)
        self._stepper = Stepper(
            self._model,
            self._learner.optimizer,
            world,
            idle_batch(self._dataset.manifest.sides["source"]),
            objective=config.objective,
            clip_norm=config.optimizer.clip_norm,
            precision=config.precision,
            seed=config.seed,
        )
        self._validator = together(
            world, lambda: build_validator(config.validation, opened.materials.datasets, world, stop)
        )
        self._names = names_of(config.datasets)
        self._recorders = together(world, self._opened_recorders)
        self._profiling = Profiling(config.profile, config.output, ownership.check) if world.is_main else None
        self._failure: Seq2SeqError | None = None
        self._fails = False
        self._saved_step = self._state.step
        self._stopped_by: int | None = None
        follower = Follower(
            config, world, self._dataset, opened.loader, opened.segments, opened.identity, ownership.check
        )
        self._follower, self._state = follower, follower.carried_on(self._state)
        window = self._state.window
        self._clock = Clock(config.limits, self._state.step, self._state.seconds, window.tokens)
        self._time_is_up: bool = world.agree(self._clock.is_late())
        passes, waited = config.objective.passes, opened.loader.waited
        self._effort = Effort(self._learner.outline, passes, waited, config.peak_teraflops)
        self._judging = Judging(
            config,
            world,
            self._learner,
            self._validator,
            self._checkpoints,
            opened.exporter,
            ownership.check,
            self._recorders,
            self._clock,
        )

    def run(self) -> TrainResult:
        """Train to an end, then make the final models, unless a signal ended it."""
        with collected_between(self._config.collect_every_steps) as self._collect:
            reason = self._train()
        self._settle()
        if reason == "signal":
            return self._stopped()
        if self._state.ended is None:
            logger.info("training ends after step %d: %s", self._state.step, reason)
        try:
            with self._learner.judging() as model:
                final, self._state = self._finisher(model).finish(self._state, retention(self._config, self._state))
        except Stopped as stopped:
            self._stopped_by = stopped.number
            return self._stopped()
        return TrainResult(self._config.output, self._state, reason, None, final)

    def close(self) -> None:
        """End what reads and writes in the background."""
        self._follower.close()
        if self._profiling is not None:
            self._profiling.close()
        try:
            for recorder in self._recorders:
                recorder.close()
        finally:
            self._checkpoints.close()

    def _stopped(self) -> TrainResult:
        logger.info("stopped by a signal after step %d; the same command carries on", self._state.step)
        return TrainResult(self._config.output, self._state, "signal", self._stopped_by, None)

    def _finisher(self, model: Seq2Seq) -> Finisher:
        return Finisher(
            self._config,
            self._world,
            model,
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
        family = config.model.family
        rows = sum(dataset.split("train").rows for dataset in self._opened.materials.datasets)
        size, device = self._world.size, self._world.device.type
        logger.info("%s with %d weights | %d rows | %d processes on %s", family, weights, rows, size, device)
        for line in shares_told(self._names, self._opened.segments[0]):
            logger.info("%s", line)
        steps, told = config.limits.max_steps, Told(self._ownership.tell, self._opened.loader.waited)
        recorders = build_recorders(config.output, self._state, steps, tensorboard=config.tensorboard)
        recorders += wandb_recorders(
            config.wandb, config.output, identity_digest(self._opened.identity), redacted(config, set())
        )
        return [*recorders, *telling_recorders(self._state.step, steps, told)]

    def _train(self) -> Reason:
        reason = None
        while reason is None:
            with contextlib.closing(self._opened.loader.steps(self._state.position, self._state.start)) as batches:
                reason = self._until_rows_enter(batches)
            if reason is None:
                self._state = self._follower.entered(self._state)
        return reason

    def _until_rows_enter(self, batches: Iterator[GlobalStep]) -> Reason | None:
        """Train until new rows enter; why to stop, if so."""
        for batch in batches:
            reason = self._between(batch)
            if reason is not None or self._follower.is_due(self._state.step):
                return reason
            self._step(batch)
        raise TrainingError("the stream of batches ended", where=storage.redact(self._config.datasets[0]))

    def _between(self, following: GlobalStep) -> Reason | None:
        """Everything that is due after the last step and before the following; why to stop, if so.

        What is done is saved before the validation looks at it: that may take long, and die.
        """
        if self._fails:
            self._settle()
        reason = self._reason_to_stop(following)
        is_used_up = reason == "max_epochs" and self._follower.may_enter(self._state.step)
        if not is_used_up:
            self._state = self._state.model_copy(update={"start": following.start})
        is_due = reason != "signal" and self._judging.is_due(self._state, following, ends=reason is not None)
        by_step = self._state.step % self._config.checkpoints.every_steps == 0
        if self._state.step != self._saved_step and (reason is not None or is_due or by_step):
            self._save()
        if is_due and not self._validate():
            return "signal"
        lost: Reason | None = "patience" if self._judging.has_lost_patience(self._state) else None
        return (lost or self._wait()) if is_used_up else reason or lost

    def _validate(self) -> bool:
        """Look at the validation split; False after a signal."""
        try:
            self._state = self._judging.judged(self._state)
        except Stopped as stopped:
            self._stopped_by = stopped.number
            return False
        return True

    def _wait(self) -> Reason | None:
        """Return when new rows enter, now that all others are used up; or why to stop."""
        began, step = time.monotonic(), self._state.step
        told, most = False, self._config.following.idle_minutes
        while not self._follower.is_due(step):
            if not told:
                logger.info("all rows are used up after step %d; waiting for a new generation", step)
            told = True
            time.sleep(_MEET_SECONDS)
            is_over = most is not None and time.monotonic() - began >= 60 * most and not self._follower.expects_rows
            *flags, is_idle = any_of(self._world, [*self._flags(), self._world.is_main and is_over])
            self._hear(flags)
            if self._fails:
                self._settle()
            if self._stopped_by is not None:
                return "signal"
            if self._time_is_up or is_idle:
                return "max_minutes" if self._time_is_up else "max_epochs"
        self._clock.leave_out(began)
        return None

    def _step(self, batch: GlobalStep) -> None:
        step = self._state.step + 1
        rate = self._config.optimizer.learning_rate * self._rate_factor(step)
        set_learning_rate(self._learner.optimizer, rate)
        batch = counted(batch, self._config, self._world)
        if self._profiling is not None:
            self._profiling.before(step)
        result = self._stepper.run(step, batch.micro_batches, batch.target_tokens, self._flags())
        self._hear(result.flags)
        if result.updated:
            self._learner.follow()
        self._state = advanced(self._state, batch, result, self._config.max_skipped_in_a_row)
        self._effort.add(batch.micro_batches)
        for recorder in self._recorders:
            recorder.step(step)
        self._collect(step)
        if self._profiling is not None:
            self._try(partial(self._profiling.after, step))
        if step % self._config.report_every_steps == 0:
            self._report(rate)

    def _rate_factor(self, step: int) -> float:
        schedule, judge = self._config.schedule, self._config.validation.judge
        lowered = self._state.plateaus(judge, schedule.plateau_patience) if schedule.kind == "plateau" else 0
        return rate_factor(schedule, step, lowered)

    def _flags(self) -> list[bool]:
        """What this process has to say to the others."""
        fails = self._failure is not None or self._checkpoints.has_failed
        signals = (self._stop.received == s for s in STOP_SIGNALS)
        return [self._world.is_main and self._clock.is_late(), fails, *self._follower.signs(), *signals]

    def _hear(self, flags: Sequence[bool]) -> None:
        """Take what any process has had to say."""
        self._time_is_up, self._fails, news, busy, *signals = flags
        self._follower.hear(Signs(news, busy))
        self._stopped_by = next((s for s, seen in zip(STOP_SIGNALS, signals, strict=True) if seen), None)

    def _settle(self) -> None:
        """Return when all that the main process writes is written; what it ran into is raised on every process."""
        together(self._world, self._raise_failure)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._checkpoints.wait()

    def _reason_to_stop(self, following: GlobalStep) -> Reason | None:
        limits = self._config.limits
        if self._stopped_by is not None:
            return "signal"
        if limits.max_steps is not None and self._state.step >= limits.max_steps:
            return "max_steps"
        if limits.max_epochs is not None and following.epoch >= limits.max_epochs:
            return "max_epochs"
        return "max_minutes" if self._time_is_up else None

    def _save(self) -> None:
        self._state = self._state.model_copy(update={"seconds": self._clock.seconds()})
        self._saved_step = self._state.step
        together(self._world, self._write)

    def _write(self) -> None:
        if self._world.is_main or self._world.sharding:
            self._checkpoints.save(self._learner.files(), self._state, retention(self._config, self._state))

    def _try(self, work: Callable[[], object]) -> None:
        """Do what this process alone does; the others hear of its failure with the next step."""
        try:
            work()
        except Seq2SeqError as error:
            self._failure = error

    def _report(self, rate: float) -> None:
        state = self._state
        if self._recorders and state.window.steps:
            has_auxiliary = bool(self._model.auxiliary_weight or self._config.guided_alignment)
            report = report_of(state, rate, self._clock, self._effort, self._names, has_auxiliary=has_auxiliary)
            for recorder in self._recorders:
                self._try(partial(recorder.report, report))
        self._state = state.model_copy(update={"window": Window()})
        self._clock.begin_window()
        self._effort.begin_window()
