"""A dataset in; a few rejected rows of each rule, from all over the corpora, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import RejectedEntry
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.preparation.publishing.examples import pick_examples
from seq2seq_core.report.corpus.sample import Place, take_rejected

_LEAST_ROW_GROUPS = 16


@dataclass(frozen=True)
class Reject:
    """A rejected row; a side is None where it could not be read."""

    value: str
    threshold: str
    origin: str
    line: int
    source: str | None
    target: str | None


@dataclass(frozen=True)
class RuleRejects:
    """A rule, how many rows it rejected, and some of them."""

    rule: str
    count: int
    examples: tuple[Reject, ...]


def rejects_by_rule(dataset: Dataset, examples: int) -> tuple[RuleRejects, ...]:
    """So many rejects of each rule of the ledger that rejected any, the rule with the most first.

    Files are looked at in an order shuffled by digest, some row groups of them at least, then as many more as it
    takes until the rarest rule has its examples.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    counts = {rule: count for rule, count in dataset.manifest.ledger.rejected.items() if count}
    places = _find(dataset, counts, examples)
    found: dict[str, list[Reject]] = {rule: [] for rule in counts}
    for table in take_rejected(dataset, places):
        row = table.to_pylist()[0]
        found.setdefault(row.pop("rule"), []).append(Reject(**{name: row.get(name) for name in _FIELDS}))
    order = sorted(counts, key=lambda rule: (-counts[rule], rule))
    return tuple(RuleRejects(rule, counts[rule], tuple(found[rule])) for rule in order)


_FIELDS = ("value", "threshold", "origin", "line", "source", "target")


def _find(dataset: Dataset, counts: dict[str, int], examples: int) -> list[Place]:
    wanted = {rule: min(count, examples) for rule, count in counts.items()}
    entries = sorted(dataset.manifest.rejected, key=lambda entry: storage.digest_bytes(entry.path.encode()))
    picked: pa.Table | None = None
    for seen, table in enumerate(_places(dataset, entries), start=1):
        picked = pick_examples(table if picked is None else pa.concat_tables([picked, table]), examples)
        have = Counter(picked.column("rule").to_pylist())
        if seen >= _LEAST_ROW_GROUPS and all(have[rule] >= count for rule, count in wanted.items()):
            break
    if picked is None:
        return []
    files, rows = picked.column("file").to_pylist(), picked.column("row").to_pylist()
    return [Place(entries[file], row) for file, row in zip(files, rows, strict=True)]


def _places(dataset: Dataset, entries: list[RejectedEntry]) -> Iterator[pa.Table]:
    """Row groups of `rule`, `origin`, `line`, and where each row stands: number of its `file`, and `row` in it."""
    for number, entry in enumerate(entries):
        begin = 0
        for table in dataset.row_groups(entry, ["rule", "origin", "line"]):
            rows = pa.array(range(begin, begin + table.num_rows), pa.int64())
            files = pa.array([number] * table.num_rows, pa.int64())
            columns = [table.column(name).cast(kind) for name, kind in _KEYS.items()]
            yield pa.table([*columns, files, rows], names=[*_KEYS, "file", "row"])
            begin += table.num_rows


_KEYS = {"rule": pa.string(), "origin": pa.string(), "line": pa.int64()}
