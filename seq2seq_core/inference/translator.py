"""Texts of records in, their predictions in the same order out: cuts, encodes, generates, decodes and joins."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Self, TypeVar

import numpy as np
import pyarrow as pa

from seq2seq_core.decoding.demands import NOTHING, Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.loops import find_loops
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.engines.interface import Engine, PieceTokenizer, TokenIds
from seq2seq_core.inference.combining import combined
from seq2seq_core.inference.isolation import isolated
from seq2seq_core.inference.memory.given import Gives
from seq2seq_core.inference.memory.memory import Memory, Outcome
from seq2seq_core.inference.quality.records import measured
from seq2seq_core.inference.quality.terms import Answer, Asked, Revises
from seq2seq_core.inference.telling import told
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.languages import uses_spaces
from seq2seq_core.text.marks import can_be_read, has_marks, numbered, restored
from seq2seq_core.text.normalize import NormalizeConfig, normalize
from seq2seq_core.text.parting import parted, without_edges
from seq2seq_core.text.segment import SegmentConfig, Segmented, segment
from seq2seq_core.text.wordless import is_wordless

_log = logging.getLogger(__name__)

_SHOWN_CHARACTERS = 40
_USUAL_NORMALIZATION = NormalizeConfig()
_NO_PREFIX: TokenIds = np.zeros(0, np.int32)

_T = TypeVar("_T")

_LOST_MARKS = "the output has lost some of the markup"
_LOST = Answer((), error=_LOST_MARKS)
_NOTHING = Answer(("",))
"""Of what normalisation leaves nothing of there is no work for a model."""


class _Source(NamedTuple):
    """What the model is given of a segment."""

    ids: TokenIds
    demand: Demand = NOTHING

    @property
    def key(self) -> bytes:
        """All that an answer follows from besides the model and the search; no id is negative."""
        prefix = np.array((-1, *self.demand.prefix), np.int32) if self.demand.prefix else _NO_PREFIX
        return self.ids.tobytes() + prefix.tobytes()


class Aids(NamedTuple):
    """What stands between a Translator and its engine.

    Attributes:
        memory: Answers of the model that are kept.
        given: Translations that go before the model's.
        revises: Looks at the answers.
        measures: Whether outputs are measured.
    """

    memory: Memory | None = None
    given: Gives | None = None
    revises: Revises | None = None
    measures: bool = False


class Translator:
    """An engine between text and text.

    Attributes:
        aids: What stands between them besides.
    """

    def __init__(
        self,
        engine: Engine,
        source_tokenizer: PieceTokenizer,
        target_tokenizer: PieceTokenizer,
        search: SearchConfig,
        segmentation: SegmentConfig,
        normalization: NormalizeConfig = _USUAL_NORMALIZATION,
        prefix: TokenIds = _NO_PREFIX,
        target_language: str | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            engine: Generates piece ids.
            source_tokenizer: Of the engine's model.
            target_tokenizer: Of the engine's model.
            search: How to search.
            segmentation: How texts are cut.
            normalization: What is done to a segment before it is encoded: the same as in the training data.
            prefix: Piece ids that stand before every segment, such as the tag of the target language.
            target_language: Of the outputs, for the spaces between them; None where it is not known.
        """
        self._engine = engine
        self._source_tokenizer = source_tokenizer
        self._target_tokenizer = target_tokenizer
        self._search = search
        self._segmentation = segmentation
        self._normalization = normalization
        self._prefix = prefix
        self._spaced = uses_spaces(target_language)
        self.aids = Aids()
        if segmentation.mode == "document" and segmentation.language is None:
            _log.info("the source language is not known: sentences end as in English (segmentation.language)")

    def aided(self, aids: Aids) -> Self:
        """The same with other aids."""
        other = copy.copy(self)
        other.aids = aids
        return other

    def searching(self, search: SearchConfig) -> Self:
        """The same with another search."""
        other = copy.copy(self)
        other._search = search  # noqa: SLF001 (its own copy)
        return other

    def translate(
        self, texts: Sequence[str | None], *, is_prose: bool = False, prefixes: Sequence[str] = ()
    ) -> list[Prediction]:
        """Translate thousands of texts in one call; equal segments go through the model once.

        A missing text gets an empty prediction and a blank one itself, and one that fails a prediction with the reason
        in `error`; the others are as if it had not been there.

        Args:
            texts: With marks for markup, where they have some; see `text.marks`.
            is_prose: Whether they are paragraphs, rather than segments.
            prefixes: What the translation of each begins with, in its first segment; none: nothing is demanded.

        Raises:
            Seq2SeqError: The engine fails even on an empty sequence: it, not a record, is broken.
        """
        predictions = [Prediction()] * len(texts)
        usable: dict[int, str] = {}
        for i, text in enumerate(texts):
            if text and not text.isspace():
                reason = _unreadable(text)
                if reason is None:
                    usable[i] = text
                else:
                    predictions[i] = Prediction(error=reason)
            elif text:
                predictions[i] = Prediction(text)
        begins = [prefixes[i] for i in usable] if prefixes else [""] * len(usable)
        found = self._translate(list(usable.values()), begins, is_prose=is_prose)
        if self._segmentation.parts == "combine":

            def again(outputs: Mapping[int, str]) -> list[Prediction]:
                return self._translate(list(outputs.values()), [begins[i] for i in outputs], is_prose=is_prose)

            found = combined(found, again)
        if self.aids.measures:
            found = measured(list(usable.values()), found)
        for i, prediction in zip(usable, found, strict=True):
            predictions[i] = prediction
        return predictions

    def answers(self, segments: Sequence[Asked]) -> dict[Asked, Answer]:
        """What becomes of each segment, which is translated whole; see `translate` for the errors."""
        encoded = _Encoded(self._source_tokenizer, self._normalization, self._prefix)
        return self._answers(segments, encoded)

    def _translate(self, texts: Sequence[str], prefixes: Sequence[str], *, is_prose: bool) -> list[Prediction]:
        encoded = _Encoded(self._source_tokenizer, self._normalization, self._prefix)
        records = segment(texts, self._segmentation.fitting(is_prose=is_prose), encoded.lengths)
        if self._segmentation.parts == "first":
            records = [record.beginning for record in records]
        records = whole = [without_edges(record) for record in records]
        answers = self._answers(_distinct(records, prefixes), encoded)
        lost = {asked.text for asked, answer in answers.items() if answer.error == _LOST_MARKS}
        if lost:
            records = [parted(record, lost) for record in whole]
            more = [asked for asked in _distinct(records, prefixes) if asked not in answers]
            answers |= self._answers(more, encoded)
        if self.aids.revises is not None:
            answers = self.aids.revises.revised(answers)
        return [
            self._assemble(
                record, [answers[asked] for asked in _asked(record, prefix)], encoded, parted=record is not before
            )
            for record, before, prefix in zip(records, whole, prefixes, strict=True)
        ]

    def _answers(self, segments: Sequence[Asked], encoded: _Encoded) -> dict[Asked, Answer]:
        encoded.learn([asked.text for asked in segments])
        answers = self._without_model(segments)
        left = [asked for asked in segments if asked not in answers and encoded.has(asked.text)]
        answers |= self._by_model(left, encoded)
        return {asked: answers.get(asked, _NOTHING) for asked in segments}

    def _without_model(self, segments: Sequence[Asked]) -> dict[Asked, Answer]:
        """Segments whose translation is given, that have nothing to translate, or whose marks no model could read."""
        texts = list(dict.fromkeys(asked.text for asked in segments))
        given = self.aids.given.find(texts) if self.aids.given is not None else {}
        answers: dict[Asked, Answer] = {}
        for asked in segments:
            text = asked.text
            if text in given:
                answers[asked] = Answer((given[text],), is_given=True)
            elif self._segmentation.copy_wordless and is_wordless(text):
                answers[asked] = Answer((text,))
            elif has_marks(text) and not self._reads_numbers():
                answers[asked] = _LOST
        return answers

    def _reads_numbers(self) -> bool:
        """Whether numbers may stand for marks."""
        if self._segmentation.markup == "apart":
            return False
        return all(map(_spells_numbers, (self._source_tokenizer, self._target_tokenizer)))

    def _by_model(self, segments: Sequence[Asked], encoded: _Encoded) -> dict[Asked, Answer]:
        prefixes = [asked.prefix for asked in dict.fromkeys(segments) if asked.prefix]
        demands = dict(zip(prefixes, map(_demand, self._target_tokenizer.encode(prefixes)), strict=True))
        sources = {asked: _Source(encoded[asked.text], demands.get(asked.prefix, NOTHING)) for asked in segments}
        outcomes = dict(zip(sources, self._generate(list(sources.values())), strict=True))
        decoded, looping = self._decode(outcomes), _looping(outcomes, sources)
        return {
            asked: self._with_pieces(
                _answer(asked.text, found, decoded.get(asked, ()), asked in looping), sources[asked]
            )
            for asked, found in outcomes.items()
        }

    def _with_pieces(self, answer: Answer, source: _Source) -> Answer:
        """The same with what the model says of the pieces of its best output, where that is asked for."""
        if not answer.hypotheses or not self._search.tells_pieces:
            return answer
        source_pieces, target_pieces = self._source_tokenizer.pieces, self._target_tokenizer.pieces
        best = answer.hypotheses[0]
        return replace(answer, pieces=told(source_pieces(source.ids), target_pieces(best.tokens), best))

    def _generate(self, sources: list[_Source]) -> list[Outcome]:
        """Run the engine on what is not kept."""
        memory = self.aids.memory
        if memory is None:
            return self._run(sources)
        keys = [source.key for source in sources]
        return memory.recall(keys, self._search, lambda some: self._run([sources[place] for place in some]))

    def _run(self, sources: list[_Source]) -> list[Outcome]:
        """Run the engine; when it raises, find the sources it raises for."""

        def run(some: Sequence[_Source]) -> list[list[Hypothesis]]:
            demands = [source.demand for source in some]
            asked = [demands] if any(demand.tokens for demand in demands) else []
            return self._engine.generate([source.ids for source in some], self._search, *asked)

        return isolated(run, sources, _Source(_NO_PREFIX), "segments")

    def _decode(self, outcomes: Mapping[Asked, Outcome]) -> dict[Asked, list[str]]:
        """The n best outputs of each segment that did not fail, as text on one line."""
        done = {asked: outcome for asked, outcome in outcomes.items() if not isinstance(outcome, str)}
        outputs = self._target_tokenizer.decode([hypothesis.tokens for found in done.values() for hypothesis in found])
        texts = iter([output.replace("\n", " ") for output in outputs])
        return {asked: [next(texts) for _ in found] for asked, found in done.items()}

    def _assemble(self, record: Segmented, found: Sequence[Answer], encoded: _Encoded, *, parted: bool) -> Prediction:
        """Join the outputs of a record's segments."""
        for number, (text, answer) in enumerate(zip(record.segments, found, strict=True), 1):
            if answer.error is not None:
                where = f"segment {number} of {len(found)} ({numbered(text)[:_SHOWN_CHARACTERS]!r})"
                reason = f"{where}: {answer.error}"
                return Prediction(segments=len(found), error=reason, overlong=record.is_cut, parted=parted)
        pairs = zip(record.segments, found, strict=True)
        sources = [text if answer.texts == (text,) else encoded.normalized(text) for text, answer in pairs]
        n_best = []
        for rank in range(max((len(answer.texts) for answer in found), default=1)):
            joined = record.join([_at(answer.texts, rank) for answer in found], self._spaced, sources)
            hypotheses = [_at(answer.hypotheses, rank) for answer in found if answer.hypotheses]
            n_best.append((joined, self._score(hypotheses)))
        text, score = n_best[0]
        return Prediction(
            text,
            score,
            n_best=tuple((other, value) for other, value in n_best if value is not None),
            segments=len(found),
            finished=all(answer.finished for answer in found),
            looping=any(answer.looping for answer in found),
            overlong=record.is_cut,
            parted=parted,
            flags=tuple(dict.fromkeys(flag for answer in found for flag in answer.flags)),
            given=sum(answer.is_given for answer in found),
            second=sum(answer.is_second for answer in found),
            pieces=tuple(answer.pieces for answer in found if answer.pieces is not None),
        )

    def _score(self, hypotheses: list[Hypothesis]) -> float | None:
        """The score of one output made of all the hypotheses' tokens; None where there are no such, or no scores."""
        if not hypotheses:
            return None
        total = sum(hypothesis.log_probability for hypothesis in hypotheses)
        length = sum(len(hypothesis.tokens) + hypothesis.finished for hypothesis in hypotheses)
        return None if math.isnan(total) else total / float(length**self._search.length_penalty)


