"""What is wrong with encoded audio in; what the ledger says of the row, out: the same whoever finds it."""

from __future__ import annotations

from seq2seq_core.audio.terms import AudioError
from seq2seq_core.records import Problem

_RULES = {"truncated": "truncated_audio"}
"""What rows are set aside by, for reasons that have a rule of their own."""
_RULE = "undecodable_audio"
_LONGEST_SHOWN = 200


def problem_of(row: int, error: AudioError) -> Problem:
    """Why a row is set aside."""
    found = f"{error.problem}: {error.found}"[:_LONGEST_SHOWN] if error.found is not None else error.problem
    expected = "audio that can be decoded" if error.expected is None else str(error.expected)
    return Problem(row, _RULES.get(error.reason, _RULE), found, expected)
