"""Chunks of samples in, words with times out, by a Whisper model on CTranslate2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.terms import Samples
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.recognition import SILENCE, Recognized
from seq2seq_core.engines.whisper_folder import NO_TIMES, START, WhisperFolder
from seq2seq_core.engines.whisper_mel import RATE, SHIFT, whisper_mel
from seq2seq_core.engines.whisper_words import token_bytes, words_of
from seq2seq_core.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import ctranslate2

MOST_TOKENS = 224
"""Of a chunk: half of the positions that Whisper's decoder has, as in its own programs."""

_STATE = 2 * SHIFT  # samples that a state of the encoder stands for
_NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")
_LEAST_PROBABILITY = 1e-10
_LONG_PROMPT, _SHORT_PROMPT = 4, 2  # with and without language and task
_UNKNOWN = (
    *("attention", "ctc_weight", "length_reward", "min_length_ratio", "ngram_repeats"),
    *("coverage_penalty", "repetition_penalty"),
)
"""Keys of a search that CTranslate2's does not have."""


class Way(NamedTuple):
    """How a model is used.

    Attributes:
        language: The code of what is spoken; None is found out for each chunk.
        task: The name of a task token.
        suppress_tokens: Ids that are never said; -1 stands for those that the model names.
        at_once: Chunks of a batch.
    """

    language: str | None
    task: str
    suppress_tokens: tuple[int, ...]
    at_once: int