class _Encoded:
    """Piece ids by text; every text is normalised and encoded once."""

    def __init__(self, tokenizer: PieceTokenizer, normalization: NormalizeConfig, prefix: TokenIds) -> None:
        self._tokenizer = tokenizer
        self._normalization = normalization
        self._prefix = prefix
        self._known: dict[str, TokenIds] = {}
        self._normalized: dict[str, str] = {}

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Encode texts; their lengths in pieces, with the prefix."""
        read = pa.array(map(numbered, texts), pa.string())
        normalized = normalize(TextColumn(read), self._normalization).column.to_pylist()
        self._known.update(zip(texts, self._tokenizer.encode(normalized), strict=True))
        self._normalized.update(zip(texts, normalized, strict=True))
        return [len(self._prefix) + len(self._known[text]) for text in texts]

    def learn(self, texts: Sequence[str]) -> None:
        """Encode what is not known yet."""
        self.lengths([text for text in texts if text not in self._known])

    def __getitem__(self, text: str) -> TokenIds:
        known = self._known[text]
        return np.concatenate([self._prefix, known]) if len(self._prefix) else known

    def normalized(self, text: str) -> str:
        """What was encoded of a text."""
        return self._normalized[text]

    def has(self, text: str) -> bool:
        """Whether normalisation leaves anything of a text."""
        return len(self._known[text]) > 0


def _spells_numbers(tokenizer: PieceTokenizer) -> bool:
    return can_be_read(lambda text: tokenizer.decode(tokenizer.encode([text]))[0])


def _asked(record: Segmented, prefix: str) -> list[Asked]:
    """The segments of a record, the first with what its translation begins with."""
    return [Asked(text, "" if place else prefix) for place, text in enumerate(record.segments)]


def _distinct(records: Sequence[Segmented], prefixes: Sequence[str]) -> list[Asked]:
    """All segments, each once."""
    pairs = zip(records, prefixes, strict=True)
    return list(dict.fromkeys(asked for record, prefix in pairs for asked in _asked(record, prefix)))


def _demand(prefix: TokenIds) -> Demand:
    return Demand(tuple(prefix.tolist()))


def _answer(text: str, outcome: Outcome, outputs: Sequence[str], is_looping: bool) -> Answer:
    """What became of a segment: those of its outputs that have kept its marks."""
    if isinstance(outcome, str):
        return Answer((), error=outcome)
    whole = [restored(output, text) for output in outputs]
    kept = [(output, found) for output, found in zip(whole, outcome, strict=True) if output is not None]
    if outputs and not kept:
        return _LOST
    texts, hypotheses = tuple(output for output, _ in kept), tuple(found for _, found in kept)
    return Answer(texts or ("",), hypotheses, is_looping)


def _unreadable(text: str) -> str | None:
    """Why no tokenizer can read a text: lone surrogates, which JSON can spell and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"the text is not valid Unicode: {text[error.start]!r} at character {error.start}"
    return None


def _looping(outcomes: Mapping[Asked, Outcome], sources: Mapping[Asked, _Source]) -> set[Asked]:
    """The segments whose best output has fallen into a loop."""
    best = {asked: found[0].tokens for asked, found in outcomes.items() if found and not isinstance(found, str)}
    loops = find_loops([*best.values()], [sources[asked].ids for asked in best])
    return {asked for asked, loop in zip(best, loops.tolist(), strict=True) if loop}


def _at(values: Sequence[_T], rank: int) -> _T:
    """The value of this rank, or the last one."""
    return values[min(rank, len(values) - 1)]
