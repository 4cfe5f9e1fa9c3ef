"""Report data in, one self-contained HTML page out: no script, no link to anything outside, light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import jinja2
import markupsafe

from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.dataset.schema import SPLITS
from seq2seq_core.report.charts import Bars, Series, curves, histogram
from seq2seq_core.report.data import ReportData, Score
from seq2seq_core.report.excerpt import excerpt
from seq2seq_core.report.ledger import funnel
from seq2seq_core.report.lengths import Lengths, describe_lengths, units_of
from seq2seq_core.report.output_folder import Translation
from seq2seq_core.report.run_charts import run_charts
from seq2seq_core.report.sound_section import SoundSection, hours, sound_section
from seq2seq_core.report.text_section import text_section

_HEADLINE_SCORES = 3
_MOST_FILES = 100
_LEAST_WEIGHT_PERCENT = 5


@dataclass(frozen=True)
class Headline:
    """A figure at the top of the page."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True)
class LengthRow:
    """The lengths of one side of one split."""

    split: str
    side: str
    rows: int
    tokens: int
    lengths: Lengths | None


def render(data: ReportData) -> str:
    """The page. Pieces that are not given leave no trace; the same data gives the same bytes."""
    manifest = data.manifest
    return (
        _environment()
        .get_template("page.html")
        .render(
            data=data,
            text=text_section(data.corpus, is_joint=manifest is not None and manifest.is_joint)
            if data.corpus
            else None,
            sound=_sounds(data),
            manifest=manifest,
            sections=list(_sections(data)),
            headline=list(_headline(data)),
            exact=sum(example.is_exact for example in data.examples),
            least_weight=_LEAST_WEIGHT_PERCENT,
            attention_rows=list(_attention_rows(data)),
            translation_charts=list(_translation_charts(data.translation)) if data.translation else [],
            most_files=_MOST_FILES,
            charts=list(run_charts(data.metrics, data.other)) if data.metrics else [],
            progress=data.progress,
            funnel=funnel(manifest.ledger) if manifest else (),
            kept=sum(manifest.ledger.kept.values()) if manifest else 0,
            kept_by_split=_kept(manifest.ledger) if manifest else [],
            track=_Track(manifest.ledger.read if manifest else 0),
            histograms=list(_histograms(manifest)) if manifest else [],
            lengths=list(_lengths(manifest)) if manifest else [],
            units=units_of(manifest.sides) if manifest else "",
            tokenizers=_tokenizers(manifest) if manifest else [],
        )
    )


def _sounds(data: ReportData) -> list[SoundSection]:
    ledger = data.manifest.ledger if data.manifest else None
    return [sound_section(figures, ledger) for figures in data.corpus.sound] if data.corpus else []


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_template),
    )
    environment.filters.update(
        thousands=_thousands, decimals=_decimals, share=_share, points=_points, excerpt=excerpt, percent=_percent
    )
    return environment


