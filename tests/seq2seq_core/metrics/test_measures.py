from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from seq2seq_core.metrics.measures import MEASURES, RECOGNITION, SCORES, TRANSLATION, MeasureName
from seq2seq_core.metrics.recognition import RecognitionMetric
from seq2seq_core.metrics.translation import TranslationMetric
from seq2seq_core.training.checkpoints.run_state import Validation


def test_every_measure_is_in_the_table_and_in_a_validation() -> None:
    assert set(MEASURES) == {*get_args(MeasureName)} == {*SCORES, "loss"}
    assert set(SCORES) == {*TRANSLATION, *RECOGNITION}
    assert set(MEASURES) <= Validation.model_fields.keys()


@pytest.mark.parametrize(("names", "metric"), [(TRANSLATION, TranslationMetric()), (RECOGNITION, RecognitionMetric())])
def test_metrics_measure_what_the_table_says(
    names: tuple[MeasureName, ...], metric: TranslationMetric | RecognitionMetric
) -> None:
    good, bad = (metric.measured(np.asarray(metric.sums([text], ["a b c d e"]))) for text in ("a b c d e", "x y"))
    assert tuple(good) == names
    for name in names:
        assert (good[name] < bad[name]) is MEASURES[name].lower_is_better
