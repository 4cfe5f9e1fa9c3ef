"""A unit in; its rows read, cleaned and staged by slot, its rejects on disk, and a report out."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.corpora.terms.source import Part
from seq2seq_core.dataset.ledger import added
from seq2seq_core.dataset.manifest import RejectedEntry
from seq2seq_core.dataset.writer import write_rejected
from seq2seq_core.errors import InputError
from seq2seq_core.preparation.shuffle.staged_file import staged_schema, write_staged
from seq2seq_core.preparation.staging.cleaning import Readable, judge, normalized, seconds_by_rule
from seq2seq_core.preparation.staging.dealing import deal
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.markers import publish_marker, read_marker
from seq2seq_core.preparation.terms.messages import Head, HeldOutSources, Unit, UnitReport
from seq2seq_core.records import Sifted, rejects_of

logger = logging.getLogger(__name__)


def stage_unit(head: Head, unit: Unit, held_out: HeldOutSources) -> UnitReport:
    """Stage a unit, unless its marker says that this has been done, and the staged file has lost nothing since.

    Args:
        head: The generation the unit is part of.
        unit: What to read.
        held_out: The sources of the given held-out sets; rows of the corpora with one of them are rejected.

    Raises:
        InputError: The files cannot be read, or a row cannot and the recipe says to fail.
    """
    if (report := _staged_before(head, unit)) is not None:
        return report
    report = _stage(head, unit, held_out)
    publish_marker(layout.unit_marker(head, unit.index), report)
    logger.info(
        "unit %d of %d (%s): %d rows read, %d rejected",
        unit.index + 1,
        head.units,
        unit.origin,
        report.read,
        sum(report.rejected.values()),
    )
    return report


def _staged_before(head: Head, unit: Unit) -> UnitReport | None:
    """What a unit's marker says, unless the staged file did not outlive the power of its machine."""
    report, path = read_marker(UnitReport, layout.unit_marker(head, unit.index)), layout.staged(head, unit.index)
    whole = report is not None and storage.exists(path) and storage.size(path) == report.bytes
    return report if whole else None


def _stage(head: Head, unit: Unit, held_out: HeldOutSources) -> UnitReport:
    path = layout.staged(head, unit.index)
    corpus = head.corpora[unit.corpus]
    read, staged, seconds = 0, 0, dict[str, float]()
    rejects: list[pa.Table] = []
    schema = staged_schema(head.recipe)
    with write_staged(path, head.slots_of(unit.role), schema) as out:
        for raw, found in _rows_of(head, unit):
            read += raw.read
            records, rejected = judge(found, corpus)
            dealt = deal(head, unit.role, records, held_out)
            rejects += [raw.rejected, *rejected, *dealt.rejected]
            seconds = added(seconds, seconds_by_rule(found.rows, [*rejected, *dealt.rejected]))
            out.add(dealt.rows, dealt.slots)
            staged += dealt.rows.num_rows
    table = rejects_of(unit.origin, rejects)
    return UnitReport(
        index=unit.index,
        positions=out.positions_at,
        bytes=storage.size(path),
        read=read,
        staged=staged,
        rejected=dict(sorted(Counter(table.column("rule").to_pylist()).items())),
        rejected_seconds=seconds,
        rejected_file=_publish_rejects(head, unit, table) if table.num_rows and unit.role != "benchmark" else None,
    )


def _rows_of(head: Head, unit: Unit) -> Iterator[tuple[Sifted, Readable]]:
    """The rows of a unit, batch by batch; an error where one cannot be read and the recipe says to fail."""
    corpus = head.corpora[unit.corpus]
    for part in unit.parts:
        reading = read_part(part, head.recipe.max_line_bytes)
        for raw in reading:
            found = normalized(raw.kept, head.recipe, corpus, unit.origin)
            unreadable = [table for table in (raw.rejected, found.sifted.rejected) if table.num_rows]
            if head.recipe.on_error == "fail" and unreadable:
                deque(reading, maxlen=0)  # if the file has changed, that is what is wrong with the row
                raise _unreadable(part, unreadable[0])
            yield raw, found


def _unreadable(part: Part, rejected: pa.Table) -> InputError:
    first = rejected.slice(0, 1).to_pylist()[0]
    return InputError(
        f"the row is unreadable ({first['rule']})",
        where=f"{storage.redact(' and '.join(part.source.urls))}, line {first['line']}",
        found=first["value"],
        expected=first["threshold"],
        advice="Without --strict (on_error: reject) such rows are counted, and the run goes on.",
    )


def _publish_rejects(head: Head, unit: Unit, table: pa.Table) -> RejectedEntry:
    order = pc.sort_indices(table, [("line", "ascending")])
    return write_rejected(
        head.output, layout.unit_rejects(head, unit.index), table.take(order), generation=head.generation
    )
