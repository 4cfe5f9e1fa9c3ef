"""Units in, entries of committed ones out: each is read, goes through the model and is written in one step.

What a unit holds never goes from one step to the next, which would write it down in between: documents are as large as
their files, and hold parsers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler, RunInference

from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.translator import Translator
from seq2seq_core.inference.translator_config import load_translator
from seq2seq_core.inference.unit import DocumentUnit
from seq2seq_core.inference.work import Hand, work_with

_COUNTERS = "translate"


class TranslateUnits(beam.PTransform):  # type: ignore[misc]
    """PCollection[DocumentUnit] -> PCollection[UnitEntry], through Beam's RunInference.

    An output stands on storage when its entry goes on.
    """

    def __init__(self, hand: Hand) -> None:
        super().__init__()
        self._handler = UnitHandler(hand)

    def expand(self, units: beam.PCollection[DocumentUnit]) -> beam.PCollection[UnitEntry]:
        done = units | "Translate" >> RunInference(self._handler)
        return done | "Count" >> beam.Map(_counted).with_output_types(UnitEntry)


def _counted(entry: UnitEntry) -> UnitEntry:
    Metrics.counter(_COUNTERS, "records").inc(entry.records)
    Metrics.counter(_COUNTERS, "records_failed").inc(entry.failed)
    return entry


class SharedTranslator:
    """The one translator of a process. It is loaded when it is first needed: a run that finds all done needs none."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._loaded: Translator | None = None
        self._loading = threading.Lock()

    def translate(
        self, texts: Sequence[str | None], *, is_prose: bool = False, prefixes: Sequence[str] = ()
    ) -> list[Prediction]:
        """See `Translator.translate`."""
        with self._loading:
            if self._loaded is None:
                self._loaded = load_translator(self._hand.config, self._hand.digest)
        return self._loaded.translate(texts, is_prose=is_prose, prefixes=prefixes)


class UnitHandler(ModelHandler[DocumentUnit, UnitEntry, SharedTranslator]):  # type: ignore[misc]
    """A model handler whose batch is one unit.

    Beam would count units; here the engine makes its batches, by padded tokens, out of all segments of a unit.
    """

    def __init__(self, hand: Hand) -> None:
        super().__init__()
        self._hand = hand

    def load_model(self) -> SharedTranslator:
        return SharedTranslator(self._hand)

    def batch_elements_kwargs(self) -> dict[str, Any]:
        """See `ModelHandler`."""
        return {"min_batch_size": 1, "max_batch_size": 1}

    def run_inference(
        self, batch: Sequence[DocumentUnit], model: SharedTranslator, inference_args: dict[str, Any] | None = None
    ) -> Iterable[UnitEntry]:
        del inference_args
        return [work_with(model, self._hand, unit) for unit in batch]

    def get_num_bytes(self, batch: Sequence[DocumentUnit]) -> int:
        """Bytes of their records in the files; what Beam does otherwise is to pickle them."""
        return sum(unit.part.bytes for unit in batch)

    def get_metrics_namespace(self) -> str:
        return _COUNTERS
