"""Texts of records and their predictions in, these with what is measured of them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.inference.quality.measures import measure


def measured(texts: Sequence[str], predictions: Sequence[Prediction]) -> list[Prediction]:
    """Predictions with their measures; those that failed stay as they are."""
    done = [place for place, prediction in enumerate(predictions) if prediction.error is None]
    found = measure([texts[place].strip() for place in done], [predictions[place].text.strip() for place in done])
    result = list(predictions)
    for number, place in enumerate(done):
        result[place] = replace(
            predictions[place],
            length_ratio=float(found.length_ratio[number]),
            repetition=float(found.repetition[number]),
            copied=float(found.copied[number]),
            language=found.language[number],
        )
    return result
