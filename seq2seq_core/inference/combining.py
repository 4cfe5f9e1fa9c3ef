"""What a model made of the parts of texts in; what it makes of that, until it is of one part, out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from seq2seq_core.documents.prediction import Prediction


def combined(
    found: Sequence[Prediction], again: Callable[[Mapping[int, str]], Sequence[Prediction]]
) -> list[Prediction]:
    """Send joined outputs through the model until one part holds each, or there are no fewer parts than before.

    Args:
        found: What has become of each text; of several parts, joined.
        again: Translates texts, which are told by their places.

    Returns:
        What has become of each text in the end. Numbers of segments are those of the text; doubts are those of all that
        the model said on the way.
    """
    result = list(found)
    parts = {place: one.segments for place, one in enumerate(found) if _is_open(one)}
    while parts:
        made = again({place: result[place].text for place in parts})
        for place, new in zip(parts, made, strict=True):
            result[place] = _told(result[place], new)
        parts = {
            place: new.segments
            for (place, before), new in zip(parts.items(), made, strict=True)
            if _is_open(new) and new.segments < before
        }
    return result


def _is_open(prediction: Prediction) -> bool:
    return prediction.error is None and prediction.segments > 1 and bool(prediction.text.strip())


def _told(before: Prediction, new: Prediction) -> Prediction:
    """The new one, with what is to be told of the one before."""
    return replace(
        new,
        segments=before.segments,
        finished=before.finished and new.finished,
        looping=before.looping or new.looping,
        overlong=before.overlong or new.overlong,
        parted=before.parted or new.parted,
        flags=tuple(dict.fromkeys(before.flags + new.flags)),
        given=before.given + new.given,
        second=before.second + new.second,
    )
