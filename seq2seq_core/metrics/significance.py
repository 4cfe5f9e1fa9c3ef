"""Two outputs for the same sources, and references, in; whether one is better by more than chance out.

Paired bootstrap resampling (Koehn, "Statistical significance tests for machine translation evaluation", EMNLP 2004), as
sacreBLEU does it: segments are drawn with replacement, the same for both outputs, again and again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from seq2seq_core.errors import InputError

_NAMES = ("baseline", "hypotheses")


@dataclass(frozen=True)
class Difference:
    """One score of two outputs.

    Attributes:
        name: Of the score, as sacreBLEU calls it.
        score, baseline: In points of 100.
        interval, baseline_interval: Half of the width in which 95 % of the drawn corpora lie, in points.
        p_value: How likely it is that chance makes such a difference.
        signature: That of sacreBLEU, with the number of drawn corpora.
    """

    name: str
    score: float
    baseline: float
    interval: float
    baseline_interval: float
    p_value: float
    signature: str

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return dataclasses.asdict(self)

    def line(self) -> str:
        """A line for the terminal."""
        both = f"{self.score:.2f} ± {self.interval:.2f} against {self.baseline:.2f} ± {self.baseline_interval:.2f}"
        return f"{self.name:6} {self.score - self.baseline:+6.2f}  {both}  p = {self.p_value:.4f}  {self.signature}"


def differences(
    hypotheses: Sequence[str],
    baseline: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str = "13a",
    lowercase: bool = False,
    resamples: int = 1000,
) -> list[Difference]:
    """BLEU and chrF of both outputs.

    Raises:
        InputError: There are not as many segments in all three, or none.
    """
    counts = (len(hypotheses), len(baseline), len(references))
    if len(set(counts)) != 1 or not counts[0]:
        raise InputError(
            "outputs and references do not match",
            found=f"{counts[0]} hypotheses, {counts[1]} of the baseline",
            expected=f"{counts[2] or 'some'}, one a reference",
        )
    metrics: dict[str, Metric] = {
        "bleu": BLEU(lowercase=lowercase, tokenize=tokenize, force=True),
        "chrf": CHRF(lowercase=lowercase),
    }
    systems = list(zip(_NAMES, (baseline, hypotheses), strict=True))
    test = PairedTest(systems, metrics, [references], test_type="bs", n_samples=resamples)
    signatures, found = test()
    scores = cast(dict[str, list[Any]], found)  # annotated as if a name could stand among the results
    return [
        Difference(
            name=name,
            score=float(new.score),
            baseline=float(old.score),
            interval=float(new.ci),
            baseline_interval=float(old.ci),
            p_value=1.0 if new.score == old.score else float(new.p_value),  # sacreBLEU counts no ties
            signature=str(signatures[name]),
        )
        for name, (old, new) in scores.items()
        if name in signatures
    ]
