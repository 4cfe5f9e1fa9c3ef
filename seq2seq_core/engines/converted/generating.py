"""Piece ids in, hypotheses out, by a Transformer on CTranslate2.

The library knows one limit of length for all sources of a batch, ours depends on each source alone. So a batch gets the
largest limit of its sources, and a source whose search came to a lower one of its own goes once more, with those of the
same limit. Where a search ended is seen from its hypotheses: it goes on until there are as many as the beam is wide, so
one of those that end it is among the best of so many.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq_core.decoding.demands import NOTHING, Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig, attended
from seq2seq_core.engines.converted.search import check, library_options, limits
from seq2seq_core.foreign_errors import is_lack_of_memory

if TYPE_CHECKING:
    import ctranslate2

TokenIds = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """What a model is given besides a text.

    Attributes:
        before: Ids in front of every source.
        after: Ids behind it.
        first: Ids that every output begins with, which are no part of the text.
        starts: Whether the first of these is what the decoder starts with, where others have a token for all.
    """

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    first: tuple[int, ...] = ()
    starts: bool = False

    @property
    def repeated(self) -> int:
        """How many of `first` the library repeats in what it gives back."""
        return len(self.first) - self.starts


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by id, of both sides, and the two that the engine knows by name.

    Attributes:
        source: Tokens of sources.
        target: Tokens of outputs.
        end: The token behind every output.
    """

    source: Sequence[str]
    target: Sequence[str]
    end: str
    ids: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", {token: number for number, token in enumerate(self.target)})


class _Job(NamedTuple):
    """A source with its limits, what its output begins with, and its place among all."""

    place: int
    tokens: list[str]
    fewest: int
    most: int
    prefix: tuple[int, ...] = ()


class _Found(NamedTuple):
    """What the library has found, with its score and log probability; what it looked at, tokens x positions."""

    tokens: list[str]
    finished: bool
    score: float
    total: float
    weights: Floats32 | None


