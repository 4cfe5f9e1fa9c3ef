"""What is wrong with encoded audio in; what the ledger says of the row, out: the same whoever finds it."""

from __future__ import annotations

from seq2seq_core.audio.terms import AudioError
from seq2seq_core.records import Problem

WRONG_DURATION = "wrong_duration"

_RULES = {"truncated": "truncated_audio"}
"""What rows are set aside by, for reasons that have a rule of their own."""
_RULE = "undecodable_audio"
_LONGEST_SHOWN = 200
_SLACK_SECONDS, _SLACK_SHARE = 0.5, 0.05


def problem_of(row: int, error: AudioError) -> Problem:
    """Why a row is set aside."""
    found = f"{error.problem}: {error.found}"[:_LONGEST_SHOWN] if error.found is not None else error.problem
    expected = "audio that can be decoded" if error.expected is None else str(error.expected)
    return Problem(row, _RULES.get(error.reason, _RULE), found, expected)


def wrong_duration(row: int, found: float, told: float | None) -> Problem | None:
    """What is wrong with an utterance of `found` seconds whose row says how long it is; None where nothing is."""
    if told is None or abs(found - told) <= max(_SLACK_SECONDS, _SLACK_SHARE * found):
        return None
    expected = f"{told:.2f} s, as its row says, within {_SLACK_SECONDS} s or {_SLACK_SHARE:.0%}"
    return Problem(row, WRONG_DURATION, f"{found:.2f} s of audio", expected)
