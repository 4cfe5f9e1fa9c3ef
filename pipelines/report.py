"""`seq2seq report`: a dataset, a run and translations in, one self-contained HTML page out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines import table as engines
from seq2seq_core.errors import InputError
from seq2seq_core.files.segments import read_segments
from seq2seq_core.inference.translator_config import describe_model
from seq2seq_core.metrics.translation import TranslationScores, score
from seq2seq_core.report.corpus.corpus import look_at_corpus
from seq2seq_core.report.data import AttentionMap, Example, Fact, ReportData, Score, ScoreTable
from seq2seq_core.report.metrics import load_metrics
from seq2seq_core.report.page import render
from seq2seq_core.tokenizer.vocabulary import EOS_ID

_MAP_PIECES = 30


class ReportConfig(Config):
    """What a report shows; what is not given is left out."""

    output: Location = Field(description="the HTML file")
    title: str = Field("seq2seq", description="heading of the page")
    dataset: Location | None = Field(
        None, description="dataset folder: ledger, lengths, text, rows to look at, rejects, inputs"
    )
    run: Location | None = Field(None, description="run folder: curves of loss and BLEU")
    model: Location | None = Field(None, description="model folder: lineage, and the attention of one example")
    sources: tuple[Location, ...] = Field((), description="text files that were translated")
    hypotheses: tuple[Location, ...] = Field((), description="their translations")
    references: tuple[Location, ...] = Field((), description="their references")
    examples: int = Field(10, ge=0, le=1 << 20, description="translations to show")

    @model_validator(mode="after")
    def _translations_are_whole(self) -> Self:
        given = {name: bool(getattr(self, name)) for name in ("sources", "hypotheses", "references")}
        if len(set(given.values())) > 1:
            missing = ", ".join(name for name, is_given in given.items() if not is_given)
            raise ValueError(f"sources, hypotheses and references belong together; found no {missing}")
        return self


def write(config: ReportConfig) -> tuple[Example, ...]:
    """Publish the page and return the examples it shows.

    Raises:
        Seq2SeqError: A folder or file is missing or damaged, or the files differ in their number of lines.
    """
    data = collect(config)
    storage.publish_text(config.output, render(data))
    return data.examples


def collect(config: ReportConfig) -> ReportData:
    """Read all that the page shows; see `write` for the errors."""
    dataset = Dataset.open(config.dataset) if config.dataset else None
    rows: list[Example] = []
    scores: tuple[ScoreTable, ...] = ()
    if config.sources:
        sources, hypotheses, references = map(read_segments, (config.sources, config.hypotheses, config.references))
        scores = (score_table(score(hypotheses, references)),)
        if len(sources) != len(references):
            raise InputError(
                "sources and references do not match", found=f"{len(sources)} sources", expected=len(references)
            )
        rows = [Example(*row) for row in zip(sources, hypotheses, references, strict=True)]
    return ReportData(
        title=config.title,
        manifest=dataset.manifest if dataset else None,
        corpus=look_at_corpus(dataset) if dataset else None,
        metrics=load_metrics(storage.join(config.run, "metrics.jsonl")) if config.run else None,
        scores=scores,
        examples=spread(rows, config.examples),
        attention=attention_map(config.model, rows) if config.model and rows else None,
        lineage=_lineage(config.model) if config.model else (),
    )


def score_table(scores: TranslationScores) -> ScoreTable:
    """The scores of one test set as the page shows them."""
    return ScoreTable(
        f"{scores.segments:,} segments",
        (
            Score("BLEU", scores.bleu, signature=scores.bleu_signature),
            Score("chrF2", scores.chrf, signature=scores.chrf_signature),
            Score("Exact match", 100 * scores.exact_match, unit="%"),
        ),
    )


def spread(rows: Sequence[Example], count: int) -> tuple[Example, ...]:
    """So many rows, evenly spread over all."""
    if not rows:
        return ()
    positions = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return tuple(rows[position] for position in positions)


def attention_map(model: str, rows: Sequence[Example]) -> AttentionMap | None:
    """Where the model looks in the longest example that is translated exactly and still fits on a page."""
    engine = engines.DEFAULT.load(model)
    sources = engine.source_tokenizer.encode([row.source for row in rows])
    fitting = [i for i, pieces in enumerate(sources) if 0 < len(pieces) <= _MAP_PIECES]
    if not fitting:
        return None
    chosen = max(fitting, key=lambda i: (rows[i].is_exact, len(sources[i])))
    (hypotheses,) = engine.engine.generate([sources[chosen]], SearchConfig(attention=True))
    best = hypotheses[0]
    if best.attention is None:
        return None
    ending = [EOS_ID] if best.finished else []
    return AttentionMap(
        tuple(engine.source_tokenizer.pieces(np.append(sources[chosen], EOS_ID))),
        tuple(engine.target_tokenizer.pieces(np.append(best.tokens, ending).astype(np.int64))),
        best.attention[: len(best.tokens) + len(ending)],
    )


def _lineage(model: str) -> tuple[Fact, ...]:
    entry = describe_model(model)
    values: dict[str, Any] = {"model": entry.url, "model digest": entry.digest, **(entry.lineage or {})}
    return tuple(Fact(name.replace("_", " "), _show(value)) for name, value in values.items() if value)


def _show(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
