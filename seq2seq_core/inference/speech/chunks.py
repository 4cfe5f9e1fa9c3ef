"""A stretch of speech in, chunks that a model can take out: cut where it is quiet, or else with overlap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from pydantic import Field

from seq2seq_core.audio.energy import Levels, frame_size, quietest_frame
from seq2seq_core.config import Config

_PAUSE_FRAMES = 10  # 100 ms
_LARGEST_OVERLAP = 0.25


class ChunkConfig(Config):
    """How speech is cut for a model."""

    longest: float | None = Field(
        None, gt=0.1, le=3600, description="seconds of a chunk; null: what the model was trained on"
    )
    pause: float = Field(
        0.0,
        ge=0,
        le=60,
        description="seconds: speech with no longer a pause in it, beyond `voice.pad` on both sides, is heard together "
        "as far as a chunk is long",
    )
    overlap: float = Field(
        2.0,
        gt=0,
        le=600,
        description="seconds that chunks share where nobody pauses; at most a quarter of the longest chunk",
    )
    pause_db: float = Field(12.0, ge=0, le=120, description="a pause is so much quieter than the speech around it")


class Chunk(NamedTuple):
    """Samples [begin, end) of a recording; `shares` says whether they begin before the chunk before them ends."""

    begin: int
    end: int
    shares: bool = False


def heard_together(spans: Iterable[tuple[int, int]], rate: int, longest: float, pause: float) -> Iterator[Chunk]:
    """Spans in which somebody speaks, those with short pauses between them joined to one of at most a longest chunk.

    Args:
        spans: Samples [begin, end) each, in order.
        rate: Samples a second.
        longest: Seconds of a chunk; a span that is longer stays as it is.
        pause: Seconds of the longest pause that is heard.
    """
    held: Chunk | None = None
    for begin, end in spans:
        if held is not None and begin - held.end <= pause * rate and end - held.begin <= longest * rate:
            held = Chunk(held.begin, end)
            continue
        if held is not None:
            yield held
        held = Chunk(begin, end)
    if held is not None:
        yield held


def cut_span(levels: Levels, rate: int, span: Chunk, longest: float, config: ChunkConfig) -> list[Chunk]:
    """Chunks of at most so many seconds that hold all of a span.

    Args:
        levels: Of the recording, by frames of 10 ms (`audio.energy`).
        rate: Its samples a second.
        span: Where somebody speaks.
        longest: Seconds of a chunk.
        config: How it is cut.
    """
    size = frame_size(rate)
    most = max(size, int(longest * rate))
    shared = int(min(config.overlap, _LARGEST_OVERLAP * longest) * rate)
    chunks: list[Chunk] = []
    begin, shares = span.begin, span.shares
    while span.end - begin > most:
        place = _pause(levels, size, begin, most, config.pause_db)
        end = begin + most if place is None else place
        chunks.append(Chunk(begin, end, shares))
        begin, shares = (end - shared, shared > 0) if place is None else (end, False)
    return [*chunks, Chunk(begin, span.end, shares)]


def _pause(levels: Levels, size: int, begin: int, most: int, pause_db: float) -> int | None:
    """The sample in the second half of a longest chunk where it is quietest; None where nobody pauses."""
    first, last = -(-(begin + most // 2) // size), (begin + most) // size
    last = min(last, len(levels) - 1)
    if last - first < _PAUSE_FRAMES:
        return None
    frame = quietest_frame(levels, first, last)
    around = levels[max(0, frame - _PAUSE_FRAMES // 2) : frame + _PAUSE_FRAMES // 2]
    speech = float(np.median(levels[begin // size : last]))
    place = frame * size + size // 2
    return place if float(around.max()) <= speech - pause_db and begin < place <= begin + most else None
