"""A message and its figures in, the line of a log out: for people, or with SEQ2SEQ_LOG_FORMAT=json a JSON object.

An object has `time`, `level`, `message`, `process`, in a training of several processes `rank`, of a log record also
`logger`, and whatever else its writer knows (`extra={FIGURES: {...}}`). Nothing here takes long to import.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
from collections.abc import Mapping
from typing import Any

FORMAT_VARIABLE = "SEQ2SEQ_LOG_FORMAT"
FORMATS = ("text", "json")
FIGURES = "figures"
"""What a log record calls them."""

_RANK = "RANK"


def is_json() -> bool:
    """Whether each line is to be a JSON object."""
    return os.environ.get(FORMAT_VARIABLE) == FORMATS[1]


def line(text: str, level: str = "error", figures: Mapping[str, object] | None = None) -> str:
    """A line that is written past the loggers."""
    return as_json(dt.datetime.now(dt.UTC), level, text, figures or {}) if is_json() else text


def as_json(time: dt.datetime, level: str, message: str, figures: Mapping[str, object]) -> str:
    """The object; figures that are called as what every object has are left out."""
    head = {"time": time.isoformat(timespec="milliseconds"), "level": level, "message": message}
    rank = os.environ.get(_RANK, "")
    values: dict[str, Any] = {**head, "process": os.getpid(), **({"rank": int(rank)} if rank.isdecimal() else {})}
    values |= {name: _finite(value) for name, value in figures.items() if name not in values}
    return json.dumps(values, ensure_ascii=False, default=str)


def _finite(value: object) -> object:
    """What is no finite number as a text: JSON has none, and programs refuse the line."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
