"""What another format of outputs is: the records of a unit in, the bytes of a file that tells of them out.

Such a file has a row for every record, in order, whatever the input was; what else the input held is not in it.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from seq2seq_core.documents.content import Content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.prediction import Prediction

RECORD, TEXT = "record", "text"
"""The number of a record in its input, from 0, and what was translated of it."""


@dataclass(frozen=True)
class Row:
    """A record of the input.

    Attributes:
        record: Its number in the input, from 0.
        text: What was to be translated; None where nothing was.
        prediction: What has become of it; None where nothing has.
    """

    record: int
    text: str | None
    prediction: Prediction | None


class OutputFormat(abc.ABC):
    """How a unit is written in a format of its own.

    Attributes:
        called: What a file of it is called in messages.
        suffix: What its files end in.
        has_fields: Whether a row has a place for more than one output.
        keeps_n_best: Whether it holds as many outputs as there are, without being asked for them.
        names_languages: Whether it says which languages texts and outputs are in.
        may_be_packed: Whether it is compressed where the input was.
    """

    called: ClassVar[str]
    suffix: ClassVar[str]
    has_fields: ClassVar[bool] = False
    keeps_n_best: ClassVar[bool] = False
    names_languages: ClassVar[bool] = False
    may_be_packed: ClassVar[bool] = True

    @abc.abstractmethod
    def render(self, rows: Sequence[Row], fields: Fields) -> bytes:
        """The bytes of a file, which stands by itself."""


def rows_of(first: int, content: Content[Any], predictions: Sequence[Prediction | None]) -> Iterator[Row]:
    """The records of a unit, whose first has this number, with the markup in them as it stands in the input."""
    for place, (text, prediction) in enumerate(zip(content.texts, predictions, strict=True)):
        shown = None if text is None else content.shown(place, text)
        yield Row(first + place, shown, _filled(prediction, content, place))


def _filled(prediction: Prediction | None, content: Content[Any], record: int) -> Prediction | None:
    if prediction is None:
        return None
    n_best = tuple((content.shown(record, text), score) for text, score in prediction.n_best)
    return prediction.with_texts(content.shown(record, prediction.text), n_best)
