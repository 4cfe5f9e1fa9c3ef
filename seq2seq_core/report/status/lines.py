"""What is said of a job in, one line for people, or one JSON object for programs, out."""

from __future__ import annotations

import json

from seq2seq_core.progress import clock
from seq2seq_core.report.status.terms import Fact, Run, Status

_DIGITS = 3


def line(status: Status) -> str:
    """`runs/x: training running: steps 50/100, 2.5 steps/s; loss 3.2; process 7 on h since ... What to do next.`"""
    told = [str(status.progress)] if status.progress is not None and str(status.progress) else []
    told += [f"{status.failed:,} failed"] if status.failed and "failed" not in "".join(told) else []
    told += [", ".join(f"{name} {_shown(value)}" for name, value in status.facts.items())] if status.facts else []
    told += [_run(run) for run in status.runs]
    head = f"{status.path}: {status.work} {status.state}"
    return f"{': '.join([head, '; '.join(told)] if told else [head])}. {status.advice}"


def as_json(status: Status) -> str:
    """One line; see docs/operate.md for its keys."""
    return json.dumps(
        {
            "path": status.path,
            "kind": status.kind,
            "work": status.work,
            "state": status.state,
            "failed": status.failed,
            "progress": status.progress.figures if status.progress is not None else None,
            "facts": {name.replace(" ", "_").replace("-", "_"): value for name, value in status.facts.items()},
            "runs": [
                {
                    "host": run.host,
                    "process": run.process,
                    "since": run.since.isoformat(timespec="seconds"),
                    "seen_seconds": round(run.seen_seconds, _DIGITS),
                    "is_alive": run.is_alive,
                }
                for run in status.runs
            ],
            "advice": status.advice,
        },
        ensure_ascii=False,
    )


def _run(run: Run) -> str:
    who = f"process {run.process} on {run.host}"
    if run.is_alive:
        return f"{who} since {run.since.isoformat(timespec='seconds')}, seen {clock(run.seen_seconds)} ago"
    return f"{who} is dead, last seen {clock(run.seen_seconds)} ago"


def _shown(value: Fact) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return value if isinstance(value, str) else f"{value:,}"
