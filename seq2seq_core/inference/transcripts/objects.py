"""A recording in, what JSON says of it out: for both formats that have objects."""

from __future__ import annotations

from typing import Any

from seq2seq_core.inference.transcripts.terms import Segment, Spoken


def told(recording: Spoken) -> dict[str, Any]:
    """Text, segments and words; the reason where it failed."""
    failed = {} if recording.failure is None else {"error": recording.failure}
    return {"text": recording.text, **failed, "segments": [_segment(segment) for segment in recording.segments]}


def _segment(segment: Segment) -> dict[str, Any]:
    doubts = {name: True for name in ("cut", "looping") if getattr(segment, name)}
    return {
        "begin": segment.begin,
        "end": segment.end,
        "text": segment.text,
        "score": segment.score,
        **doubts,
        "words": [word._asdict() for word in segment.words],
    }
