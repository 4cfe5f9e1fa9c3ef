"""`seq2seq score`: files of hypotheses and references in; BLEU, chrF and exact matches, or WER and CER, out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import pydantic
from pydantic import Field

from pipelines.commands.call import Call
from seq2seq_core.config import Config, Location
from seq2seq_core.terminal import say
from seq2seq_core.text import transcripts

if TYPE_CHECKING:
    from seq2seq_core.metrics.utterances import Matched


class ScoreConfig(Config):
    """What `seq2seq score` compares, and how."""

    hypotheses: tuple[Location, ...] = Field(
        min_length=1,
        description="files or globs: a segment a line, in order; or .jsonl, .json and .tsv with text, and perhaps id "
        "and speaker",
    )
    references: tuple[Location, ...] = Field(
        min_length=1,
        description="likewise; where both have ids they are matched by these, and what is missing counts as empty",
    )
    task: Literal["text", "asr"] = Field("text", description="text: BLEU, chrF, exact matches; asr: WER and CER")
    tokenization: str = Field("13a", description="how BLEU finds words: 13a, intl, char, zh, ja-mecab, none, ...")
    lowercase: bool = Field(False, description="compare without case (text)")
    language: Annotated[str, pydantic.AfterValidator(transcripts.check_language)] = Field(
        transcripts.ANY_LANGUAGE,
        description="that of the references, such as en (asr): it decides about the letter I and about what words are",
    )
    normalization: Literal["standard", "none"] = Field(
        "standard",
        description="standard: letters folded, no punctuation; none: only white space is made regular (asr)",
    )
    speakers: tuple[Location, ...] = Field(
        (), description="text files or globs with a name a line, for each reference: rates by speaker (asr)"
    )
    confusions: int = Field(10, ge=0, le=1 << 20, description="the commonest errors to show (asr)")
    json_output: bool = Field(False, description="print one JSON object instead of a table")


def main(call: Call) -> int:
    """Hypotheses against references."""
    config = call.load(ScoreConfig)
    from seq2seq_core.metrics.utterances import match, read_utterances

    matched = match(read_utterances(config.hypotheses), read_utterances(config.references))
    say(_transcripts(config, matched) if config.task == "asr" else _texts(config, matched))
    return 0


def _texts(config: ScoreConfig, matched: Matched) -> str:
    from seq2seq_core.metrics import translation

    scores = translation.score(
        matched.hypotheses, matched.references, tokenize=config.tokenization, lowercase=config.lowercase
    )
    if config.json_output:
        return json.dumps(scores.to_json() | ({"missing": list(matched.missing)} if matched.missing else {}))
    missing = f"\n{len(matched.missing):,} segments have no hypothesis, and count as empty ones"
    return scores.table() + (missing if matched.missing else "")


def _transcripts(config: ScoreConfig, matched: Matched) -> str:
    from seq2seq_core.metrics.breakdown import break_down
    from seq2seq_core.metrics.recognition import RecognitionMetric
    from seq2seq_core.metrics.utterances import with_speakers
    from seq2seq_core.report.recognition import recognition_table

    if config.speakers:
        matched = with_speakers(matched, config.speakers)
    found = break_down(matched, RecognitionMetric(config.language, config.normalization), config.confusions)
    return json.dumps(found.to_json()) if config.json_output else recognition_table(found)
