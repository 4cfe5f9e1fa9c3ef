"""A configuration in, plain values fit for a manifest out: no password, and no word of where the output stands."""

from __future__ import annotations

from typing import Any

from seq2seq_core import storage
from seq2seq_core.config import Config


def redacted(config: Config) -> dict[str, Any]:
    """The resolved configuration as JSON values, without what changes no result: `output`, and `report` of `prepare`.

    So the same work gives the same manifest anywhere.
    """
    values: dict[str, Any] = _redacted(config.model_dump(mode="json", exclude={"output", "report"}))
    return values


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return storage.redact(value) if isinstance(value, str) else value
