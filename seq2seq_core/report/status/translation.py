"""A folder of translations in, what it tells of its job out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seq2seq_core.claims import Note
from seq2seq_core.report.status.terms import Job
from seq2seq_core.report.status.units import look_at_units


def look_at_translation(path: str, notes: Mapping[str, Sequence[Note]]) -> Job:
    """See `terms.Look`."""
    return look_at_units(path, notes, "translation", "records")
