"""A running job whose source may say that nothing is left to do in; the job at its end, or ended, out.

Where Flink takes checkpoints, a job does not end when its source has: it is cancelled then. Nothing is lost by that, as
the source says so only when the ledger has all that has landed.
"""

from __future__ import annotations

import logging
import threading

from apache_beam.runners.runner import PipelineResult

from seq2seq_core.landing.ledger import has_ended

_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class Ending:
    """Waits for a job, and cancels it when its source has ended and it goes on all the same."""

    def __init__(self, output: str) -> None:
        """`output` is what the job makes; its ledger stands below."""
        self._output = output
        self._is_over = threading.Event()
        self._has_cancelled = False

    def wait(self, result: PipelineResult) -> bool:
        """Wait until it ends; whether it was cancelled here. Errors are those of the runner."""
        watch = threading.Thread(target=self._watch, args=(result,), name="ending", daemon=True)
        watch.start()
        try:
            result.wait_until_finish()
        except Exception:
            if not self._has_cancelled:
                raise
        finally:
            self._is_over.set()
        return self._has_cancelled

    def _watch(self, result: PipelineResult) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            if has_ended(self._output):
                if not self._is_over.wait(_PATIENCE_SECONDS):
                    _log.info("nothing is left to do, and the job goes on: it is cancelled")
                    self._has_cancelled = True
                    result.cancel()
                return
