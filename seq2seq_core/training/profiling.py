"""Numbers of steps in; a trace of what the main process did in some of them, that browsers draw, out.

profile/steps-00000010-00000012.json    for chrome://tracing or ui.perfetto.dev
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import Field
from torch.profiler import ProfilerActivity, profile

from seq2seq_core import storage
from seq2seq_core.config import Config

FOLDER = "profile"

logger = logging.getLogger(__name__)


class ProfileConfig(Config):
    """Which steps are traced."""

    from_step: int | None = Field(
        None, ge=1, le=1 << 40, description="the first step whose operations are traced; null: none"
    )
    steps: int = Field(3, ge=1, le=1000, description="so many steps")


class Profiling:
    """The trace of a run, where one is asked for.

    Args:
        config: The steps.
        output: URL of the run folder.
        check: Raises where the folder is the run's no more.
    """

    def __init__(self, config: ProfileConfig, output: str, check: Callable[[], None]) -> None:
        self._config, self._output, self._check = config, output, check
        self._running: profile | None = None

    def before(self, step: int) -> None:
        """A step begins."""
        if step == self._config.from_step:
            kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
            self._running = profile(activities=kinds, record_shapes=True, acc_events=True)
            self._running.start()

    def after(self, step: int) -> None:
        """A step is done; with the last one that is asked for the trace is published.

        Raises:
            StorageError: It cannot be written.
        """
        if self._running is not None and step >= (self._config.from_step or 0) + self._config.steps - 1:
            self._publish(step)

    def close(self) -> None:
        """The run is over; a trace that is not done by then is none."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def _publish(self, step: int) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        running.stop()
        url = storage.join(self._output, FOLDER, f"steps-{self._config.from_step:08d}-{step:08d}.json")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "trace.json")
            running.export_chrome_trace(str(path))
            self._check()
            storage.publish_bytes(url, path.read_bytes())
        logger.info("the trace of steps %d to %d is %s", self._config.from_step, step, storage.redact(url))
