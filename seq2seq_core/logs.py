"""Log records in, lines on standard error out, in the format that is asked for (`log_lines`)."""

from __future__ import annotations

import datetime as dt
import logging
import sys
from types import TracebackType

from seq2seq_core import log_lines

_LINE, _CLOCK = "%(asctime)s %(message)s", "%H:%M:%S"


def set_up(others: int, *ours: str) -> None:
    """Log to standard error: the messages of our packages from INFO on, those of others from a level on."""
    logging.raiseExceptions = False  # a log line that cannot be written, as on a full disk, is no reason for more
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_lines.is_json() else logging.Formatter(_LINE, _CLOCK))
    logging.basicConfig(level=others, handlers=[handler])
    for name in ours:
        logging.getLogger(name).setLevel(logging.INFO)


def tell_of_mistakes() -> None:
    """Where all lines are to be JSON, let a mistake of the program, and what Python warns of, be told so as well."""
    if log_lines.is_json():
        sys.excepthook = _excepthook
        logging.captureWarnings(capture=True)


class JsonLines(logging.Formatter):
    """Formats a record as a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        figures = {"logger": record.name, **getattr(record, log_lines.FIGURES, {})}
        if record.exc_info:
            figures["traceback"] = self.formatException(record.exc_info)
        time = dt.datetime.fromtimestamp(record.created, dt.UTC)
        return log_lines.as_json(time, record.levelname.lower(), record.getMessage(), figures)


def _excepthook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    traceback = logging.Formatter().formatException((kind, error, where))
    sys.stderr.write(f"{log_lines.line(f'{kind.__name__}: {error}', 'critical', {'traceback': traceback})}\n")
