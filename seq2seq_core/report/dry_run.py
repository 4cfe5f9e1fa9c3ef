"""A dry run in; its ledger, what the rules measured and examples of what they reject, as plain text, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seq2seq_core.preparation.trial.dry_run import QUANTILES, DryRun, RuleTrial
from seq2seq_core.report.excerpt import excerpt
from seq2seq_core.report.plain_text import Cell, section, table

_SHOWN = 160
_FILES_SHOWN = 20


def describe_dry_run(run: DryRun) -> str:
    """The page, for a terminal."""
    kept = sum(run.ledger.kept.values())
    lines = [
        f"dry run: {kept:,} of {run.ledger.read:,} sampled rows would be kept; nothing was written",
        *section("sample", _sample(run)),
        *section("ledger of the sample", _ledger(run)),
        *section("not tried", (f"  {step}" for step in run.untried)),
        *section("measured values, and what share of the rows has no higher one", _measured(run)),
    ]
    for trial in (*run.trials, *run.later):
        lines += section(_heading(trial, run.ledger.read), _examples(trial))
    if not sum(run.ledger.kept.values()):
        lines += ["", "no row of the sample is left to train on: a preparation of nothing else would fail"]
    return "\n".join(lines)


def _sample(run: DryRun) -> list[str]:
    rows: list[list[Cell]] = [[file.origin, file.rows, file.manner] for file in run.files[:_FILES_SHOWN]]
    more = len(run.files) - _FILES_SHOWN
    return [*table(rows, ("", "rows", "read")), *([f"  and {more:,} more files"] if more > 0 else [])]


def _ledger(run: DryRun) -> list[str]:
    left, duplicates = run.ledger.read, run.ledger.duplicates
    rows: list[list[Cell]] = [["read", None, "", left, None, ""]]
    rows += _rejected(run.trials, run, left)
    left -= sum(trial.rejected for trial in run.trials) + duplicates
    rows.append(["duplicates", duplicates, _share(duplicates, run), left, None, "within the sample"])
    rows += _rejected(run.later, run, left)
    return table(rows, ("", "removed", "share", "left", "fail it at all", "what passes"))


def _rejected(trials: Sequence[RuleTrial], run: DryRun, left: int) -> Iterator[list[Cell]]:
    for trial in trials:
        left -= trial.rejected
        yield [trial.rule, trial.rejected, _share(trial.rejected, run), left, trial.failed, trial.threshold]


def _measured(run: DryRun) -> list[str]:
    rows: list[list[Cell]] = [
        [trial.rule, spread.name, *(f"{value:,.6g}".rjust(8) for value in spread.values), trial.threshold]
        for trial in (*run.trials, *run.later)
        for spread in trial.spreads
    ]
    shares = ["least".rjust(8), *(f"{100 * share:g} %".rjust(8) for share in QUANTILES[1:-1]), "most".rjust(8)]
    return table(rows, ("rule", "value", *shares, "what passes"))


def _heading(trial: RuleTrial, read: int) -> str:
    share = f"{trial.rejected / read:.2%}" if read else "none"
    return f"{trial.rule}: {trial.rejected:,} rows ({share}); what passes: {trial.threshold}"


def _examples(trial: RuleTrial) -> Iterator[str]:
    for row in trial.examples.to_pylist():
        yield f"  {row['origin']}:{row['line']}  {excerpt(row['value'])}"
        for side in ("source", "target"):
            yield f"    {side}  {'(unreadable)' if row[side] is None else excerpt(row[side], _SHOWN)}"


def _share(count: int, run: DryRun) -> str:
    return f"{count / run.ledger.read:.2%}" if run.ledger.read else ""
