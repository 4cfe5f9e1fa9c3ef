"""An output folder in, what it tells of its job out: by its manifest, or by the units that are finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seq2seq_core import kinds, storage
from seq2seq_core.claims import Note
from seq2seq_core.inference.folder import FAILURE_FOLDER, OUTPUT_NAME
from seq2seq_core.inference.manifest import AnyOutput, load_any
from seq2seq_core.inference.watch import UnitWatch
from seq2seq_core.progress import Progress
from seq2seq_core.report.status.following import look_at_answers
from seq2seq_core.report.status.terms import GOES_ON, Fact, Job, every, only_work


def look_at_units(path: str, notes: Mapping[str, Sequence[Note]], work: str, noun: str) -> Job:
    """What it tells; `noun` is what units are measured in. See `terms.Look`."""
    if kinds.follows(path) is not None:
        return look_at_answers(path, notes, work)
    output = load_any(path) if storage.exists(storage.join(path, OUTPUT_NAME)) else None
    failed = output.failed if output else 0
    return Job(
        work=only_work(notes, work),
        notes=every(notes),
        is_finished=output is not None,
        progress=lambda: _whole(output) if output else UnitWatch(path, noun).look(0.0),
        failed=failed,
        facts=_facts(output) if output else {},
        done=f"See {storage.redact(storage.join(path, FAILURE_FOLDER))} for the reasons." if failed else GOES_ON,
    )


def _whole(output: AnyOutput) -> Progress:
    done, units = output.records_out, len(output.units)
    return Progress("", "units", units, units, "records", done, output.records_in, done, 0.0, output.failed)


def _facts(output: AnyOutput) -> dict[str, Fact]:
    return {"model": output.model.digest, "cut": output.cut, "looping": output.looping}