class ConvertedEngine:
    """A model on CTranslate2; see `Engine`."""

    def __init__(
        self,
        translator: ctranslate2.Translator,
        vocabulary: Vocabulary,
        frame: Frame,
        longest_output: int | None,
        max_batch_tokens: int,
    ) -> None:
        """Take over a loaded model.

        Args:
            translator: The model.
            vocabulary: Its tokens.
            frame: What it is given besides texts.
            longest_output: Most tokens of an output, the end included, that it can say.
            max_batch_tokens: Padded tokens of a batch of sources.
        """
        self._translator, self._vocabulary, self._frame = translator, vocabulary, frame
        self._longest = longest_output
        self._most = max_batch_tokens
        self._asking = threading.Lock()

    def generate(
        self, sequences: Sequence[TokenIds], options: SearchConfig, demands: Sequence[Demand] = ()
    ) -> list[list[Hypothesis]]:
        """See `Engine.generate`; of an empty source nothing is said but what is demanded.

        Raises:
            ConfigError: CTranslate2 does not have what is asked for.
        """
        check(options, demands)
        asked = demands or itertools.repeat(NOTHING)
        pairs = enumerate(zip(sequences, asked, strict=False))
        jobs = [self._job(place, ids, options, demand) for place, (ids, demand) in pairs if len(ids)]
        # In a batch the library mixes up what the beams of different sources look at in their first step.
        looks = options.coverage_penalty or (options.keeps_attention and options.beam > 1)
        most = 1 if looks else self._most
        batches = [*_batches(jobs, most)]
        found = self._run(batches, options)
        late = [
            job
            for batch in batches
            for job in _curbed(batch)
            if _ended(found[job.place]) - self._frame.repeated >= job.most
        ]
        found |= self._run(_batches(late, most, by_limit=True), options)
        if len(jobs) < len(sequences):
            self._try_out(options)
        made = [
            self._hypotheses(found[place], options) if place in found else [_nothing(options, demand)]
            for place, demand in zip(range(len(sequences)), asked, strict=False)
        ]
        return self._with_token_scores(sequences, made) if options.token_scores else made

    def score(self, sequences: Sequence[TokenIds], targets: Sequence[TokenIds]) -> list[Floats]:
        """See `Engine.score`; an empty source has no score (NaN)."""
        names, first = self._vocabulary.target, list(self._frame.first)
        jobs = [
            _Job(place, self._source(ids), 0, 0, (*first, *target.tolist()))
            for place, (ids, target) in enumerate(zip(sequences, targets, strict=True))
            if len(ids)
        ]
        scores = [np.full(len(target) + 1, np.nan) for target in targets]
        waiting = [
            (
                batch,
                self._translator.score_batch(
                    [job.tokens for job in batch],
                    [[names[i] for i in job.prefix] for job in batch],
                    max_input_length=0,
                    asynchronous=True,
                ),
            )
            for batch in _batches(jobs, self._most)
        ]
        for batch, results in waiting:
            for job, result in zip(batch, results, strict=True):
                count = len(scores[job.place])
                scores[job.place] = np.asarray(result.result().log_probs, np.float64)[-count:]
        return scores

    def _with_token_scores(
        self, sequences: Sequence[TokenIds], found: list[list[Hypothesis]]
    ) -> list[list[Hypothesis]]:
        """The same with what the model gives each token, which the library's search does not tell."""
        rows = [(source, one.tokens) for source, row in zip(sequences, found, strict=True) for one in row]
        scores = iter(self.score([source for source, _ in rows], [tokens for _, tokens in rows]))
        return [[replace(one, token_scores=next(scores)[:-1]) for one in row] for row in found]

    def _job(self, place: int, ids: TokenIds, options: SearchConfig, demand: Demand) -> _Job:
        room = self._longest - len(self._frame.first) if self._longest else None
        fewest, most = limits(options, len(ids), room, demand.tokens)
        return _Job(place, self._source(ids), fewest, most, demand.prefix)

    def _source(self, ids: TokenIds) -> list[str]:
        names = self._vocabulary.source
        return [names[i] for i in (*self._frame.before, *ids.tolist(), *self._frame.after)]

    def _run(self, batches: Iterable[list[_Job]], options: SearchConfig) -> dict[int, Any]:
        """The library's results by the places of the sources; batches run side by side where it has threads."""
        how = library_options(options)
        with self._asking:  # of several callers one after the other, so that the first is done while others wait
            waiting = [(batch, self._begin(batch, how)) for batch in batches]
        return {place: result for batch, results in waiting for place, result in self._end(batch, results, how).items()}

    def _end(self, batch: list[_Job], results: Any, how: dict[str, Any]) -> dict[int, Any]:
        """Wait for a batch; where the memory does not hold it, one half after the other."""
        try:
            return {job.place: result.result() for job, result in zip(batch, results, strict=True)}
        except (RuntimeError, MemoryError) as error:
            if len(batch) == 1 or not is_lack_of_memory(error):
                raise
        middle = len(batch) // 2
        halves = batch[:middle], batch[middle:]
        return {p: found for half in halves for p, found in self._end(half, self._begin(half, how), how).items()}

    def _begin(self, batch: list[_Job], how: dict[str, Any]) -> Any:
        first = [[self._vocabulary.target[i] for i in (*self._frame.first, *job.prefix)] for job in batch]
        return self._translator.translate_batch(
            [job.tokens for job in batch],
            first if any(first) else None,
            max_decoding_length=max(job.most for job in batch) + self._frame.repeated,
            min_decoding_length=max(job.fewest for job in batch) + self._frame.repeated,
            asynchronous=True,
            **how,
        )

    def _try_out(self, options: SearchConfig) -> None:
        """Let the library do something: for an empty source it does nothing, and would never fail."""
        job = _Job(
            0, [self._vocabulary.source[i] for i in self._frame.after] * 2 or [self._vocabulary.source[-1]], 0, 1
        )
        self._begin([job], library_options(options))[0].result()

    def _of_text(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The columns of a source's own pieces, and the first behind them, which is its end."""
        return weights[:, len(self._frame.before) : weights.shape[1] - max(0, len(self._frame.after) - 1)]

    def _hypotheses(self, result: Any, options: SearchConfig) -> list[Hypothesis]:
        """Those of the library that may be, ended ones first, best first, `n_best` of them."""
        hypotheses = result.hypotheses
        attention = result.attention or [None] * len(hypotheses)
        scores = result.scores or [math.nan] * len(hypotheses)
        found = [
            self._found(tokens, score, weights, options)
            for tokens, score, weights in zip(hypotheses, scores, attention, strict=True)
        ]
        found.sort(key=lambda one: (not one.finished, -one.score))
        return [self._hypothesis(one, options) for one in found[: options.n_best]]

    def _found(self, tokens: list[str], score: float, attention: Any, options: SearchConfig) -> _Found:
        finished = bool(tokens) and tokens[-1] == self._vocabulary.end
        weights = None if attention is None else np.asarray(attention, np.float32)
        change = 0.0 if weights is None else _unattended(weights, options.coverage_penalty)
        # The library divides by the length of all tokens.
        total = (score - change) * len(tokens) ** options.length_penalty
        length = max(1, len(tokens) - self._frame.repeated)
        return _Found(tokens, finished, total / length**options.length_penalty + change, total, weights)

    def _hypothesis(self, found: _Found, options: SearchConfig) -> Hypothesis:
        begin = self._frame.repeated
        text = found.tokens[begin : len(found.tokens) - found.finished]
        weights = None if found.weights is None else self._of_text(found.weights[begin:])
        return Hypothesis(
            tokens=np.fromiter(map(self._vocabulary.ids.__getitem__, text), np.int32, len(text)),
            score=found.score,
            log_probability=found.total,
            finished=found.finished,
            attention=weights if options.attention else None,
            alignment=attended(weights, len(text)) if options.alignment else None,
        )


def _unattended(weights: npt.NDArray[np.float32], penalty: float) -> float:
    """What the library adds to the score of an output for the attention (tokens x positions) of its steps."""
    sums = weights.sum(0)
    return penalty * float(np.log(np.minimum(sums[sums > 0], 1)).sum()) if penalty else 0.0


def _ended(result: Any) -> int:
    """The step at which a search ended."""
    return max(map(len, result.hypotheses), default=0)


def _curbed(batch: Sequence[_Job]) -> Iterator[_Job]:
    """The jobs of a batch with a lower limit than the one that all of it has."""
    limit = max(job.most for job in batch)
    return (job for job in batch if job.most < limit)


def _batches(jobs: Sequence[_Job], most: int, *, by_limit: bool = False) -> Iterator[list[_Job]]:
    """Sources of about one length, the longest first, with so many padded tokens at most; or of one limit alone.

    The fewest tokens of an output are the same for a whole batch, and what outputs begin with is as long.
    """
    kinds: dict[tuple[int, int, int], list[_Job]] = defaultdict(list)
    for job in sorted(jobs, key=lambda job: len(job.tokens), reverse=True):
        kinds[job.fewest, job.most if by_limit else 0, len(job.prefix)].append(job)
    for alike in kinds.values():
        begin = 0
        while begin < len(alike):
            count = max(1, most // len(alike[begin].tokens))
            yield alike[begin : begin + count]
            begin += count


def _nothing(options: SearchConfig, demand: Demand) -> Hypothesis:
    tokens = np.array(demand.prefix, np.int32)
    attention = np.ones((len(tokens) + 1, 1), np.float32) if options.attention else None
    alignment = np.zeros(len(tokens), np.int32) if options.alignment else None
    return Hypothesis(tokens, 0.0, 0.0, finished=True, attention=attention, alignment=alignment)
