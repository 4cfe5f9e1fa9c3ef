"""What search takes (SearchConfig) and what it returns (Hypothesis)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr, model_validator

from seq2seq_core.config import Config

_LONGEST_OUTPUT = 1 << 20
_FEWEST_CANDIDATES = 10
_USUAL_CTC_WEIGHT = 0.3  # Watanabe et al. 2017
_OF_STEPS = (
    *("n_best", "attention", "alignment", "length_reward", "min_length_ratio", "no_repeat_ngram"),
    *("coverage_penalty", "repetition_penalty", "sample"),
)
_OF_SAMPLES = ("temperature", "top_k", "top_p", "seed")
_LATER = frozenset(
    {
        *("ctc_weight", "ctc_candidates", "length_reward", "min_length_ratio", "no_repeat_ngram", "ngram_repeats"),
        *("align", "alignment", "coverage_penalty", "repetition_penalty", "lookahead"),
        *("sample", "temperature", "top_k", "top_p", "seed", "token_scores"),
    }
)
"""Keys that came when translations had been made already."""


class SearchConfig(Config):
    """How hypotheses are searched. The limits depend on the sentence alone, never on its batch."""

    beam: int = Field(5, ge=1, le=1024, description="hypotheses kept a sentence; 1 is greedy search")
    length_penalty: float = Field(
        1.0, ge=0, le=10, description="exponent p of the score: log probability / length**p (0 prefers short outputs)"
    )
    lookahead: int | None = Field(
        2,
        ge=0,
        le=1 << 20,
        description="a beam search of a sentence ends when nothing could come among the n best within so many more "
        "tokens, even if they were certain; null: within its limit, which is exact and takes half as many steps again",
    )
    n_best: int = Field(1, ge=1, le=1024, description="hypotheses returned a sentence, best first")
    max_length_ratio: float = Field(
        2.0, gt=0, le=1000, description="an output ends after ratio * source length + extra tokens"
    )
    max_length_extra: int = Field(20, ge=1, le=1 << 20, description="see max_length_ratio")
    attention: bool = Field(False, description="return the attention of each output token over the source")
    ctc_weight: float | None = Field(
        None,
        ge=0,
        le=1,
        description="what the scores of frames count for (CTC), and the decoder for the rest; 0 is the decoder alone, "
        "1 the best path through the frames, without decoder or beam; null: 0.3 where the model was trained with CTC",
    )
    ctc_candidates: int | None = Field(
        None,
        ge=1,
        le=1 << 20,
        description="so many next tokens of a hypothesis, the decoder's best, are scored by CTC; null: twice the beam, "
        "at least 10",
    )
    length_reward: float = Field(
        0.0, ge=0, le=100, description="added to the score for each token; needs a length_penalty other than 1"
    )
    min_length_ratio: float = Field(
        0.0, ge=0, le=1000, description="an output has at least ratio * source length tokens"
    )
    no_repeat_ngram: int = Field(
        0, ge=0, le=1000, description="so many tokens in a row do not come again in an output; 0: they may"
    )
    ngram_repeats: int = Field(0, ge=0, le=1000, description="how often no_repeat_ngram lets them come again")
    align: bool = Field(
        False, description="return where in the source each output token lies; of speech, as both run the same way"
    )
    alignment: bool = Field(
        False, description="return the one source position that each output token attends to most; of text"
    )
    token_scores: bool = Field(False, description="return the log probability of each output token")
    coverage_penalty: float = Field(
        0.0, ge=0, le=100, description="what counts against an output that leaves parts of the source unattended"
    )
    repetition_penalty: float = Field(
        1.0,
        ge=1,
        le=100,
        description="a token that came before is so many times less likely, in its logit; 1: as likely",
    )
    sample: bool = Field(
        False, description="draw n_best outputs of each source by their probabilities, instead of a search with a beam"
    )
    temperature: float = Field(
        1.0, gt=0, le=100, description="samples: what log probabilities are divided by; below 1 likely tokens gain"
    )
    top_k: int = Field(0, ge=0, le=1 << 31, description="samples: only so many most probable tokens; 0: all")
    top_p: float = Field(
        1.0, gt=0, le=1, description="samples: only the fewest most probable tokens that have this much together"
    )
    seed: int = Field(
        0, ge=0, le=(1 << 63) - 1, description="samples: another seed gives others; the same source draws the same"
    )

    _returns_scores: bool = PrivateAttr(default=True)

    @model_validator(mode="after")
    def _n_best_fits(self) -> SearchConfig:
        if self.n_best > self.beam and not self.sample:
            raise ValueError(f"n_best ({self.n_best}) is larger than beam ({self.beam})")
        return self

    @model_validator(mode="after")
    def _has_an_effect(self) -> SearchConfig:
        if self.length_reward and self.length_penalty == 1:
            raise ValueError(
                f"length_reward ({self.length_reward}) changes nothing with length_penalty 1, the mean of all tokens: "
                "set length_penalty to 0"
            )
        if self.min_length_ratio > self.max_length_ratio:
            raise ValueError(
                f"min_length_ratio ({self.min_length_ratio}) is larger than max_length_ratio ({self.max_length_ratio})"
            )
        if self.ngram_repeats and not self.no_repeat_ngram:
            raise ValueError(f"ngram_repeats ({self.ngram_repeats}) needs no_repeat_ngram, which is 0")
        changed = next((name for name in _OF_SAMPLES if getattr(self, name) != _usual(name)), None)
        if changed is not None and not self.sample:
            raise ValueError(f"{changed} ({getattr(self, changed)}) needs sample, which is false")
        return self

    @model_validator(mode="after")
    def _best_path_alone(self) -> SearchConfig:
        """Keys that ask for what a best path does not have."""
        if self.ctc_weight == 1:
            for name in _OF_STEPS:
                if getattr(self, name) != _usual(name):
                    raise ValueError(f"ctc_weight is 1, the best path of CTC alone, which knows no {name}")
        return self

    def settled(self, *, has_frame_scores: bool) -> SearchConfig:
        """The same with the weight of CTC written out: a decoder by itself may pass over words or say them again."""
        if self.ctc_weight is not None:
            return self
        return self.model_copy(update={"ctc_weight": _USUAL_CTC_WEIGHT if has_frame_scores else 0.0})

    @property
    def candidates(self) -> int:
        """`ctc_candidates`, or what null stands for."""
        return self.ctc_candidates or max(2 * self.beam, _FEWEST_CANDIDATES)

    @property
    def returns_scores(self) -> bool:
        """Whether hypotheses have scores, where the search itself does not need them; see `unscored`."""
        return self._returns_scores or self.rows > 1 or self.sample or self.token_scores

    def unscored(self) -> Self:
        """The same for somebody who looks at no scores: those of a search that compares none may be NaN.

        The probability of the most likely token takes the sum of all, which the token itself does not.
        """
        other = self.model_copy()
        other._returns_scores = False  # noqa: SLF001 (its own copy)
        return other

    @property
    def rows(self) -> int:
        """How many hypotheses of a sentence are worked on side by side."""
        return self.n_best if self.sample else self.beam

    @property
    def keeps_attention(self) -> bool:
        """Whether a search has to keep the attention of its steps."""
        return self.attention or self.align or self.alignment

    @property
    def tells_pieces(self) -> bool:
        """Whether something is to be said of each token of an output."""
        return self.token_scores or self.alignment or self.attention

    def identity(self) -> dict[str, Any]:
        """The keys as plain values, those that came later only where they are set: what was translated before they
        came need not be translated again.
        """
        values = self.model_dump(mode="json")
        return {name: value for name, value in values.items() if name not in _LATER or value != _usual(name)}

    def max_length(self, source_length: int) -> int:
        """Output tokens, EOS included, after which a hypothesis is cut.

        `source_length` counts encoder positions but the last; of text these are pieces without EOS.
        """
        limit = min(self.max_length_ratio * source_length, float(_LONGEST_OUTPUT))  # no product is too large for an int
        return min(int(limit) + self.max_length_extra, _LONGEST_OUTPUT)


def _usual(name: str) -> Any:
    return SearchConfig.model_fields[name].default


@dataclass(frozen=True)
class Hypothesis:
    """One output of search.

    Attributes:
        tokens: Piece ids (int32) without BOS and EOS.
        score: What the ranking goes by: `log_probability / length**length_penalty`, length with EOS; and what
            `coverage_penalty` takes off.
        log_probability: Sum of the tokens' natural log probabilities, EOS included, as step processors change them; a
            token that was demanded by a prefix counts 0. It and `score` may be NaN in an unscored search.
        finished: Whether EOS was reached; False when the length limit cut the output.
        attention: float32, a row for each token (EOS, where it was reached, included) x a column for each encoder
            position (of text: each source piece and then EOS; not those that tell a model of others the language or
            what to do); None unless asked for.
        spans: int32, tokens x 2: the source positions [begin, end) of each token, sorted, within the source; None
            unless asked for.
        token_scores: float64, one for each token: its share of `log_probability`; None where an engine does not tell
            by itself, and `SearchConfig.token_scores` is not set. An engine whose search does not know it asks the
            model, without what changes its scores.
        alignment: int32, one for each token: the encoder position that it attends to most; None unless asked for.
    """

    tokens: npt.NDArray[np.int32]
    score: float
    log_probability: float
    finished: bool
    attention: npt.NDArray[np.float32] | None = None
    spans: npt.NDArray[np.int32] | None = None
    token_scores: npt.NDArray[np.float64] | None = None
    alignment: npt.NDArray[np.int32] | None = None


def attended(attention: npt.NDArray[np.float32] | None, tokens: int) -> npt.NDArray[np.int32]:
    """The position that each of so many tokens looks at most (int32); of equal ones the first."""
    if attention is None or not tokens:
        return np.zeros(tokens, np.int32)
    places: npt.NDArray[np.int32] = attention[:tokens].argmax(1).astype(np.int32)
    return places