def _template(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _sections(data: ReportData) -> Iterator[tuple[str, str]]:
    """Anchor and name of each section that the page will have."""
    if data.scores or data.examples or data.attention is not None:
        yield "results", "Results"
    if data.translation:
        yield "translation", "Translation"
    if data.metrics and (data.metrics.train or data.metrics.validation):
        yield "training", "Training"
    if data.manifest:
        yield "corpus", "Corpus"
    for figures in data.corpus.sound if data.corpus else ():
        yield f"sound-{figures.side}", "Sound"
    if data.corpus and data.corpus.sides:
        yield "text", "Text"
    if data.corpus and (data.corpus.longest or data.corpus.odd):
        yield "kept", "Kept rows"
    if data.corpus and data.corpus.rejects:
        yield "rejected", "Rejected rows"
    if data.lineage or data.manifest:
        yield "lineage", "Lineage"


def _headline(data: ReportData) -> Iterator[Headline]:
    for table in data.scores[:1]:
        for score in table.scores[:_HEADLINE_SCORES]:
            yield Headline(score.name, _decimals(score.value, 1), score.unit)
    if data.translation:
        output = data.translation.output
        yield Headline("records", _thousands(output.records_out))
        yield Headline("failed", _thousands(output.failed))
        yield Headline("flagged", _thousands(output.flagged))
    if data.manifest and data.corpus:
        ledger = data.manifest.ledger
        yield Headline("rows read", _thousands(ledger.read))
        yield Headline("kept", _decimals(100 * sum(ledger.kept.values()) / max(1, ledger.read), 1), "%")
    for figures in data.corpus.sound if data.corpus else ():
        yield Headline("of audio kept", hours(sum(split.seconds for split in figures.splits)), "h")
    if data.manifest and "train" in data.manifest.splits:
        yield Headline("training pairs", _thousands(data.manifest.splits["train"].rows))
        yield Headline("vocabulary", _thousands(data.manifest.tokenizers["target"].vocabulary_size))
    if data.metrics and data.metrics.train:
        last = data.metrics.train[-1]
        yield Headline("steps", _thousands(last.step))
        yield Headline("training", _decimals(last.seconds / 60, 1), "min")


def _translation_charts(translation: Translation) -> Iterator[tuple[str, str]]:
    if any(translation.lengths):
        yield "Lengths of outputs", histogram("Lengths of outputs", Bars("characters", translation.lengths))
    if len(translation.finished) > 1:
        minutes = [seconds / 60 for seconds, _ in translation.finished]
        done = [Series("records", minutes, [records for _, records in translation.finished])]
        yield "Records finished over time", curves("Records finished over time", done, along="minutes")


def _histograms(manifest: Manifest) -> Iterator[tuple[str, str]]:
    split = manifest.splits.get("train")
    if split and split.rows:
        lengths = zip(manifest.sides.items(), (split.source_lengths, split.target_lengths), strict=True)
        for index, ((name, side), counts) in enumerate(lengths):
            bars = Bars(f"{name} {side.modality.unit} of a training row", counts)
            yield f"{name.capitalize()} side", histogram(f"Lengths of the {name} side", bars, index)


def _lengths(manifest: Manifest) -> Iterator[LengthRow]:
    for name in SPLITS:
        if split := manifest.splits.get(name):
            source_tokens = sum(shard.source_tokens for shard in split.shards)
            target_tokens = sum(shard.target_tokens for shard in split.shards)
            yield LengthRow(name, "source", split.rows, source_tokens, describe_lengths(split.source_lengths))
            yield LengthRow(name, "target", split.rows, target_tokens, describe_lengths(split.target_lengths))


def _kept(ledger: Ledger) -> list[tuple[str, int]]:
    return [(split, ledger.kept[split]) for split in SPLITS if split in ledger.kept]


def _tokenizers(manifest: Manifest) -> list[tuple[str, object]]:
    if manifest.is_joint:
        return [("source and target", manifest.tokenizers["source"])]
    return list(manifest.tokenizers.items())


def _attention_rows(data: ReportData) -> Iterator[tuple[str, list[int]]]:
    """Each target piece with its weights in percent."""
    if data.attention is not None:
        for piece, row in zip(data.attention.target_pieces, data.attention.weights.tolist(), strict=True):
            yield piece, [round(100 * weight) for weight in row]


@dataclass(frozen=True)
class _Track:
    """Draws how much of all rows is left, and how much a step has just removed."""

    read: int

    def __call__(self, left: int, removed: int) -> markupsafe.Markup:
        parts = [("left", left), ("removed", removed)]
        spans = "".join(
            f'<span class="{name}" style="width: {100 * count / self.read:.3f}%"></span>'
            for name, count in parts
            if count and self.read
        )
        return markupsafe.Markup(f'<div class="track" aria-hidden="true">{spans}</div>')  # noqa: S704 (numbers alone)


def _thousands(value: int) -> str:
    return f"{value:,}"


def _decimals(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}" if math.isfinite(value) else "not finite"


def _share(part: int, whole: int) -> str:
    return _percent(part / whole) if whole else ""


def _percent(part: float) -> str:
    return "< 0.01 %" if 0 < part < 0.0001 else f"{100 * part:.2f} %"


def _points(score: Score) -> str:
    return f"{_decimals(score.value, 2)}{f' {score.unit}' if score.unit else ''}"
