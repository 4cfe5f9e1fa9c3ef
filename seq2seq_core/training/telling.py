"""Steps and reports of a run in; what its claim says of it, and its metrics where they are served, out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from seq2seq_core.monitoring import table
from seq2seq_core.monitoring.board import Board
from seq2seq_core.monitoring.serving import serving
from seq2seq_core.progress import Progress
from seq2seq_core.training.checkpoints.run_state import Validation
from seq2seq_core.training.recorders import Recorder, TrainReport


@dataclass(frozen=True)
class Told:
    """Who is told of a run, and what it does not know of itself.

    Attributes:
        tell: Takes how far the run is, with each step.
        waited: Seconds that this process has waited for batches.
    """

    tell: Callable[[Progress], None]
    waited: Callable[[], float]


class ProgressRecorder:
    """Tells after each step how far the run is, as other commands do of units.

    Args:
        step: Where the run starts or carries on.
        total: Where it ends at the latest; None where steps are not limited.
        tell: Takes it.
    """

    def __init__(self, step: int, total: int | None, tell: Callable[[Progress], None]) -> None:
        self._first, self._total, self._tell = step, total or 0, tell
        self._began = time.monotonic()
        self.step(step)

    def step(self, step: int) -> None:
        seconds = time.monotonic() - self._began
        self._tell(Progress("", "", 0, 0, "steps", step, self._total, self._first, seconds))

    def report(self, report: TrainReport) -> None:
        """Steps say it."""

    def validation(self, validation: Validation, seconds: float) -> None:
        """No step is done meanwhile."""

    def close(self) -> None:
        """Nothing is held."""


class MetricsRecorder:
    """Puts on a board what there is of a run besides its steps."""

    def __init__(self, board: Board, waited: Callable[[], float], serving_ends: contextlib.ExitStack) -> None:
        self._board, self._waited, self._ends = board, waited, serving_ends
        self._waited_before = 0.0

    def step(self, step: int) -> None:  # noqa: ARG002 (one interface for all)
        waited = self._waited()
        self._board.add(table.DATA_WAIT, waited - self._waited_before)
        self._waited_before = waited

    def report(self, report: TrainReport) -> None:
        board = self._board
        board.add(table.TOKENS, report.tokens)
        board.put(table.THROUGHPUT, report.tokens_per_second, "tokens")
        values = {
            table.LOSS: report.loss,
            table.NLL: report.nll,
            table.EPOCH: report.epoch,
            table.LEARNING_RATE: report.learning_rate,
            table.GRADIENT_NORM: report.gradient_norm,
            table.SKIPPED: report.skipped,
        }
        for metric, value in values.items():
            board.put(metric, value)
        if torch.cuda.is_available():
            board.put(table.GPU_MEMORY, torch.cuda.max_memory_allocated())

    def validation(self, validation: Validation, seconds: float) -> None:  # noqa: ARG002 (one interface for all)
        self._board.put(table.VALIDATION_LOSS, validation.loss)
        for name, value in validation.scores.items():
            self._board.put(table.SCORE, value, name)

    def close(self) -> None:
        self._ends.close()


def telling_recorders(step: int, total: int | None, told: Told) -> list[Recorder]:
    """The recorders that tell of a run; the last serves metrics, where a port is asked for.

    Raises:
        ConfigError: The port is not free.
    """
    ends = contextlib.ExitStack()
    board = ends.enter_context(serving())
    recorders: list[Recorder] = [ProgressRecorder(step, total, told.tell)]
    if board is not None:
        recorders += [ProgressRecorder(step, total, board.tell), MetricsRecorder(board, told.waited, ends)]
    return recorders
