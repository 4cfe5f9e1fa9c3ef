"""A dataset folder in; what stands there now, looked at every now and then in a thread of its own, out."""

from __future__ import annotations

import logging
import threading

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.segment import Segment, segment_of
from seq2seq_core.errors import Seq2SeqError

logger = logging.getLogger(__name__)


class Watch:
    """Looks at a dataset until it is closed. Where that fails it says so, and looks again.

    Attributes:
        found: What was seen last.

    Args:
        root: URL of the dataset.
        look_seconds: Pause between two looks.
    """

    def __init__(self, root: str, look_seconds: float) -> None:
        self.found: Segment | None = None
        self._root, self._look_seconds = root, look_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        told = ""
        while True:
            try:
                self.found = segment_of(load_manifest(self._root))
                told = ""
            except Seq2SeqError as error:
                if str(error) != told:
                    told = str(error)
                    logger.warning("%s cannot be followed just now: %s", storage.redact(self._root), told)
            if self._ended.wait(self._look_seconds):
                return
