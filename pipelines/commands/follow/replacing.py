"""A batch of landed files in; the rows of what those held before taken out, and what has to be read again for it, out.

Rows of other files may have been left out as duplicates of rows that go. Such files have come since the changed one
did; they are read again beside what is new, and of them the rows come in that nothing else has now.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.commands.follow.making import manifest_of, problem_of
from pipelines.commands.prepare import PrepareConfig
from seq2seq_core import storage
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.terms import Batch, FileRecord, Landed
from seq2seq_core.landing.zone import Zone
from seq2seq_core.preparation.compaction.taking_out import take_out


def take_out_changed(config: PrepareConfig, batch: Batch, ledger: Ledger, zones: Sequence[Zone]) -> list[Landed]:
    """Take out what was read of the files of a batch when they held something else; what is to be read again.

    A file that cannot be read keeps its rows. Done twice, this comes to the same.

    Raises:
        Seq2SeqError: See `taking_out.take_out`; a zone cannot be read.
    """
    before = {landed.key: record for landed in batch.files if (record := _record(ledger, landed.key)) is not None}
    changed = [landed for landed in batch.files if landed.key in before and _is_readable(config, landed)]
    urls = {tuple(map(storage.redact, landed.urls)) for landed in changed}
    take_out(config.output, urls, config.compaction.grace_seconds)
    manifest = manifest_of(config.output) if changed else None
    if manifest is None or not manifest.generations[-1].replaced:
        return []
    first, own = min(before[landed.key].batch for landed in changed), {landed.key for landed in batch.files}
    since = {key: record.version for key, record in ledger.files.items() if _is_since(record, first) and key not in own}
    return [
        Landed(**seen._asdict(), landed=0.0)
        for index, zone in enumerate(zones)
        for seen in zone.look(index)
        if seen.bytes and since.get(seen.key) == seen.version
    ]


def _record(ledger: Ledger, key: str) -> FileRecord | None:
    return ledger.files.get(key) or ledger.gone.get(key)


def _is_since(record: FileRecord, batch: int) -> bool:
    return record.state == "taken" and record.batch >= batch


def _is_readable(config: PrepareConfig, landed: Landed) -> bool:
    """An empty file can be read: nothing of it stays."""
    return not landed.bytes or problem_of(config, landed) is None
