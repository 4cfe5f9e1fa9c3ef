"""Error rates of a test set in, the table of them for a terminal out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seq2seq_core.metrics.breakdown import Breakdown
from seq2seq_core.metrics.measures import MEASURES, RECOGNITION
from seq2seq_core.metrics.recognition import RecognitionScores
from seq2seq_core.report.plain_text import Cell, section, table

_COUNTS = ("Corr", "Sub", "Del", "Ins")
_MOST_NAMED = 20


def recognition_table(found: Breakdown) -> str:
    """Rates with their signatures, then the whole and its parts, then what went wrong."""
    names = sorted(RECOGNITION, key=lambda name: name != found.main)
    rates = {"wer": found.total.wer, "cer": found.total.cer}
    lines = [f"{MEASURES[name].label}  {rates[name]:6.2f} %  {found.signatures[name]}" for name in names]
    if found.times:
        median = f"median {found.times.median:.3f} s"
        where = f"of {found.times.words:,} recognised words begin within {found.times.tolerance} s ({median})"
        lines.append(f"time {found.times.share:6.2f} %  {where}")
    lines += section("utterances", _part_lines(found, {"all": found.total}))
    lines += section(f"by {_unit(found)} of the reference", _part_lines(found, found.lengths))
    lines += section("by speaker", _part_lines(found, found.speakers))
    rows: list[Sequence[Cell]] = [
        [error.reference or "(nothing)", error.hypothesis or "(nothing)", error.times] for error in found.confusions
    ]
    lines += section("commonest errors", table(rows, ("reference", "hypothesis", "times")))
    lines += section("without a hypothesis, and counted as empty", _named(found.missing))
    lines += section("without a reference, and not counted", _named(found.unknown))
    return "\n".join(lines)


def _unit(found: Breakdown) -> str:
    return "words" if found.main == "wer" else "characters"


def _part_lines(found: Breakdown, parts: Mapping[str, RecognitionScores]) -> list[str]:
    """A row for each part, with counts of what the language is judged by."""
    rows: list[Sequence[Cell]] = []
    for name, scores in parts.items():
        errors = scores.words if found.main == "wer" else scores.characters
        wrong = 100 * scores.wrong / scores.utterances
        rows.append([name, scores.utterances, errors.units, *errors, scores.wer, scores.cer, wrong])
    return table(rows, ("", "utterances", _unit(found), *_COUNTS, "WER", "CER", "% wrong"))


def _named(ids: Sequence[str]) -> list[str]:
    more = [f"  and {len(ids) - _MOST_NAMED:,} more"] if len(ids) > _MOST_NAMED else []
    return [f"  {name}" for name in ids[:_MOST_NAMED]] + more
