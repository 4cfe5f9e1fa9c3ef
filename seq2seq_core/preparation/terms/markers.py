"""A report of finished work in, the file that says so out; and back, wherever that file is one of this version."""

from __future__ import annotations

from typing import TypeVar

import pydantic

from seq2seq_core import storage
from seq2seq_core.preparation.terms.corpus import Message

M = TypeVar("M", bound=Message)


def read_marker(kind: type[M], url: str) -> M | None:
    """What a marker says; None where the work has to be done: there is none, or it is not of this version."""
    data = storage.read_if_there(url)
    try:
        return None if data is None else kind.model_validate_json(data)
    except pydantic.ValidationError:
        return None


def publish_marker(url: str, report: Message) -> None:
    """Say that work is finished, after all of its files are there."""
    storage.publish_text(url, report.model_dump_json())
