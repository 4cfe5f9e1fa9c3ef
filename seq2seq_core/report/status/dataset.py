"""A dataset folder in, what it tells of its preparation out: by its manifest, and by the work that is begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seq2seq_core import storage
from seq2seq_core.claims import Note
from seq2seq_core.dataset.manifest import MANIFEST_NAME, Manifest, load_manifest
from seq2seq_core.preparation.planning.watch import PreparationWatch
from seq2seq_core.preparation.terms import layout
from seq2seq_core.progress import Progress
from seq2seq_core.report.status.terms import Fact, Job, every, only_work


def look_at_dataset(path: str, notes: Mapping[str, Sequence[Note]]) -> Job:
    """See `terms.Look`."""
    manifest = load_manifest(path) if storage.exists(storage.join(path, MANIFEST_NAME)) else None
    is_begun = any(_is_of_begun_work(name) for name in storage.list_folder(layout.notes(path)))
    return Job(
        work=only_work(notes, "preparation"),
        notes=every(notes),
        is_finished=manifest is not None and not is_begun,
        progress=lambda: PreparationWatch(path).look(0.0) if is_begun else _whole(manifest),
        facts=_facts(manifest) if manifest else {},
        done=f"Next: seq2seq train --dataset {storage.redact(path)} --output FOLDER",
    )


def _is_of_begun_work(name: str) -> bool:
    return layout.TOTALS.parse(name) is not None or layout.WORK.parse(name) is not None


def _whole(manifest: Manifest | None) -> Progress | None:
    rows = manifest.ledger.read if manifest else 0
    return Progress("", "", 0, 0, "rows", rows, rows, rows, 0.0) if manifest else None


def _facts(manifest: Manifest) -> dict[str, Fact]:
    ledger = manifest.ledger
    kept = {f"{split} rows": count for split, count in ledger.kept.items()}
    rejected = sum(ledger.rejected.values())
    return {
        **kept,
        "duplicates": ledger.duplicates,
        "rejected": rejected,
        "generations": len(manifest.generations),
    }
