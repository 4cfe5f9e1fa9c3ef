from __future__ import annotations

import json
import math

import pytest

from seq2seq_core.errors import Seq2SeqError
from seq2seq_core.metrics.measures import Judge, MeasureName
from seq2seq_core.training.checkpoints.run_state import RunState, Validation, Window, perplexity


def validation(step: int, bleu: float | None = None, loss: float = 1.0) -> Validation:
    return Validation(step=step, epoch=0, loss=loss, bleu=bleu, chrf=None, seconds=0.5)


def test_the_best_is_the_first_of_the_highest_scores() -> None:
    state = RunState(validations=(validation(10, 20.0), validation(20, 30.0), validation(30, 30.0)))
    best = state.best("bleu")
    assert best is not None
    assert best.step == 20
    assert state.since_best("bleu") == 1


def test_a_lower_loss_is_better() -> None:
    state = RunState(validations=(validation(10, loss=2.0), validation(20, loss=1.5), validation(30, loss=1.7)))
    best = state.best("loss")
    assert best is not None
    assert best.step == 20


def test_equal_scores_are_told_apart_by_the_loss() -> None:
    state = RunState(validations=(validation(10, 0.0, loss=9.0), validation(20, 0.0, loss=8.0)))
    assert state.since_best("bleu") == 0


def test_a_loss_that_is_no_number_is_worst() -> None:
    state = RunState(validations=(validation(10, loss=math.nan), validation(20, loss=9.0)))
    best = state.best("loss")
    assert best is not None
    assert best.step == 20


@pytest.mark.parametrize("metric", ["wer", "cer"])
def test_a_lower_error_rate_is_better(metric: MeasureName) -> None:
    rates = ((10, 120.0), (20, 8.0), (30, 9.5), (40, 8.0), (50, math.inf), (60, math.nan))
    state = RunState(validations=tuple(validation(s).model_copy(update={metric: rate}) for s, rate in rates))
    best = state.best(metric)
    assert best is not None
    assert (best.step, state.since_best(metric)) == (20, 4)
    ranked = sorted(state.validations, key=lambda v: v.score(metric), reverse=True)
    assert [v.step for v in ranked][:4] == [20, 40, 30, 10]


def test_records_of_before_there_were_error_rates_are_read_and_written_as_they_were() -> None:
    old = {"step": 10, "epoch": 0, "loss": 1.0, "bleu": 2.0, "chrf": None, "seconds": 0.5}
    assert Validation.model_validate(old).model_dump() == old
    rates = validation(10).model_copy(update={"wer": 5.0, "cer": 1.0})
    assert Validation.model_validate(json.loads(json.dumps(rates.model_dump()))) == rates
    assert rates.scores == {"wer": 5.0, "cer": 1.0}


def test_without_validations_there_is_no_best() -> None:
    assert RunState().best("bleu") is None
    assert RunState().since_best("bleu") == 0


def test_a_metric_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(Seq2SeqError, match="step 10 did not measure bleu"):
        validation(10).score("bleu")


def test_a_window_adds_up() -> None:
    window = Window().plus(3.0, 2.0, 0.5, 10).plus(1.0, 1.0, 0.25, 5)
    assert window == Window(loss=4.0, nll=3.0, gradient_norm=0.75, tokens=15, steps=2)


def test_everything_survives_json() -> None:
    state = RunState(step=3, window=Window().plus(0.1, 0.2, 0.3, 4), validations=(validation(2, loss=math.inf),))
    assert RunState.model_validate(json.loads(json.dumps(state.model_dump()))) == state


def test_perplexity_of_a_huge_loss_is_infinite() -> None:
    assert perplexity(0.0) == 1.0
    assert perplexity(1e6) == math.inf


def test_a_weighted_sum_decides_where_there_are_weights() -> None:
    values = ((10, 20.0, 50.0, 2.0), (20, 24.0, 48.0, 2.0), (30, 20.0, 50.0, 1.0))
    state = RunState(
        validations=tuple(
            Validation(step=step, epoch=0, loss=loss, bleu=bleu, chrf=chrf, seconds=0.1)
            for step, bleu, chrf, loss in values
        )
    )
    judges: list[tuple[Judge, int]] = [
        ({"bleu": 1.0, "chrf": 1.0}, 20), ({"chrf": 1.0}, 30), ({"bleu": 1.0, "loss": 5.0}, 30), ("bleu", 20),
    ]  # fmt: skip
    for judge, step in judges:
        best = state.best(judge)
        assert best is not None
        assert best.step == step


def test_plateaus_are_counted_anew_after_each() -> None:
    def plateaus(*losses: float, patience: int = 2) -> int:
        state = RunState(validations=tuple(validation(i, loss=loss) for i, loss in enumerate(losses)))
        return state.plateaus("loss", patience)

    assert plateaus() == plateaus(3.0, 2.0, 1.0) == plateaus(3.0, 2.0, 2.5) == 0
    assert plateaus(3.0, 2.0, 2.5, 2.5) == plateaus(3.0, 2.0, 2.5, 2.5, 2.5) == 1
    assert plateaus(3.0, 2.0, 2.5, 2.5, 2.5, 2.5) == plateaus(3.0, 3.1, 3.1, 2.0, 2.0, 2.0) == 2
    assert plateaus(3.0, 3.1, 2.9, 3.0, patience=1) == 2
