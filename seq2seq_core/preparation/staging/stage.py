"""A unit in; its rows read, normalised, filtered and staged by partition, its rejects on disk, and a report out."""

from __future__ import annotations

import functools
import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.dataset.manifest import RejectedEntry
from seq2seq_core.dataset.schema import shard_name
from seq2seq_core.dataset.writer import write_rejected
from seq2seq_core.errors import InputError
from seq2seq_core.preparation.shuffle.hashing import Digests, digests, fractions, pair_digests, ranges, to_column
from seq2seq_core.preparation.shuffle.staged_file import StagedWriter, read_staged, staged_schema, write_staged
from seq2seq_core.preparation.terms.messages import Corpus, Plan, Unit, UnitReport
from seq2seq_core.records import Records, Sifted, reject, rejects_of
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import normalize
from seq2seq_core.text.rules.base import Rows
from seq2seq_core.text.rules.catalogue import sift

logger = logging.getLogger(__name__)

HELD_OUT = "held_out"
NOT_HELD_OUT = "source only in training"
IN_HELD_OUT_FILES = "source in validation or test"


def stage_unit(plan: Plan, unit: Unit, held_out: Sequence[str]) -> UnitReport:
    """Stage a unit, unless its marker says that this has been done, and the staged file has lost nothing since.

    Args:
        plan: The plan the unit is part of.
        unit: What to read.
        held_out: Staged files of the given validation and test sets; rows with their sources are rejected.

    Raises:
        InputError: The files cannot be read, or a row cannot and the recipe says to fail.
    """
    marker = marker_of(plan, unit)
    if (report := _staged_before(marker)) is not None:
        return report
    report = _stage(plan, unit, tuple(held_out))
    storage.publish_text(marker, report.model_dump_json())
    logger.info(
        "unit %d of %d (%s): %d rows read, %d rejected",
        unit.index + 1,
        len(plan.units),
        unit.origin,
        report.read,
        sum(report.rejected.values()),
    )
    return report


def marker_of(plan: Plan, unit: Unit) -> str:
    """The file that says that a unit is staged."""
    return storage.join(plan.work, "staged", f"unit-{unit.index:05d}.json")


def _staged_before(marker: str) -> UnitReport | None:
    """What a marker says, unless the staged file did not outlive the power of its machine."""
    if not storage.exists(marker):
        return None
    report = UnitReport.model_validate_json(storage.read_text(marker))
    return report if storage.exists(report.path) and storage.size(report.path) == report.bytes else None


def _stage(plan: Plan, unit: Unit, held_out: tuple[str, ...]) -> UnitReport:
    path = storage.join(plan.work, "staged", f"unit-{unit.index:05d}.arrow")
    corpus = plan.job.corpora[unit.corpus]
    read, staged = 0, 0
    rejects: list[pa.Table] = []
    schema = staged_schema(with_score=plan.job.recipe.keep == "best")
    with write_staged(path, plan.staged_slots(unit.role), schema=schema) as out:
        reading = read_part(unit.part, plan.job.recipe.max_line_bytes)
        for raw in reading:
            if plan.job.recipe.on_error == "fail":
                _fail_on_reject(unit, raw, reading)
            read += raw.read
            rejects.append(raw.rejected)
            records, rejected = clean(raw.kept, corpus, unit.origin)
            rejects += rejected
            kept, rejected = _deal(plan, unit, records, held_out, out)
            rejects += rejected
            staged += kept
    table = rejects_of(unit.origin, rejects)
    return UnitReport(
        index=unit.index,
        path=path,
        bytes=storage.size(path),
        read=read,
        staged=staged,
        rejected=dict(sorted(Counter(table.column("rule").to_pylist()).items())),
        rejected_file=_publish_rejects(plan, unit, table) if table.num_rows and unit.role != "benchmark" else None,
    )


def clean(raw: Records, corpus: Corpus, origin: str) -> tuple[Records, list[pa.Table]]:
    """Normalise both sides, ask every rule; the rows that stay, and those rejected."""
    records, rows = normalized(raw, corpus, origin)
    rejected = []
    for sifted in sift(records, rows, corpus.filters):
        rejected.append(sifted.rejected)
        records = sifted.kept
    return records, rejected


def normalized(raw: Records, corpus: Corpus, origin: str) -> tuple[Records, Rows]:
    """The rows of a file with both sides normalised, as they go on and as rules judge them."""
    source, target = (normalize(TextColumn(side), corpus.normalize) for side in (raw.source, raw.target))
    rows = Rows(source, target, corpus.sides, lines=raw.lines, origin=origin)
    return Records(raw.lines, source.column, target.column, raw.score), rows


