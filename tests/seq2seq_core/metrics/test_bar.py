from __future__ import annotations

import math

import pytest

from seq2seq_core.errors import BelowBarError
from seq2seq_core.metrics.bar import check_bars


@pytest.mark.parametrize("value", [30.0, 30.1, 100.0])
def test_a_score_that_reaches_its_bar_is_good_enough(value: float) -> None:
    check_bars({"bleu": value, "chrf": 0.0}, {"bleu": 30.0}, {})
    check_bars({"wer": -value}, {}, {"wer": -30.0})


@pytest.mark.parametrize("value", [29.999, 0.0, math.nan])
def test_a_score_that_misses_its_bar_is_named(value: float) -> None:
    with pytest.raises(BelowBarError, match=f"bleu: not good enough; found {value:.4g}; expected 30 or more"):
        check_bars({"bleu": value, "chrf": 0.0}, {"bleu": 30.0}, {})


@pytest.mark.parametrize("value", [10.001, math.inf, math.nan])
def test_so_is_an_error_rate_beyond_it(value: float) -> None:
    with pytest.raises(BelowBarError, match="wer"):
        check_bars({"wer": value}, {}, {"wer": 10.0})


def test_all_that_miss_are_named() -> None:
    with pytest.raises(BelowBarError, match="bleu, chrf: not good enough; found 1, 2; expected 5 or more, 6 or more"):
        check_bars({"bleu": 1.0, "chrf": 2.0, "exact": 9.0}, {"bleu": 5.0, "chrf": 6.0, "exact": 7.0}, {})