class WhisperRecognizer:
    """A Whisper model on CTranslate2."""

    rate = RATE

    def __init__(self, model: ctranslate2.models.Whisper, folder: WhisperFolder, way: Way) -> None:
        """Take over a loaded model, whose folder this is.

        Raises:
            ConfigError: The model does not know the language or task.
        """
        self._model, self._way = model, way
        self._ids = {token: number for number, token in enumerate(folder.vocabulary)}
        self._bytes = token_bytes(folder.vocabulary)
        self._tells_no_speech = any(token in self._ids for token in _NO_SPEECH)
        self._seconds = folder.seconds
        self.longest, self.digest = float(folder.seconds), folder.digest
        self._check(folder.where)

    def recognize(self, chunks: Sequence[Samples], options: SearchConfig) -> list[Recognized]:
        """See `Recognizer.recognize`.

        Raises:
            ModelError: A chunk is longer than what the model hears.
            ConfigError: The options ask for what this engine does not have.
        """
        search = _search(options, self._limit(options), _LONG_PROMPT if self._model.is_multilingual else _SHORT_PROMPT)
        self._check_lengths(chunks)
        found: dict[int, Recognized] = {}
        order = sorted(range(len(chunks)), key=lambda place: len(chunks[place]))
        for begin in range(0, len(order), self._way.at_once):
            places = order[begin : begin + self._way.at_once]
            found.update(zip(places, self._batch([chunks[place] for place in places], search), strict=True))
        return [found[place] for place in range(len(chunks))]

    def _batch(self, chunks: list[Samples], search: _Search) -> Iterator[Recognized]:
        from ctranslate2 import StorageView

        frames = whisper_mel(chunks, self._model.n_mels, self._seconds)
        encoded = self._model.encode(StorageView.from_array(frames))
        languages = self._languages(encoded, len(chunks))
        prompts = [self._prompt(language) for language in languages]
        suppressed = list(self._way.suppress_tokens)
        said = self._model.generate(encoded, prompts, suppress_tokens=suppressed, **search.options)
        tokens = [self._texts(one.sequences_ids[0]) for one in said]
        aligned = self._aligned(encoded, languages, tokens, [-(-len(chunk) // SHIFT) for chunk in chunks])
        for chunk, one, text, spans, language in zip(chunks, said, tokens, aligned, languages, strict=True):
            yield self._recognized(len(chunk), one, text, spans, language, search) if len(chunk) else SILENCE

    def _languages(self, encoded: ctranslate2.StorageView, count: int) -> list[str | None]:
        """The code of each chunk's; None for all of a model that knows English alone."""
        if not self._model.is_multilingual:
            return [None] * count
        if self._way.language is not None:
            return [self._way.language] * count
        return [ranking[0][0].strip("<|>") for ranking in self._model.detect_language(encoded)]

    def _prompt(self, language: str | None) -> list[int]:
        task = [f"<|{language}|>", f"<|{self._way.task}|>"] if self._model.is_multilingual else []
        return [self._ids[token] for token in (START, *task, NO_TIMES)]

    def _texts(self, tokens: list[int]) -> list[int]:
        """Those that are text."""
        return [token for token in tokens if self._bytes[token]]

    def _aligned(
        self,
        encoded: ctranslate2.StorageView,
        languages: list[str | None],
        tokens: list[list[int]],
        frames: list[int],
    ) -> list[Any]:
        """Where the tokens of each chunk lie, by language, as the library takes one at a time."""
        found: dict[int, Any] = {}
        for language in dict.fromkeys(languages):
            mine = [text if other == language else [] for text, other in zip(tokens, languages, strict=True)]
            if any(mine):
                results = self._model.align(encoded, self._prompt(language)[:-1], mine, frames)
                found.update((place, result) for place, result in enumerate(results) if mine[place])
        return [found.get(place) for place in range(len(tokens))]

    def _recognized(
        self, samples: int, said: Any, tokens: list[int], aligned: Any, language: str | None, search: _Search
    ) -> Recognized:
        length = len(said.sequences_ids[0])
        finished = length < search.limit
        times = _times(aligned.alignments if aligned else [], len(tokens), samples)
        scores = np.log(np.maximum(aligned.text_token_probs, _LEAST_PROBABILITY)) if aligned else None
        text, words = words_of([self._bytes[token] or b"" for token in tokens], times, scores, language)
        return Recognized(
            text=text,
            words=words,
            score=search.sum_of(said.scores[0], length) / (length + finished),
            finished=finished,
            no_speech=said.no_speech_prob if self._tells_no_speech else None,
        )

    def _limit(self, options: SearchConfig) -> int:
        """Tokens of a chunk; the encoder gives the same number of states for all, as zeros follow short ones."""
        return min(MOST_TOKENS, options.max_length(self._seconds * RATE // _STATE - 1))

    def _check_lengths(self, chunks: Sequence[Samples]) -> None:
        longest = max(map(len, chunks), default=0) / RATE
        if longest > self._seconds:
            raise ModelError(
                "a chunk is longer than what the model hears at once",
                found=f"{longest:.1f} s",
                expected=f"{self._seconds} s at most",
                advice="Leave out chunks.longest, or set it lower.",
            )

    def _check(self, where: str) -> None:
        way, known = self._way, self._model.is_multilingual
        if not known and (way.language or "en", way.task) != ("en", "transcribe"):
            found = f"engine.language {way.language}, engine.task {way.task}"
            raise ConfigError("this model transcribes English alone", where=where, found=found)
        if known and f"<|{way.task}|>" not in self._ids:
            raise ConfigError("this model knows no such task", where=where, found=f"engine.task {way.task}")


class _Search(NamedTuple):
    """Options of the library's search; `limit` is the number of tokens after which a text is cut."""

    options: dict[str, Any]
    limit: int
    penalty: float

    def sum_of(self, score: float, length: int) -> float:
        """The log probability of a text of so many tokens: the library's score is that over length**penalty."""
        return score * length**self.penalty if length else score


def _search(options: SearchConfig, limit: int, prompt: int) -> _Search:
    for name in _UNKNOWN:
        if getattr(options, name) != SearchConfig.model_fields[name].default:
            raise ConfigError(
                "this engine does not have it",
                where=f"search.{name}",
                found=getattr(options, name),
                advice="Leave it out.",
            )
    found = {
        "beam_size": options.beam,
        "length_penalty": options.length_penalty,
        "no_repeat_ngram_size": options.no_repeat_ngram,
        # The library takes the positions of the decoder, of which it gives the text half, and no more than are left.
        "max_length": max(2 * limit, limit + prompt - 1),
        "return_scores": True,
        "return_no_speech_prob": True,
    }
    return _Search(found, limit, options.length_penalty)


def _times(alignment: Sequence[tuple[int, int]], tokens: int, samples: int) -> npt.NDArray[np.float64]:
    """Begin and end of each token in seconds, shape (tokens, 2).

    Args:
        alignment: A path through (token, state of the encoder), which ends with the end of the text as a token. Of a
            chunk of a few hundredths of a second there is none, or none in it, and tokens are spread evenly.
        tokens: How many there are.
        samples: How many the chunk has.
    """
    seconds = samples / RATE
    path = np.asarray(alignment, np.int64).reshape(-1, 2)
    begins, places = np.unique(path[:, 0], return_index=True)
    if len(begins) != tokens + 1 or path.min() < 0:
        edges = np.linspace(0, seconds, tokens + 1)
    else:
        edges = np.minimum(path[places, 1] * (_STATE / RATE), seconds)
    return np.stack([edges[:-1], edges[1:]], axis=1)
