"""Limits and the time trained before in; how long a run has trained, whether that is enough, and what is left, out."""

from __future__ import annotations

import time

from seq2seq_core.training.processes.stop import LimitsConfig


class Clock:
    """The time of one run, over all resumptions, as its main process has it.

    Args:
        limits: Where training ends at the latest.
        step: Where the run starts or carries on.
        seconds: Time trained before.
        tokens: Of a window between two reports that was begun before this process.
    """

    def __init__(self, limits: LimitsConfig, step: int, seconds: float, tokens: int) -> None:
        self._limits, self._first_step, self._earlier_seconds = limits, step, seconds
        self._tokens_before = tokens
        self._began = self._window_began = time.monotonic()

    def seconds(self) -> float:
        """Time trained, over all resumptions."""
        return self._earlier_seconds + time.monotonic() - self._began

    def is_late(self) -> bool:
        """Whether there is no time left."""
        minutes = self._limits.max_minutes
        return minutes is not None and self.seconds() >= 60 * minutes

    def seconds_left(self, step: int) -> float | None:
        """Until the nearest limit at the pace so far; None where only epochs are limited."""
        steps, left = step - self._first_step, []
        if self._limits.max_steps is not None and steps:
            left.append((time.monotonic() - self._began) / steps * (self._limits.max_steps - step))
        if self._limits.max_minutes is not None:
            left.append(max(60 * self._limits.max_minutes - self.seconds(), 0.0))
        return min(left, default=None)

    def own_tokens(self, tokens: int) -> int:
        """Of the tokens since the last report, those of this process's time."""
        return tokens - self._tokens_before

    def tokens_per_second(self, tokens: int) -> float:
        """The pace since the last report, of all tokens since then."""
        return self.own_tokens(tokens) / self.window_seconds()

    def window_seconds(self) -> float:
        """Time since the last report, without what is left out."""
        return time.monotonic() - self._window_began

    def begin_window(self) -> None:
        """A report was made."""
        self._window_began, self._tokens_before = time.monotonic(), 0

    def leave_out(self, since: float) -> None:
        """No tokens were trained on since some time of the monotonic clock; the pace does not count it."""
        self._window_began += time.monotonic() - since
