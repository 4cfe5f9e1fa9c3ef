"""Hypotheses and references in, corpus BLEU, chrF and exact matches with their signatures out.

BLEU: Papineni et al., "BLEU: a method for automatic evaluation of machine translation" (ACL 2002); chrF: Popović,
"chrF: character n-gram F-score for automatic MT evaluation" (WMT 2015); both as sacreBLEU computes them (Post, "A call
for clarity in reporting BLEU scores", WMT 2018).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sacrebleu.metrics.bleu import BLEU, BLEUScore
from sacrebleu.metrics.chrf import CHRF, CHRFScore

from seq2seq_core.errors import ConfigError, InputError

TOKENIZERS = ("13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none")
"""Tokenizations of sacreBLEU that download nothing; `ja-mecab` and `ko-mecab` need its extras `ja` and `ko`."""


@dataclass(frozen=True)
class TranslationScores:
    """Scores of a whole corpus.

    Attributes:
        segments: Pairs compared.
        bleu: BLEU in points of 100; `precisions` of its n-grams, n = 1 to 4, likewise.
        brevity_penalty: Factor (0 to 1) for hypotheses that are shorter than the references.
        chrf: chrF2 in points of 100.
        exact_match: Share (0 to 1) of hypotheses that equal their reference, white space around them aside.
        bleu_signature, chrf_signature: sacreBLEU's, without which a score cannot be compared.
    """

    segments: int
    bleu: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    bleu_signature: str
    chrf: float
    chrf_signature: str
    exact_match: float

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return dataclasses.asdict(self)

    def table(self) -> str:
        """Three lines for the terminal."""
        precisions = "/".join(f"{precision:.1f}" for precision in self.precisions)
        bleu = f"{precisions} (brevity penalty {self.brevity_penalty:.3f})  {self.bleu_signature}"
        return "\n".join(
            [
                f"BLEU   {self.bleu:6.2f}  {bleu}",
                f"chrF2  {self.chrf:6.2f}  {self.chrf_signature}",
                f"exact  {100 * self.exact_match:6.2f}  % of {self.segments:,} segments",
            ]
        )


@dataclass(frozen=True)
class LoweredBleu:
    """BLEU of lower-cased words, in points of 100, as many papers give it, and its signature."""

    bleu: float
    signature: str

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return dataclasses.asdict(self)

    def line(self) -> str:
        """A line for the terminal."""
        return f"BLEU lc {self.bleu:6.2f}  {self.signature}"


class TranslationMetric:
    """Scores that come from sums over segments, so that parts of a corpus can be counted apart.

    Args:
        tokenize: How BLEU finds words: one of `TOKENIZERS`.
        lowercase: Compare without case (exact matches always mind it).

    Raises:
        ConfigError: The tokenization is unknown, or what it needs is not installed.
    """

    def __init__(self, tokenize: str = "13a", *, lowercase: bool = False) -> None:
        if tokenize not in TOKENIZERS:
            raise ConfigError("unknown tokenization for BLEU", found=tokenize, expected=", ".join(TOKENIZERS))
        try:
            self._bleu = _SummedBleu(lowercase=lowercase, tokenize=tokenize, force=True)
        except (ImportError, RuntimeError) as error:
            extra = tokenize.partition("-")[0]
            raise ConfigError(
                f"the BLEU tokenization {tokenize} is not installed", advice=f"pip install 'sacrebleu[{extra}]'."
            ) from error
        self._chrf = _SummedChrf(lowercase=lowercase)

    def sums(self, hypotheses: Sequence[str], references: Sequence[str]) -> npt.NDArray[np.int64]:
        """Counts of a part of a corpus, possibly empty; those of the whole are the sum over its parts.

        Raises:
            InputError: There are not as many hypotheses as references.
        """
        if len(hypotheses) != len(references):
            raise InputError(
                "hypotheses and references do not match",
                found=f"{len(hypotheses)} hypotheses",
                expected=f"{len(references)}, one a reference",
            )
        exact = sum(h.strip() == r.strip() for h, r in zip(hypotheses, references, strict=True))
        counts = [len(hypotheses), exact, *self._bleu.sums(hypotheses, references)]
        return np.array([*counts, *self._chrf.sums(hypotheses, references)], np.int64)

    def scores(self, sums: npt.NDArray[np.int64]) -> TranslationScores:
        """The scores of a corpus from its sums.

        Raises:
            InputError: The corpus is empty.
        """
        segments, exact, *counts = sums.tolist()
        if not segments:
            raise InputError("there is nothing to score", found="no segments")
        self._bleu.num_refs = self._chrf.num_refs = 1  # an empty part leaves -1, "varying", for the signatures
        bleu = self._bleu.score_of(counts[: self._bleu.width])
        chrf = self._chrf.score_of(counts[self._bleu.width :])
        return TranslationScores(
            segments=segments,
            bleu=bleu.score,
            precisions=tuple(bleu.precisions),
            brevity_penalty=bleu.bp,
            bleu_signature=str(self._bleu.get_signature()),
            chrf=chrf.score,
            chrf_signature=str(self._chrf.get_signature()),
            exact_match=exact / segments,
        )

    def measured(self, sums: npt.NDArray[np.int64]) -> dict[str, float]:
        """BLEU and chrF of a corpus by name."""
        scores = self.scores(sums)
        return {"bleu": scores.bleu, "chrf": scores.chrf}


def score(
    hypotheses: Sequence[str], references: Sequence[str], *, tokenize: str = "13a", lowercase: bool = False
) -> TranslationScores:
    """Score a corpus; arguments and errors are those of `TranslationMetric` and its methods."""
    metric = TranslationMetric(tokenize, lowercase=lowercase)
    return metric.scores(metric.sums(hypotheses, references))


def lowered_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> LoweredBleu:
    """BLEU of words without case, found by 13a; the errors are those of `score`."""
    scores = score(hypotheses, references, lowercase=True)
    return LoweredBleu(scores.bleu, scores.bleu_signature)


class _SummedBleu(BLEU):
    """BLEU from the sums of its counts: lengths of both sides, matching and all n-grams for n = 1 to 4."""

    @property
    def width(self) -> int:
        return 2 + 2 * self.max_ngram_order

    def sums(self, hypotheses: Sequence[str], references: Sequence[str]) -> list[int]:
        return _summed(self._extract_corpus_statistics(hypotheses, [references]), self.width)

    def score_of(self, sums: list[int]) -> BLEUScore:
        return self._compute_score_from_stats(sums)


class _SummedChrf(CHRF):
    """chrF from the sums of its counts: n-grams of the hypothesis, of the reference, and of both, for n = 1 to 6."""

    @property
    def width(self) -> int:
        return 3 * self.order

    def sums(self, hypotheses: Sequence[str], references: Sequence[str]) -> list[int]:
        return _summed(self._extract_corpus_statistics(hypotheses, [references]), self.width)

    def score_of(self, sums: list[int]) -> CHRFScore:
        return self._compute_score_from_stats(sums)


def _summed(counts: list[list[int]], width: int) -> list[int]:
    totals: list[int] = np.array(counts, np.int64).reshape(-1, width).sum(axis=0).tolist()
    return totals
