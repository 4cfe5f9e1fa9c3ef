"""Segments with marks in, segments with fewer out: the marks at their ends, or all of them, go into the gaps."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Container

from seq2seq_core.text.marks import MARKS
from seq2seq_core.text.segment import Segmented

_MARKS_AND_SPACE = re.compile(rf"(\s*{MARKS.pattern}(?:\s|{MARKS.pattern})*)")
_AT_START = re.compile(rf"(?:\s|{MARKS.pattern})*")
_AT_END = re.compile(rf"(?:\s|{MARKS.pattern})*\Z")


def without_edges(record: Segmented) -> Segmented:
    """The same text in segments that neither begin nor end with a mark."""
    return _recut(record, _edges) if any(map(MARKS.search, record.segments)) else record


def parted(record: Segmented, these: Container[str]) -> Segmented:
    """The same text with some of its segments cut at their marks, which stay whatever becomes of the parts."""
    if not any(segment in these for segment in record.segments):
        return record
    return _recut(record, lambda segment: _MARKS_AND_SPACE.split(segment) if segment in these else [segment])


def _edges(segment: str) -> list[str]:
    """No text, what stands at the start, the rest, what stands at the end, no text."""
    start = _AT_START.match(segment)
    begin = start.end() if start else 0
    tail = _AT_END.search(segment, begin)
    end = tail.start() if tail else len(segment)
    return ["", segment[:begin], segment[begin:end], segment[end:], ""]


def _recut(record: Segmented, cut: Callable[[str], list[str]]) -> Segmented:
    """Segments cut into part, gap, part, ..., part; a part that is empty makes its gaps one."""
    segments: list[str] = []
    gaps = [record.gaps[0]]
    inside: set[int] = set()
    for place, (segment, following) in enumerate(zip(record.segments, record.gaps[1:], strict=True), 1):
        for position, piece in enumerate(cut(segment)):
            if position % 2:
                gaps[-1] += piece
            elif piece:
                segments.append(piece)
                gaps.append("")
        gaps[-1] += following
        if place in record.inside:
            inside.add(len(segments))
    inside = {place for place in inside if 0 < place < len(segments) and not gaps[place]}
    return dataclasses.replace(record, segments=tuple(segments), gaps=tuple(gaps), inside=frozenset(inside))
