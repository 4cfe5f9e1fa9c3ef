"""What is to be written in; files that no other program's are replaced by, out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from seq2seq_core import storage
from seq2seq_core.errors import foreign_file


def as_lines(entries: Iterable[Mapping[str, Any]]) -> bytes:
    """JSON Lines."""
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()


def publish_own(url: str, data: bytes) -> None:
    """Put a file where none is, or where it is already.

    Raises:
        ForeignFileError: Another one stands there.
    """
    found = storage.read_if_there(url)
    if found is None:
        storage.publish_bytes(url, data)
    elif found != data:
        raise foreign_file(storage.redact(url), "the corpus")
