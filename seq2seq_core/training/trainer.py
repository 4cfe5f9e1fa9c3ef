"""A configuration in, a run folder with checkpoints, metrics and the models best/ and last/ out.

output/config.yaml        the resolved configuration
       metrics.jsonl      a row for each report and validation
       tensorboard/       the same as curves
       checkpoints/       see `training.checkpoint`
       best/ last/        model folders; best/ is there from the first validation on
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import Literal

from seq2seq_core import storage
from seq2seq_core.config import to_yaml
from seq2seq_core.data.columns import TokenColumns
from seq2seq_core.data.loader import GlobalStep, Loader
from seq2seq_core.data.plan import BatchPlan
from seq2seq_core.errors import TrainingError
from seq2seq_core.training.checkpoint import MODEL_FILE, OPTIMIZER_FILE, Checkpoints, Retention
from seq2seq_core.training.config import TrainConfig, identity
from seq2seq_core.training.distributed import World, joined
from seq2seq_core.training.exporter import Exporter
from seq2seq_core.training.finish import Final, Finisher
from seq2seq_core.training.materials import Materials, gather_materials, initialize
from seq2seq_core.training.optimizer import build_optimizer, load_state_tensors, set_learning_rate, state_tensors
from seq2seq_core.training.progress import Progress, Window
from seq2seq_core.training.recorders import Recorder, TrainReport, build_recorders
from seq2seq_core.training.resume import find_resumption
from seq2seq_core.training.schedule import rate_factor
from seq2seq_core.training.step import Stepper, StepResult
from seq2seq_core.training.stop import STOP_SIGNALS, StopFlag
from seq2seq_core.training.validate import build_validator

Reason = Literal["max_steps", "max_epochs", "max_minutes", "patience", "signal"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        output: URL of the run folder.
        progress: Where it stands; `progress.validations` is the whole history.
        reason: Why it ended; after "signal" the same configuration carries on from there.
        stopped_by: Number of the signal, or None.
        final: What best/ holds; None after a signal.
    """

    output: str
    progress: Progress
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
        TrainingError: Losses stayed non-finite.
    """
    with joined(config.device) as world, StopFlag().listening() as stop:
        trainer = Trainer(config, world, stop)
        try:
            return trainer.run()
        finally:
            trainer.close()


class Trainer:
    """One process's part in a run."""

    def __init__(self, config: TrainConfig, world: World, stop: StopFlag) -> None:
        self._config, self._world, self._stop = config, world, stop
        materials = gather_materials(config, world.device)
        self._dataset, self._model = materials.dataset, materials.model
        self._exporter = Exporter(config, materials)
        self._loader = self._opened_loader()
        stream = self._loader.state(0).fingerprint
        self._identity = {**identity(config, self._dataset.manifest.digest), "stream": stream}
        self._checkpoints = Checkpoints(storage.join(config.output, "checkpoints"))
        self._optimizer = build_optimizer(config.optimizer, self._model)
        self._progress = self._resumed() or self._begun(materials)
        self._stepper = Stepper(
            self._model,
            self._optimizer,
            world,
            smoothing=config.label_smoothing,
            clip_norm=config.optimizer.clip_norm,
            precision=config.precision,
            seed=config.seed,
        )
        self._validator = build_validator(config.validation, self._dataset, world)
        self._recorders = self._opened_recorders()
        self._saved_step = self._first_step = self._progress.step
        self._stopped_by: int | None = None
        self._earlier_seconds = self._progress.seconds
        self._began = self._window_began = time.monotonic()
        self._time_is_up: bool = world.agree(self._is_late())

    def run(self) -> TrainResult:
        """Train to an end, then make the final models, unless a signal ended it."""
        reason = self._train()
        self._checkpoints.wait()
        self._world.wait()
        if reason == "signal":
            logger.info("stopped by a signal after step %d; the same command carries on", self._progress.step)
            return TrainResult(self._config.output, self._progress, reason, self._stopped_by, None)
        logger.info("training ends after step %d: %s", self._progress.step, reason)
        finisher = Finisher(self._config, self._world, self._model, self._checkpoints, self._validator, self._exporter)
        final = finisher.finish(self._progress)
        return TrainResult(self._config.output, self._progress, reason, None, final)

    def close(self) -> None:
        """End what writes in the background."""
        for recorder in self._recorders:
            recorder.close()
        self._checkpoints.close()

    def _resumed(self) -> Progress | None:
        """Put back weights and optimizer of the latest checkpoint, if there is one."""
        if self._world.is_main:
            self._checkpoints.sweep()
        self._world.wait()
        marker = find_resumption(self._checkpoints, self._identity, self._config.resume, self._config.output)
        if marker is None:
            return None
        step = marker.progress.step
        self._model.load_state_dict(self._checkpoints.tensors(step, MODEL_FILE))
        load_state_tensors(self._optimizer, self._model, self._checkpoints.tensors(step, OPTIMIZER_FILE))
        logger.info("carrying on after step %d of %s", step, storage.redact(self._config.output))
        return marker.progress

    def _begun(self, materials: Materials) -> Progress:
        if self._config.initialize_from is not None:
            initialize(materials, self._config.initialize_from)
        return Progress()

    def _opened_loader(self) -> Loader:
        columns, config, world = TokenColumns.open(self._dataset, "train"), self._config, self._world
        plan = BatchPlan(columns.lengths, config.data, config.seed, self._dataset.weights("train"))
        if plan.dropped_rows and world.is_main:
            logger.info("%d training rows are longer than data.max_*_tokens and left out", plan.dropped_rows)
        pin = world.device.type == "cuda"
        return Loader(columns, plan, config.loader, rank=world.rank, world=world.size, pin=pin)

    def _opened_recorders(self) -> list[Recorder]:
        if not self._world.is_main:
            return []
        config = self._config
        storage.publish_text(storage.join(config.output, "config.yaml"), to_yaml(config))
        weights = sum(weight.numel() for weight in self._model.parameters())
        logger.info(
            "%s with %d weights | %d rows | %d processes on %s",
            config.model.family,
            weights,
            self._dataset.split("train").rows,
            self._world.size,
            self._world.device.type,
        )
        return build_recorders(
            config.output, self._progress.step, config.limits.max_steps, tensorboard=config.tensorboard
        )

    def _train(self) -> Reason:
        with contextlib.closing(self._loader.steps(self._progress.position)) as batches:
            for batch in batches:
                reason = self._between(batch)
                if reason is not None:
                    return reason
                self._step(batch)
        raise TrainingError("the stream of batches ended", where=storage.redact(self._config.dataset))

    def _between(self, following: GlobalStep) -> Reason | None:
        """Everything that is due after the last step and before the following; why to stop, if so."""
        reason = self._reason_to_stop(following)
        is_due = self._validation_is_due(following, ends=reason is not None)
        if is_due and reason != "signal":
            self._validate()
        reason = reason or self._lost_patience()
        step = self._progress.step
        is_unsaved = step != self._saved_step and (reason or step % self._config.checkpoints.every_steps == 0)
        if is_unsaved or (is_due and reason != "signal"):
            self._save()
        return reason

    def _step(self, batch: GlobalStep) -> None:
        step = self._progress.step + 1
        rate = self._config.optimizer.learning_rate * rate_factor(self._config.schedule, step)
        set_learning_rate(self._optimizer, rate)
        flags = [self._world.is_main and self._is_late(), *(self._stop.received == s for s in STOP_SIGNALS)]
        result = self._stepper.run(step, batch.micro_batches, batch.target_tokens, flags)
        self._time_is_up = result.flags[0]
        self._stopped_by = next((s for s, seen in zip(STOP_SIGNALS, result.flags[1:], strict=True) if seen), None)
        self._progress = self._advanced(batch, result)
        for recorder in self._recorders:
            recorder.step(step)
        if step % self._config.report_every_steps == 0:
            self._report(rate)

    def _advanced(self, batch: GlobalStep, result: StepResult) -> Progress:
        """The progress after a step.

        Raises:
            TrainingError: Too many steps in a row had no update.
        """
        progress, tokens = self._progress, batch.target_tokens
        now = {"step": progress.step + 1, "position": batch.position + 1, "epoch": batch.epoch}
        if result.updated:
            window = progress.window.plus(result.loss, result.nll, result.gradient_norm, tokens)
            return progress.model_copy(update={**now, "window": window, "skipped_in_a_row": 0})
        in_a_row, most = progress.skipped_in_a_row + 1, self._config.max_skipped_in_a_row
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
        skips = {"skipped": progress.skipped + 1, "skipped_in_a_row": in_a_row}
        return progress.model_copy(update={**now, **skips})

    def _reason_to_stop(self, following: GlobalStep) -> Reason | None:
        limits = self._config.limits
        if self._stopped_by is not None:
            return "signal"
        if limits.max_steps is not None and self._progress.step >= limits.max_steps:
            return "max_steps"
        if limits.max_epochs is not None and following.epoch >= limits.max_epochs:
            return "max_epochs"
        return "max_minutes" if self._time_is_up else None

    def _lost_patience(self) -> Reason | None:
        patience = self._config.validation.patience
        stale = self._progress.since_best(self._config.validation.metric)
        return "patience" if patience is not None and stale >= patience else None

    def _validation_is_due(self, following: GlobalStep, *, ends: bool) -> bool:
        progress, config = self._progress, self._config.validation
        is_done = any(validation.step == progress.step for validation in progress.validations)
        if self._validator is None or progress.step == 0 or is_done:
            return False
        epoch_ended = following.epoch > progress.epoch
        by_epoch = config.every_epochs is not None and epoch_ended and following.epoch % config.every_epochs == 0
        by_step = config.every_steps is not None and progress.step % config.every_steps == 0
        return ends or by_epoch or by_step

    def _validate(self) -> None:
        """Look at the validation split, and refresh best/ where the model is the best so far."""
        if self._validator is None:
            return
        began = time.monotonic()
        validation = self._validator.run(self._model, self._progress.step, self._progress.epoch)
        validations = (*self._progress.validations, validation)
        self._progress = self._progress.model_copy(update={"validations": validations})
        for recorder in self._recorders:
            recorder.validation(validation, self._seconds())
        if self._world.is_main and self._progress.best(self._config.validation.metric) is validation:
            self._exporter.export("best", self._progress.step, validation)
        self._window_began += time.monotonic() - began

    def _save(self) -> None:
        self._progress = self._progress.model_copy(update={"seconds": self._seconds()})
        self._saved_step = self._progress.step
        if not self._world.is_main:
            return
        config, metric = self._config.checkpoints, self._config.validation.metric
        files = {
            MODEL_FILE: self._model.state_dict(),
            OPTIMIZER_FILE: state_tensors(self._optimizer, self._model),
        }
        scores = {validation.step: validation.score(metric) for validation in self._progress.validations}
        keep = Retention(config.keep_last, config.keep_best, scores)
        self._checkpoints.save(files, self._progress, self._identity, keep)

    def _report(self, rate: float) -> None:
        progress, window, now = self._progress, self._progress.window, time.monotonic()
        if self._recorders and window.steps:
            report = TrainReport(
                step=progress.step,
                position=progress.position,
                epoch=progress.epoch,
                loss=window.loss / window.tokens,
                nll=window.nll / window.tokens,
                learning_rate=rate,
                gradient_norm=window.gradient_norm / window.steps,
                tokens_per_second=window.tokens / (now - self._window_began),
                seconds=self._seconds(),
                seconds_left=self._seconds_left(),
                skipped=progress.skipped,
            )
            for recorder in self._recorders:
                recorder.report(report)
        self._progress = progress.model_copy(update={"window": Window()})
        self._window_began = now

    def _seconds(self) -> float:
        """Time trained, over all resumptions."""
        return self._earlier_seconds + time.monotonic() - self._began

    def _is_late(self) -> bool:
        minutes = self._config.limits.max_minutes
        return minutes is not None and self._seconds() >= 60 * minutes

    def _seconds_left(self) -> float | None:
        """Until the nearest limit at the pace so far; None where only epochs are limited."""
        limits, steps = self._config.limits, self._progress.step - self._first_step
        left = []
        if limits.max_steps is not None and steps:
            pace = (time.monotonic() - self._began) / steps
            left.append(pace * (limits.max_steps - self._progress.step))
        if limits.max_minutes is not None:
            left.append(max(60 * limits.max_minutes - self._seconds(), 0.0))
        return min(left, default=None)
