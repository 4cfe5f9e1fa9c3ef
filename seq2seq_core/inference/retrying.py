"""Predictions of a unit in which records failed in, a file beside its marker out; and back, when those are done again.

Formats need not be read back for that: the output is written anew, with what was kept and what came of the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import pydantic
import zstandard

from seq2seq_core import storage
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.inference.folder import kept_path


class _Kept(pydantic.BaseModel):
    """The predictions by their records, and what they were made of."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")

    fingerprint: str
    predictions: dict[int, Prediction]


def keep(root: str, path: str, fingerprint: str, predictions: Sequence[Prediction | None]) -> None:
    """Publish what was made of an output's records, those that failed left out."""
    made = {record: prediction for record, prediction in enumerate(predictions) if prediction is not None}
    data = _Kept(fingerprint=fingerprint, predictions=made).model_dump_json().encode()
    storage.publish_bytes(storage.join(root, kept_path(path)), zstandard.ZstdCompressor(level=3).compress(data))


def kept(root: str, path: str, fingerprint: str) -> dict[int, Prediction]:
    """The predictions that were kept of an output, by their records; none where it was made of something else."""
    data = storage.read_if_there(storage.join(root, kept_path(path)))
    try:
        found = None if data is None else _Kept.model_validate_json(zstandard.ZstdDecompressor().decompress(data))
    except (pydantic.ValidationError, zstandard.ZstdError):
        return {}
    return found.predictions if found is not None and found.fingerprint == fingerprint else {}


def forget(root: str, path: str) -> None:
    """Take away what was kept of an output in which no record fails any more."""
    storage.remove(storage.join(root, kept_path(path)))
