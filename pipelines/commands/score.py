"""`seq2seq score`: files of hypotheses and references in; BLEU, chrF and exact matches, WER and CER, or ROUGE, out.

With a bar that the scores have to reach, the exit code says whether they do. With a model, `score_pairs` has the rest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import pydantic
from pydantic import Field

from pipelines.commands.call import Call
from pipelines.commands.score_pairs import PairsConfig, score_pairs
from seq2seq_core.config import Config, Location
from seq2seq_core.metrics.bar import check_bars
from seq2seq_core.terminal import say
from seq2seq_core.text import transcripts

if TYPE_CHECKING:
    from seq2seq_core.metrics.significance import Difference
    from seq2seq_core.metrics.utterances import Matched


_BARS = {
    "text": {"bleu", "chrf", "exact"},
    "asr": {"wer", "cer"},
    "summarization": {"rouge1", "rouge2", "rouge_l"},
}

_Percent = Annotated[float, Field(ge=0, le=100)]


class Minimum(Config):
    """What translations and summaries have to reach."""

    bleu: _Percent | None = Field(None, description="points of 100")
    chrf: _Percent | None = Field(None, description="points of 100")
    exact: _Percent | None = Field(None, description="percent of the segments that are the reference")
    rouge1: _Percent | None = Field(None, description="points of 100")
    rouge2: _Percent | None = Field(None, description="points of 100")
    rouge_l: _Percent | None = Field(None, description="points of 100")


class Maximum(Config):
    """What transcripts may not go beyond."""

    wer: _Percent | None = Field(None, description="percent")
    cer: _Percent | None = Field(None, description="percent")


class ScoreConfig(PairsConfig):
    """What `seq2seq score` compares, and how; or the pairs that a model scores."""

    hypotheses: tuple[Location, ...] = Field(
        (),
        description="files or globs: a segment a line, in order; or .jsonl, .json and .tsv with text, and perhaps id "
        "and speaker",
    )
    references: tuple[Location, ...] = Field(
        (),
        description="likewise; where both have ids they are matched by these, and what is missing counts as empty",
    )
    task: Literal["text", "asr", "summarization"] = Field(
        "text", description="text: BLEU, chrF, exact matches; asr: WER and CER; summarization: ROUGE"
    )
    summary_field: str = Field(
        "summary", min_length=1, description="of .jsonl hypotheses, the field with the summary (summarization)"
    )
    reference_field: str = Field(
        "summary",
        min_length=1,
        description="of .jsonl references, the field with the summary, or a list of several (summarization)",
    )
    tokenization: str = Field("13a", description="how BLEU finds words: 13a, intl, char, zh, ja-mecab, none, ...")
    lowercase: bool = Field(False, description="compare without case (text)")
    baseline: tuple[Location, ...] = Field(
        (), description="another output for the same references: is the difference more than chance? (text)"
    )
    resamples: int = Field(1000, ge=10, le=1_000_000, description="corpora that are drawn to tell (paired bootstrap)")
    language: Annotated[str, pydantic.AfterValidator(transcripts.check_language)] = Field(
        transcripts.ANY_LANGUAGE,
        description="that of the references, such as en (asr, summarization): it decides about what words are, and asr "
        "about the letter I",
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
    minimum: Minimum = Minimum()
    maximum: Maximum = Maximum()

    @pydantic.model_validator(mode="after")
    def _compares_or_scores(self) -> Self:
        both = bool(self.hypotheses) and bool(self.references)
        if self.model is None and not both:
            raise ValueError("give hypotheses and references, or model and the pairs that it scores")
        if self.model is not None and (self.hypotheses or self.references):
            raise ValueError("give hypotheses and references, or model; found both")
        if self.model is not None and self.source is None and self.path is None:
            raise ValueError("give source and target, or path: the pairs that the model scores")
        return self

    @pydantic.model_validator(mode="after")
    def _bars_are_of_the_task(self) -> Self:
        for name, bars in (("minimum", self.minimum), ("maximum", self.maximum)):
            idle = set(_bars(bars)) - _BARS[self.task]
            if idle:
                raise ValueError(f"{name}.{min(idle)} is no score of task {self.task}")
        return self


def main(call: Call) -> int:
    """Hypotheses against references."""
    config = call.load(ScoreConfig)
    if config.model is not None:
        say(score_pairs(config))
        return 0
    told, scores = _summaries(config) if config.task == "summarization" else _matched(config)
    say(told)
    check_bars(scores, _bars(config.minimum), _bars(config.maximum))
    return 0


def _bars(bars: Minimum | Maximum) -> dict[str, float]:
    """Those that are set."""
    found: dict[str, float] = bars.model_dump(exclude_none=True)
    return found


def _matched(config: ScoreConfig) -> tuple[str, dict[str, float]]:
    from seq2seq_core.metrics.utterances import match, read_utterances

    matched = match(read_utterances(config.hypotheses), read_utterances(config.references))
    return _transcripts(config, matched) if config.task == "asr" else _texts(config, matched)


def _summaries(config: ScoreConfig) -> tuple[str, dict[str, float]]:
    from seq2seq_core.metrics import summaries

    made = [texts[0] for texts in summaries.read_texts(config.hypotheses, config.summary_field)]
    references = summaries.read_texts(config.references, config.reference_field)
    language = "en" if config.language == transcripts.ANY_LANGUAGE else config.language
    scores = summaries.score(made, references, language)
    told = json.dumps(scores.to_json()) if config.json_output else scores.table()
    return told, {"rouge1": scores.rouge1, "rouge2": scores.rouge2, "rouge_l": scores.rouge_l}


def _texts(config: ScoreConfig, matched: Matched) -> tuple[str, dict[str, float]]:
    from seq2seq_core.metrics import translation

    scores = translation.score(
        matched.hypotheses, matched.references, tokenize=config.tokenization, lowercase=config.lowercase
    )
    judged = {"bleu": scores.bleu, "chrf": scores.chrf, "exact": 100 * scores.exact_match}
    lowered = None if config.lowercase else translation.lowered_bleu(matched.hypotheses, matched.references)
    found = _differences(config, matched)
    if config.json_output:
        more: dict[str, Any] = {"missing": list(matched.missing)} if matched.missing else {}
        more |= {"bleu_lowercase": lowered.to_json()} if lowered else {}
        more |= {"differences": [one.to_json() for one in found]} if found else {}
        return json.dumps(scores.to_json() | more), judged
    lines = [scores.table(), *([lowered.line()] if lowered else []), *(one.line() for one in found)]
    if matched.missing:
        lines.append(f"{len(matched.missing):,} segments have no hypothesis, and count as empty ones")
    return "\n".join(lines), judged


def _differences(config: ScoreConfig, matched: Matched) -> list[Difference]:
    """From the baseline, where there is one."""
    if not config.baseline:
        return []
    from seq2seq_core.metrics.significance import differences
    from seq2seq_core.metrics.utterances import match, read_utterances

    other = match(read_utterances(config.baseline), read_utterances(config.references), "lines of the baseline")
    return differences(
        matched.hypotheses,
        other.hypotheses,
        matched.references,
        tokenize=config.tokenization,
        lowercase=config.lowercase,
        resamples=config.resamples,
    )


def _transcripts(config: ScoreConfig, matched: Matched) -> tuple[str, dict[str, float]]:
    from seq2seq_core.metrics.breakdown import break_down
    from seq2seq_core.metrics.recognition import RecognitionMetric
    from seq2seq_core.metrics.utterances import with_speakers
    from seq2seq_core.report.recognition import recognition_table

    if config.speakers:
        matched = with_speakers(matched, config.speakers)
    found = break_down(matched, RecognitionMetric(config.language, config.normalization), config.confusions)
    told = json.dumps(found.to_json()) if config.json_output else recognition_table(found)
    return told, {"wer": found.total.wer, "cer": found.total.cer}
