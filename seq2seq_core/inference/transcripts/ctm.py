"""What was said in a recording in, a word a line with its times, as NIST's scoring tools read it (CTM), out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seq2seq_core.inference.transcripts.format import TranscriptFormat
from seq2seq_core.inference.transcripts.terms import Spoken


class CtmTranscripts(TranscriptFormat):
    """Recording, channel, begin, duration, word, and its probability where one is known."""

    name = "ctm"
    suffix = ".ctm"

    def render(self, recordings: Sequence[Spoken]) -> bytes:
        """See `TranscriptFormat.render`."""
        rows = (
            [
                "_".join(recording.name.split()),
                "1",
                f"{word.begin:.3f}",
                f"{word.end - word.begin:.3f}",
                "_".join(word.text.split()),
                *([] if word.score is None else [f"{math.exp(min(0.0, word.score)):.4f}"]),
            ]
            for recording in recordings
            for segment in recording.segments
            for word in segment.words
        )
        return "".join(" ".join(row) + "\n" for row in rows).encode()
