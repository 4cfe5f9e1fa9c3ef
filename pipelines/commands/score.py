"""`seq2seq score`: files of hypotheses and references in, their BLEU, chrF and exact matches out."""

from __future__ import annotations

import json

from pydantic import Field

from pipelines.commands.call import Call
from seq2seq_core.config import Config, Location
from seq2seq_core.terminal import say


class ScoreConfig(Config):
    """What `seq2seq score` compares."""

    hypotheses: tuple[Location, ...] = Field(
        min_length=1, description="text files or globs, a segment a line, in order"
    )
    references: tuple[Location, ...] = Field(
        min_length=1, description="text files or globs, a segment a line, in order"
    )
    tokenization: str = Field("13a", description="how BLEU finds words: 13a, intl, char, zh, ja-mecab, none, ...")
    lowercase: bool = Field(False, description="compare without case")
    json_output: bool = Field(False, description="print one JSON object instead of a table")


def main(call: Call) -> int:
    """Hypotheses against references."""
    config = call.load(ScoreConfig)
    from seq2seq_core.files.segments import read_segments
    from seq2seq_core.metrics import translation

    scores = translation.score(
        read_segments(config.hypotheses),
        read_segments(config.references),
        tokenize=config.tokenization,
        lowercase=config.lowercase,
    )
    say(json.dumps(scores.to_json()) if config.json_output else scores.table())
    return 0
