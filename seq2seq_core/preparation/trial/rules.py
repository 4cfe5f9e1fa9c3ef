"""A job in; those of its rules that need more than a row's own text, to be asked of sampled rows, out.

They need held-out texts, as far as these are given as files, or a given tokenizer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.corpora.terms.index import check_some
from seq2seq_core.corpora.terms.source import Part
from seq2seq_core.modalities.base import Side
from seq2seq_core.preparation.sieves.held_out import SHARES_NO_NGRAM
from seq2seq_core.preparation.sieves.ngrams import HELD_OUT_NGRAM, index_of, shared
from seq2seq_core.preparation.staging.cleaning import clean
from seq2seq_core.preparation.staging.dealing import HELD_OUT, IN_HELD_OUT_FILES, NOT_HELD_OUT, digests_of
from seq2seq_core.preparation.terms.corpus import Corpus
from seq2seq_core.preparation.terms.messages import Job
from seq2seq_core.preparation.terms.octets import to_column
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.records import Records
from seq2seq_core.text.rules.base import Measure, PieceRule
from seq2seq_core.tokenizer.model import Tokenizer


class Answer(NamedTuple):
    """A rule's verdict on every row, and what is said of each failed one, in order."""

    measure: Measure
    values: pa.StringArray


class TrialRule(NamedTuple):
    """A rule: its name, what passes, in words, and how rows are asked."""

    name: str
    threshold: str
    ask: Callable[[Records], Answer]


@dataclass(frozen=True)
class TrialRules:
    """The rules of a job.

    Attributes:
        before: Those asked while duplicates are still there.
        after: Those asked of what is left without duplicates, for each corpus.
        untried: Steps of the job that cannot be tried on a sample, and why.
    """

    before: tuple[TrialRule, ...]
    after: tuple[tuple[TrialRule, ...], ...]
    untried: tuple[str, ...]


def trial_rules(job: Job) -> TrialRules:
    """Read all that the rules need.

    Raises:
        InputError, StorageError, TokenizerError: A file cannot be read.
    """
    held_out = [records for records in _held_out_records(job) if len(records)]
    words, sides = job.recipe.protection.ngram_words, job.recipe.protected_sides
    ngrams = [_ngram_rule(held_out, sides, words)] if held_out and words else []
    given = job.recipe.tokenizer.given
    models = [Tokenizer.load(url) for url in given] if given and _of_pieces(job) else []
    after = ((*ngrams, *(_piece_rules(corpus, models) if models else ())) for corpus in job.corpora)
    return TrialRules((_source_rule(held_out, job.recipe),) if held_out else (), tuple(after), tuple(_untried(job)))


def _untried(job: Job) -> Iterator[str]:
    for name in _of_pieces(job) if not job.recipe.tokenizer.given else ():
        yield f"{name} (there is no tokenizer yet)"
    if job.shares and job.protects:
        yield f"{HELD_OUT_NGRAM} (of the shares of the corpora that become validation and test)"
    if job.recipe.near_duplicates is not None:
        yield "near_duplicates (a sample has few of them)"
    if job.has_caps:
        yield "max_rows (of the whole corpus)"


def _of_pieces(job: Job) -> list[str]:
    """The names of the rules that are asked of encoded rows."""
    return list(dict.fromkeys(name for corpus in job.corpora for name, _ in corpus.filters.piece_rules()))


def _held_out_records(job: Job) -> Iterator[Records]:
    """The rows of all sets given as files, as they are compared."""
    for input_ in job.inputs:
        if input_.role != "train":
            for url in input_.source.urls:
                check_some(url, storage.size(url))
            for raw in read_part(Part.whole(input_.source), job.recipe.max_line_bytes):
                yield clean(raw.kept, job.recipe, job.corpora[input_.corpus], input_.origin)[0]


def _source_rule(held_out: Sequence[Records], recipe: Recipe) -> TrialRule:
    known = to_column(np.concatenate([digests_of(records, recipe).source for records in held_out]))

    def ask(records: Records) -> Answer:
        failed = pc.is_in(to_column(digests_of(records, recipe).source), value_set=known)
        count = pc.sum(failed).as_py() or 0
        return Answer(Measure(failed, {}), pa.repeat(pa.scalar(IN_HELD_OUT_FILES, pa.string()), count))

    return TrialRule(HELD_OUT, NOT_HELD_OUT, ask)


def _ngram_rule(held_out: Sequence[Records], sides: Sequence[Side], words: int) -> TrialRule:
    index = index_of((records.column(side) for records in held_out for side in sides), words)

    def ask(records: Records) -> Answer:
        found = shared([(side, records.column(side)) for side in sides], index, words)
        return Answer(Measure(found.rows, {}), found.values)

    return TrialRule(HELD_OUT_NGRAM, SHARES_NO_NGRAM.format(words), ask)


def _piece_rules(corpus: Corpus, models: Sequence[Tokenizer]) -> Iterator[TrialRule]:
    def ask(rule: PieceRule, records: Records) -> Answer:
        source = pc.list_value_length(models[0].encode_column(records.source)) if corpus.has_source else None
        measure = rule.measure_lengths(source, pc.list_value_length(models[-1].encode_column(records.target)))
        return Answer(measure, measure.describe_failed())

    for name, rule in corpus.filters.piece_rules():
        yield TrialRule(name, rule.threshold, functools.partial(ask, rule))
