"""A run folder in, what it tells of its training out: by its checkpoints, and the last rows of its metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic
import yaml

from seq2seq_core import storage
from seq2seq_core.claims import Note
from seq2seq_core.errors import CheckpointError, unreadable_record
from seq2seq_core.models.card import CONFIG_NAME, read_card, read_config
from seq2seq_core.progress import Progress
from seq2seq_core.report.inspection import CHECKPOINT_NAME, CHECKPOINTS
from seq2seq_core.report.status.terms import Fact, Job, every, only_work

_CONFIG, _METRICS = "config.yaml", "metrics.jsonl"
_LAST_BYTES = 1 << 16


class _State(pydantic.BaseModel):
    """What is of use here of what a checkpoint says; see `training.checkpoints.run_state`."""

    step: int
    epoch: int
    skipped: int = 0
    ended: dict[str, str] | None = None


class _Marker(pydantic.BaseModel):
    progress: _State


def look_at_run(path: str, notes: Mapping[str, Sequence[Note]]) -> Job:
    """See `terms.Look`."""
    saved, report = _saved(path), _last_report(path)
    step = max(saved.step if saved else 0, int(report.get("step", 0)))
    skipped = max(saved.skipped if saved else 0, int(report.get("skipped", 0)))
    is_finished = saved is not None and _has_ended(path, saved)
    begins = f"carries on from step {saved.step:,}" if saved else "begins again, as there is no checkpoint yet"
    return Job(
        work=only_work(notes, "training"),
        notes=every(notes),
        is_finished=is_finished,
        progress=lambda: Progress("", "", 0, 0, "steps", step, _most_steps(path), step, 0.0),
        facts={**_facts(report, saved), "skipped steps": skipped} if skipped else _facts(report, saved),
        done=_next(path) if is_finished else "",
        ended=f"Run the same command again: it {begins}.",
    )


def _next(path: str) -> str:
    """What can be done with the model; only one that reads text has a tokenizer for its source."""
    best = storage.join(path, "best")
    if not storage.exists(storage.join(best, CONFIG_NAME)):
        return f"No model stands in {storage.redact(best)} any more."
    command = "translate" if read_config(best).source_tokenizer else "transcribe"
    return f"Next: seq2seq {command} --model {storage.redact(best)} --input FILES --output FOLDER"


def _facts(report: Mapping[str, Any], saved: _State | None) -> dict[str, Fact]:
    names = ("epoch", "loss", "tokens_per_second", "learning_rate")
    told: dict[str, Fact] = {name.replace("_", " "): report[name] for name in names if name in report}
    return {**told, **({"saved step": saved.step} if saved else {})}


def _has_ended(path: str, saved: _State) -> bool:
    """Whether the end of the run is made; checkpoints of earlier versions do not say, but last/ is made there alone."""
    last = storage.join(path, "last")
    if "ended" in saved.model_fields_set or not storage.exists(storage.join(last, CONFIG_NAME)):
        return saved.ended is not None
    return read_card(last)[1].step == saved.step


def _saved(path: str) -> _State | None:
    """What the newest whole checkpoint says."""
    root = storage.join(path, CHECKPOINTS)
    for name in sorted(storage.list_folder(root), reverse=True):
        url = storage.join(root, name, CHECKPOINT_NAME)
        data = storage.read_if_there(url)
        if data is not None:
            try:
                return _Marker.model_validate_json(data).progress
            except pydantic.ValidationError as error:
                found = str(error).splitlines()[0]
                raise unreadable_record(CheckpointError, "the marker", storage.redact(url), found) from None
    return None


def _last_report(path: str) -> dict[str, Any]:
    """The last whole row of training in the metrics; they may be long, and what stands before is not read."""
    url = storage.join(path, _METRICS)
    if not storage.exists(url):
        return {}
    size = storage.size(url)
    (data,) = storage.read_ranges([storage.Range(url, max(0, size - _LAST_BYTES), size)])
    rows = (_row(line) for line in reversed(data.split(b"\n")[:-1]))
    return next((row for row in rows if row.get("kind") == "train" and isinstance(row.get("step"), int)), {})


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _most_steps(path: str) -> int:
    """Where training ends at the latest, by its resolved configuration; 0 where no step limits it."""
    try:
        values = yaml.safe_load(storage.read_if_there(storage.join(path, _CONFIG)) or b"")
    except yaml.YAMLError:
        return 0
    limits = values.get("limits") if isinstance(values, dict) else None
    most = limits.get("max_steps") if isinstance(limits, dict) else None
    return most if isinstance(most, int) else 0
