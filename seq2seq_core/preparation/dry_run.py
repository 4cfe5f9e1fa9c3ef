"""The job of a preparation in; what its rules do to a sample of the rows out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from seq2seq_core.preparation.examples import pick_examples
from seq2seq_core.preparation.hashing import Digests, digests, hash_order, pair_digests
from seq2seq_core.preparation.messages import Corpus, Job
from seq2seq_core.preparation.recipe import Recipe
from seq2seq_core.preparation.sampling import Piece, choose, read_piece
from seq2seq_core.preparation.stage import key_texts, normalized
from seq2seq_core.shards.manifest import Ledger
from seq2seq_core.shards.schema import REJECTED_SCHEMA
from seq2seq_core.text.filters import judge_all, sift
from seq2seq_core.text.records import Records
from seq2seq_core.text.rules.base import Measure

QUANTILES = (0.0, 0.01, 0.05, 0.5, 0.95, 0.99, 1.0)

_EXAMPLES = 10


@dataclass(frozen=True)
class Spread:
    """One measured value of a rule: its name, and the values at `QUANTILES` of all readable rows."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class RuleTrial:
    """What a rule would do.

    Attributes:
        rule: Its name; readers' rules, such as `not_utf8`, are among them.
        threshold: What passes, in words; empty where nothing was rejected and nobody knows.
        rejected: Rows it rejects, being asked in its turn.
        failed: Rows that fail it, whether or not an earlier rule has rejected them.
        spreads: What it measures, where that is a number.
        examples: Some of the rejected rows (columns of `schema.REJECTED_SCHEMA`).
    """

    rule: str
    threshold: str
    rejected: int
    failed: int
    spreads: tuple[Spread, ...]
    examples: pa.Table


@dataclass(frozen=True)
class SampledFile:
    """How many rows of an input were read, and from where in it."""

    origin: str
    rows: int
    manner: str


@dataclass(frozen=True)
class DryRun:
    """A trial of a recipe: the ledger of the sampled rows, what each rule did, and where the rows were read."""

    ledger: Ledger
    trials: tuple[RuleTrial, ...]
    files: tuple[SampledFile, ...]


def try_recipe(job: Job, rows: int) -> DryRun:
    """Read, normalise and judge about `rows` rows of the corpora; duplicates are counted too. Nothing is written.

    Raises:
        InputError, StorageError: A file cannot be read.
    """
    findings: list[_Finding] = []
    files: list[SampledFile] = []
    for choice in choose([input_ for input_ in job.inputs if input_.role == "train"], rows):
        corpus = job.corpora[choice.input.corpus]
        found = [finding for piece in choice.pieces for finding in _try_piece(piece, corpus, job.recipe)]
        files.append(SampledFile(choice.input.origin, sum(finding.read for finding in found), choice.manner))
        findings += found
    rejected = pa.concat_tables([REJECTED_SCHEMA.empty_table(), *(finding.rejected for finding in findings)])
    trials = tuple(_trials(findings, rejected, [corpus for corpus in job.corpora if corpus.role == "train"]))
    kept = np.concatenate([np.zeros((0, 16), np.uint8), *(finding.ids for finding in findings)])
    distinct = len(kept) if job.recipe.deduplicate == "none" else int(hash_order(kept)[1].sum())
    ledger = Ledger(
        read=sum(finding.read for finding in findings),
        kept={"train": distinct},
        duplicates=len(kept) - distinct,
        rejected={trial.rule: trial.rejected for trial in trials if trial.rejected},
    )
    return DryRun(ledger, trials, tuple(files))


@dataclass(frozen=True)
class _Finding:
    """What became of one batch of rows."""

    read: int
    rejected: pa.Table
    measures: Mapping[str, Measure]
    ids: Digests


def _try_piece(piece: Piece, corpus: Corpus, recipe: Recipe) -> Iterator[_Finding]:
    for raw in read_piece(piece, recipe.max_line_bytes):
        records = normalized(raw.kept, corpus)
        measures = judge_all(records, corpus.filters, corpus.sides)
        rejects = [raw.rejected]
        for sifted in sift(records, corpus.filters, corpus.sides):
            rejects.append(sifted.rejected)
            records = sifted.kept
        yield _Finding(raw.read, _with_origin(rejects, piece.origin), measures, _ids(records, recipe))


def _with_origin(rejects: Sequence[pa.RecordBatch], origin: str) -> pa.Table:
    table = pa.Table.from_batches(rejects)
    names = pa.repeat(pa.scalar(origin, pa.string()), table.num_rows)
    return pa.table([names, *table.columns], schema=REJECTED_SCHEMA)


def _ids(records: Records, recipe: Recipe) -> Digests:
    source, target = digests(key_texts(records.source, records.target)), digests(records.target)
    chosen = {"source": source, "target": target}.get(recipe.deduplicate)
    return pair_digests(source, target) if chosen is None else chosen


def _trials(findings: Sequence[_Finding], rejected: pa.Table, corpora: Sequence[Corpus]) -> Iterator[RuleTrial]:
    """The readers' rules that rejected rows, then all that were asked of a corpus, with the thresholds of each."""
    by_rule = {
        rule: rejected.filter(pa.array([name == rule for name in _names(rejected)])) for rule in _rules(rejected)
    }
    asked: dict[str, str] = {}
    for name, rule in (item for corpus in corpora for item in corpus.filters.rules()):
        known = asked.setdefault(name, rule.threshold)
        asked[name] = known if rule.threshold in known.split("; ") else f"{known}; {rule.threshold}"
    for named in (*(name for name in by_rule if name not in asked), *asked):
        table = by_rule.get(named, rejected.slice(0, 0))
        measures = [finding.measures[named] for finding in findings if named in finding.measures]
        yield RuleTrial(
            rule=named,
            threshold=asked.get(named) or table.column("threshold")[0].as_py(),
            rejected=table.num_rows,
            failed=sum(measure.failed.true_count for measure in measures) if named in asked else table.num_rows,
            spreads=tuple(_spreads(measures)),
            examples=pick_examples(table, _EXAMPLES),
        )


def _names(rejected: pa.Table) -> list[str]:
    names: list[str] = rejected.column("rule").to_pylist()
    return names


def _rules(rejected: pa.Table) -> list[str]:
    return sorted(set(_names(rejected)))


def _spreads(measures: Sequence[Measure]) -> Iterator[Spread]:
    for name in measures[0].values if measures else ():
        column = pa.chunked_array([measure.values[name] for measure in measures])
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            numbers = column.drop_null().to_numpy().astype(np.float64)
            numbers = numbers[np.isfinite(numbers)]
            if len(numbers):
                yield Spread(name, tuple(np.quantile(numbers, QUANTILES, method="inverted_cdf").tolist()))
