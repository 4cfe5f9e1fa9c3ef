"""Signals and limits in, the decision to stop between two steps out, and the exit code that tells why.

Exit codes of training: 0 the run is finished; 143 it was stopped by SIGTERM and 130 by SIGINT, after its state was
saved: what shells and schedulers show for a process ended by that signal. The same command carries on from there.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from pydantic import Field, model_validator

from seq2seq_core.config import Config
from seq2seq_core.training.processes import early

STOP_SIGNALS = early.STOP_SIGNALS

logger = logging.getLogger(__name__)


class LimitsConfig(Config):
    """Where training ends at the latest. Limits may be raised later: the same run then goes on."""

    max_steps: int | None = Field(100_000, ge=1, le=1 << 40, description="optimizer steps; null: no limit")
    max_epochs: int | None = Field(None, ge=1, le=1 << 40, description="passes over the training split; null: no limit")
    max_minutes: float | None = Field(
        None, gt=0, le=1e9, description="minutes of training over all resumptions, validation included; null: no limit"
    )

    @model_validator(mode="after")
    def _there_is_an_end(self) -> LimitsConfig:
        if self.max_steps is None and self.max_epochs is None and self.max_minutes is None:
            raise ValueError("max_steps, max_epochs and max_minutes are all null; set one of them")
        return self


def exit_code(stopped_by: int | None) -> int:
    """The process's exit code after a run that ended by itself (None) or by a signal."""
    return 0 if stopped_by is None else 128 + stopped_by


class StopFlag:
    """Remembers the first stop signal. Repeated ones change nothing: schedulers and torchrun both send theirs."""

    def __init__(self) -> None:
        self.received: int | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[StopFlag]:
        """Catch SIGTERM and SIGINT inside the block; outside the main thread Python cannot, and nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._remember) for number in STOP_SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the handler's signature)
        early.heard.append(number)
        if self.received is None:
            self.received = number