def _fail_on_reject(unit: Unit, raw: Sifted, rest: Iterator[Sifted]) -> None:
    if raw.rejected.num_rows:
        deque(rest, maxlen=0)  # if the file has changed, that is what is wrong with the row
        first = raw.rejected.slice(0, 1).to_pylist()[0]
        raise InputError(
            f"the row is unreadable ({first['rule']})",
            where=f"{storage.redact(' and '.join(unit.part.source.urls))}, line {first['line']}",
            found=first["value"],
            expected=first["threshold"],
            advice="Set on_error to reject to count such rows and go on.",
        )


def _deal(
    plan: Plan, unit: Unit, records: Records, held_out: tuple[str, ...], out: StagedWriter
) -> tuple[int, list[pa.Table]]:
    """Hash the rows and stage each under its slot; how many, and the rows that stand in a held-out set."""
    rejected: list[pa.Table] = []
    source = digests(key_texts(records.source, records.target))
    for value, is_held in _held_out_rules(plan, unit, held_out):
        held = is_held(source)
        values = pa.repeat(pa.scalar(value, pa.string()), pc.sum(held).as_py() or 0)
        sifted = reject(records, held, HELD_OUT, values, NOT_HELD_OUT)
        rejected.append(sifted.rejected)
        records, source = sifted.kept, source[~held.to_numpy(zero_copy_only=False)]
    target = digests(records.target)
    ids = {"source": source, "target": target}.get(plan.job.recipe.deduplicate)
    ids = pair_digests(source, target) if ids is None else ids
    slots = _slots(plan, ids, source) if unit.role == "train" else np.zeros(len(records), np.int64)
    out.add(_staged_rows(records, ids, with_score=plan.job.recipe.keep == "best"), slots)
    return len(records), rejected


def _held_out_rules(
    plan: Plan, unit: Unit, held_out: tuple[str, ...]
) -> Iterator[tuple[str, Callable[[Digests], pa.BooleanArray]]]:
    """What says of rows, by the digests they are split by, that they are held out of training; and what to call it."""
    if held_out:
        yield IN_HELD_OUT_FILES, lambda keys: pc.is_in(to_column(keys), value_set=_sources_of(held_out))
    if plan.generation and plan.job.shares and unit.role == "train":
        share = np.cumsum([share for _, share in sorted(plan.job.shares.items())])[-1]
        value = "source in the share of validation or test, which stay as they are"
        yield value, lambda keys: pa.array(fractions(keys) < share)


def key_texts(source: pa.Array, target: pa.Array) -> pa.Array:
    """What rows are split and held out by: the source, or the target of text that has no source."""
    alone = pc.equal(source, "")
    return pc.if_else(alone, target, source) if pc.any(alone).as_py() else source


def _staged_rows(records: Records, ids: Digests, *, with_score: bool) -> pa.RecordBatch:
    columns = [to_column(ids), records.lines, *(s.cast(pa.large_string()) for s in (records.source, records.target))]
    if with_score:
        columns.append(pa.repeat(-math.inf, len(records)) if records.score is None else records.score)
    return pa.record_batch(columns, schema=staged_schema(with_score=with_score))


def _slots(plan: Plan, ids: Digests, source: Digests) -> npt.NDArray[np.int64]:
    """The slot of each row: its split by hash of the source, its shard of the split by range of its id."""
    splits = list(dict.fromkeys(partition.split for partition in plan.slots))
    counts = np.array([sum(p.split == split for p in plan.slots) for split in splits], np.int64)
    bounds = np.cumsum([plan.job.shares[split] for split in splits if split != "train"])
    chosen = (np.searchsorted(bounds, fractions(source), side="right") + 1) % len(splits)
    begins = np.cumsum(counts) - counts
    slots: npt.NDArray[np.int64] = begins[chosen] + ranges(ids, counts[chosen])
    return slots


@functools.lru_cache(maxsize=2)
def _sources_of(paths: tuple[str, ...]) -> pa.FixedSizeBinaryArray:
    """The digests of the sources in some staged files of held-out sets."""
    batches = [batch for path in paths for batch in read_staged(path, slot=0, slots=1)]
    keys = [key_texts(batch.column("source"), batch.column("target")) for batch in batches]
    return to_column(digests(pa.chunked_array(keys, pa.large_string())))


def _publish_rejects(plan: Plan, unit: Unit, table: pa.Table) -> RejectedEntry:
    order = pc.sort_indices(table, [("line", "ascending")])
    path = plan.place("rejected", name=shard_name(unit.index, len(plan.units)))
    return write_rejected(plan.job.output, path, table.take(order), generation=plan.generation)
