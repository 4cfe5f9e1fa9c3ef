"""What is to be logged in, lines out: for people, or with SEQ2SEQ_LOG_FORMAT=json each of them a JSON object.

An object has `time`, `level`, `message`, `process`, in a training of several processes `rank`, of a log record also
`logger`, and whatever else its writer knows as figures (`extra={FIGURES: {...}}`).
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

FORMAT_VARIABLE = "SEQ2SEQ_LOG_FORMAT"
FORMATS = ("text", "json")
FIGURES = "figures"

_RANK = "RANK"
_LINE, _CLOCK = "%(asctime)s %(message)s", "%H:%M:%S"


def is_json() -> bool:
    """Whether each line is to be a JSON object."""
    return os.environ.get(FORMAT_VARIABLE) == FORMATS[1]


def set_up(others: int, *ours: str) -> None:
    """Log to standard error: our own messages from INFO on, those of others from a level on."""
    logging.raiseExceptions = False  # a log line that cannot be written, as on a full disk, is no reason for more
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if is_json() else logging.Formatter(_LINE, _CLOCK))
    logging.basicConfig(level=others, handlers=[handler])
    for name in ours:
        logging.getLogger(name).setLevel(logging.INFO)


def line(text: str, level: int = logging.ERROR, figures: Mapping[str, object] | None = None) -> str:
    """A line that is written past the loggers."""
    return _object(dt.datetime.now(dt.UTC), level, text, figures or {}) if is_json() else text


def tell_of_mistakes() -> None:
    """Let a mistake of the program, and what Python warns of, be told in a JSON object too, where all is to be."""
    if is_json():
        sys.excepthook = _excepthook
        logging.captureWarnings(capture=True)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        figures = {"logger": record.name, **getattr(record, FIGURES, {})}
        if record.exc_info:
            figures["traceback"] = self.formatException(record.exc_info)
        return _object(dt.datetime.fromtimestamp(record.created, dt.UTC), record.levelno, record.getMessage(), figures)


def _object(time: dt.datetime, level: int, message: str, figures: Mapping[str, object]) -> str:
    head = {"time": time.isoformat(timespec="milliseconds"), "level": logging.getLevelName(level).lower()}
    rank = os.environ.get(_RANK, "")
    place = {"process": os.getpid(), **({"rank": int(rank)} if rank.isdecimal() else {})}
    values: dict[str, Any] = {**head, "message": message, **place}
    values |= {name: _finite(value) for name, value in figures.items() if name not in values}
    return json.dumps(values, ensure_ascii=False, default=str)


def _finite(value: object) -> object:
    """What is no finite number as a text: JSON has none, and programs refuse the line."""
    is_odd = isinstance(value, float) and (value != value or value in (float("inf"), float("-inf")))  # noqa: PLR0124
    return str(value) if is_odd else value


def _excepthook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    traceback = logging.Formatter().formatException((kind, error, where))
    sys.stderr.write(f"{line(f'{kind.__name__}: {error}', logging.CRITICAL, {'traceback': traceback})}\n")
