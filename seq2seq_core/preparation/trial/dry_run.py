"""The job of a preparation in; what its rules do to a sample of the rows out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.schema import REJECTED_SCHEMA
from seq2seq_core.preparation.publishing.examples import pick_examples
from seq2seq_core.preparation.shuffle.hashing import hash_order
from seq2seq_core.preparation.staging.cleaning import normalized
from seq2seq_core.preparation.staging.dealing import digests_of
from seq2seq_core.preparation.terms.messages import Job
from seq2seq_core.preparation.terms.octets import Digests
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.preparation.trial.rules import TrialRule, TrialRules, trial_rules
from seq2seq_core.preparation.trial.sampling import Piece, choose, read_piece
from seq2seq_core.records import Records, reject, rejects_of
from seq2seq_core.text.rules.base import Measure
from seq2seq_core.text.rules.catalogue import judge_all, sift

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
    """A trial of a recipe.

    Attributes:
        ledger: Of the sampled rows.
        trials: What each rule did that is asked while duplicates are still there.
        later: What those did that are asked afterwards.
        untried: Steps that cannot be tried on a sample, and why.
        files: Where the rows were read.
    """

    ledger: Ledger
    trials: tuple[RuleTrial, ...]
    later: tuple[RuleTrial, ...]
    untried: tuple[str, ...]
    files: tuple[SampledFile, ...]


def try_recipe(job: Job, rows: int) -> DryRun:
    """Read, normalise and judge about `rows` rows of the corpora; duplicates are counted too. Nothing is written.

    Raises:
        InputError, StorageError, TokenizerError: A file cannot be read.
    """
    rules = trial_rules(job)
    findings: list[_Finding] = []
    files: list[SampledFile] = []
    for choice in choose([input_ for input_ in job.inputs if input_.role == "train"], rows):
        found = [finding for piece in choice.pieces for finding in _try_piece(piece, choice.input.corpus, job, rules)]
        files.append(SampledFile(choice.input.origin, sum(finding.read for finding in found), choice.manner))
        findings += found
    distinct = _without_duplicates(findings, job.recipe)
    judged = [_judge_later(finding, records, rules) for finding, records in zip(findings, distinct, strict=True)]
    asked, asked_later = _asked(job, rules)
    trials = tuple(_trials(findings, [finding.rejected for finding in findings], asked))
    later = tuple(_trials(findings, [table for _, table in judged], asked_later))
    ledger = Ledger(
        read=sum(finding.read for finding in findings),
        kept={"train": sum(kept for kept, _ in judged)},
        duplicates=sum(len(finding.kept) for finding in findings) - sum(map(len, distinct)),
        rejected={trial.rule: trial.rejected for trial in (*trials, *later) if trial.rejected},
    )
    return DryRun(ledger, trials, later, rules.untried, tuple(files))


@dataclass(frozen=True)
class _Finding:
    """What became of one batch of rows.

    Attributes:
        origin: Where they were read.
        corpus: Of which corpus they are, a position in `job.corpora`.
        read: How many there were.
        rejected: Those rejected before duplicates are looked for (columns of `schema.REJECTED_SCHEMA`).
        measures: What each rule says of every readable row.
        kept: Those not rejected.
    """

    origin: str
    corpus: int
    read: int
    rejected: pa.Table
    measures: Mapping[str, Measure]
    kept: Records


def _try_piece(piece: Piece, corpus: int, job: Job, rules: TrialRules) -> Iterator[_Finding]:
    settings = job.corpora[corpus]
    for raw in read_piece(piece, job.recipe.max_line_bytes):
        found = normalized(raw.kept, job.recipe, settings, piece.origin)
        records, judged = found.sifted.kept, found.rows
        measures = judge_all(judged, settings.filters)
        measures |= {rule.name: rule.ask(records).measure for rule in (*rules.before, *rules.after[corpus])}
        rejects = [raw.rejected, found.sifted.rejected]
        for sifted in sift(records, judged, settings.filters):
            rejects.append(sifted.rejected)
            records = sifted.kept
        records, rejected = _ask(records, rules.before)
        table = rejects_of(piece.origin, [*rejects, *rejected])
        yield _Finding(piece.origin, corpus, raw.read, table, measures, records)


def _ask(records: Records, rules: Sequence[TrialRule]) -> tuple[Records, list[pa.Table]]:
    """The rows that pass, and those that do not."""
    rejects = []
    for rule in rules:
        answer = rule.ask(records)
        sifted = reject(records, answer.measure.failed, rule.name, answer.values, rule.threshold)
        rejects.append(sifted.rejected)
        records = sifted.kept
    return records, rejects


def _without_duplicates(findings: Sequence[_Finding], recipe: Recipe) -> list[Records]:
    """The kept rows of each batch without those that stand in it or another one already, or with a better score."""
    if recipe.deduplicate == "none" or not findings:
        return [finding.kept for finding in findings]
    ids = np.concatenate([_ids(finding.kept, recipe) for finding in findings])
    scores = np.concatenate([_scores(finding.kept) for finding in findings]) if recipe.keep == "best" else None
    order, first = hash_order(ids, scores)
    stays = np.zeros(len(ids), np.bool_)
    stays[order[first]] = True
    ends = np.cumsum([len(finding.kept) for finding in findings])
    masks = np.split(stays, ends[:-1])
    return [finding.kept.filter(pa.array(mask)) for finding, mask in zip(findings, masks, strict=True)]


def _judge_later(finding: _Finding, records: Records, rules: TrialRules) -> tuple[int, pa.Table]:
    """How many of the rows pass the rules that are asked last, and the others."""
    kept, rejects = _ask(records, rules.after[finding.corpus])
    return len(kept), rejects_of(finding.origin, rejects)


def _ids(records: Records, recipe: Recipe) -> Digests:
    return digests_of(records, recipe).ids(recipe)


def _scores(records: Records) -> npt.NDArray[np.float64]:
    return np.full(len(records), -np.inf) if records.score is None else records.score.to_numpy()


def _asked(job: Job, rules: TrialRules) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Name and threshold of the rules that training corpora are asked: before duplicates are looked for, and after."""
    trained = [(corpus, rules.after[i]) for i, corpus in enumerate(job.corpora) if corpus.role == "train"]
    before = [
        (name, rule.threshold)
        for corpus, _ in trained
        for name, rule in corpus.filters.rules()
        if set(rule.needs) <= set(corpus.measured)
    ]
    before += [(rule.name, rule.threshold) for rule in rules.before]
    return before, [(rule.name, rule.threshold) for _, after in trained for rule in after]


def _trials(
    findings: Sequence[_Finding], rejects: Sequence[pa.Table], rules: Sequence[tuple[str, str]]
) -> Iterator[RuleTrial]:
    """The readers' rules that rejected rows, then those given (name and threshold), with all thresholds of each."""
    rejected = pa.concat_tables([REJECTED_SCHEMA.empty_table(), *rejects])
    by_rule = {
        rule: rejected.filter(pa.array([name == rule for name in _names(rejected)])) for rule in _rules(rejected)
    }
    asked: dict[str, str] = {}
    for name, threshold in rules:
        known = asked.setdefault(name, threshold)
        asked[name] = known if threshold in known.split("; ") else f"{known}; {threshold}"
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
