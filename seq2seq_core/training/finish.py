"""The end of a run in; the better of its best checkpoint and an average as best/, the latest weights as last/, out."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.training.averaging import averaged, best_steps
from seq2seq_core.training.checkpoint import MODEL_FILE, Checkpoints
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.distributed import World
from seq2seq_core.training.exporter import Exporter
from seq2seq_core.training.progress import Progress, Validation
from seq2seq_core.training.validate import Validator

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Final:
    """What best/ holds: the weights of one checkpoint, or of several averaged, and what they reached."""

    steps: tuple[int, ...]
    validation: Validation | None


@dataclass(frozen=True)
class Finisher:
    """What the end of a run needs. The model leaves it with the weights of best/."""

    config: TrainConfig
    world: World
    model: Seq2Seq
    checkpoints: Checkpoints
    validator: Validator | None
    exporter: Exporter

    def finish(self, progress: Progress) -> Final:
        """Export last/ from the model's present weights, then best/. All processes take part."""
        latest = next((v for v in progress.validations if v.step == progress.step), None)
        self._export("last", Final((progress.step,), latest))
        single = self._single(progress)
        final = self._better(single, self._average(progress))
        if final is single:
            self._load(single.steps)
        self._export("best", final)
        return final

    def _single(self, progress: Progress) -> Final:
        best = progress.best(self.config.validation.metric)
        return Final((best.step if best else progress.step,), best)

    def _average(self, progress: Progress) -> Final | None:
        """Put the mean of several checkpoints into the model and validate it; None where there are not several."""
        steps = self.world.agree(self._averaged_steps(progress))
        if len(steps) < 2:
            return None
        self._load(steps)
        logger.info("averaging the checkpoints of steps %s", ", ".join(map(str, steps)))
        validation = self.validator.run(self.model, progress.step, progress.epoch) if self.validator else None
        return Final(tuple(steps), validation)

    def _averaged_steps(self, progress: Progress) -> list[int]:
        average, steps = self.config.checkpoints.average, self.checkpoints.steps()
        scores = {v.step: v.score(self.config.validation.metric) for v in progress.validations}
        if average.of == "best" and scores:
            return sorted(best_steps(steps, scores, average.count))
        return steps[-average.count :]

    def _better(self, single: Final, average: Final | None) -> Final:
        """The averaged model where nothing can be compared: it is rarely worse than one checkpoint."""
        if average is None:
            return single
        metric = self.config.validation.metric
        if single.validation is None or average.validation is None:
            return average
        scores = average.validation.score(metric), single.validation.score(metric)
        values = [abs(value) for value, _ in scores]
        logger.info("%s of the average %.4f, of the best checkpoint alone %.4f", metric, *values)
        return average if scores[0] > scores[1] else single

    def _load(self, steps: tuple[int, ...] | list[int]) -> None:
        self.model.load_state_dict(averaged([self.checkpoints.tensors(step, MODEL_FILE) for step in steps]))

    def _export(self, name: str, final: Final) -> None:
        if self.world.is_main:
            averaged_steps = final.steps if len(final.steps) > 1 else ()
            self.exporter.export(
                "best" if name == "best" else "last", final.steps[-1], final.validation, averaged_steps
            )
