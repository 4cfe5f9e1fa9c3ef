"""Units in, translated units out: each is read as a whole and goes through the model as one element."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.inference.translator import Translator
from seq2seq_core.inference.translator_config import TranslatorConfig, load_translator
from seq2seq_core.inference.unit import DocumentUnit, UnitContent, UnitTranslation, read_unit, translate_unit


class TranslateUnits(beam.PTransform):  # type: ignore[misc]
    """PCollection[DocumentUnit] -> PCollection[UnitTranslation], through Beam's RunInference."""

    def __init__(self, config: TranslatorConfig, digest: str, fields: Fields, retried: str | None = None) -> None:
        """`retried` is that of `read_unit`."""
        super().__init__()
        self._handler = UnitHandler(config, digest)
        self._fields, self._retried = fields, retried

    def expand(self, units: beam.PCollection[DocumentUnit]) -> beam.PCollection[UnitTranslation]:
        return (
            units
            | "Read" >> beam.Map(read_unit, self._fields, self._retried).with_output_types(UnitContent)
            | "Translate" >> RunInference(self._handler.with_no_batching())
        )


class SharedTranslator:
    """The one translator of a process. It is loaded when it is first needed: a run that finds all done needs none."""

    def __init__(self, config: TranslatorConfig, digest: str) -> None:
        self._config = config
        self._digest = digest
        self._loaded: Translator | None = None
        self._loading = threading.Lock()

    def translate(self, texts: Sequence[str | None], *, is_prose: bool = False) -> list[Prediction]:
        """See `Translator.translate`."""
        with self._loading:
            if self._loaded is None:
                self._loaded = load_translator(self._config, self._digest)
        return self._loaded.translate(texts, is_prose=is_prose)


class UnitHandler(ModelHandler[UnitContent, UnitTranslation, SharedTranslator]):  # type: ignore[misc]
    """A model handler whose example is a whole unit.

    Beam's own batching counts elements; here the engine makes its batches, by padded tokens, out of all segments of
    a unit.
    """

    def __init__(self, config: TranslatorConfig, digest: str) -> None:
        super().__init__()
        self._config = config
        self._digest = digest

    def load_model(self) -> SharedTranslator:
        return SharedTranslator(self._config, self._digest)

    def run_inference(
        self, batch: UnitContent, model: SharedTranslator, inference_args: dict[str, Any] | None = None
    ) -> Iterable[UnitTranslation]:
        del inference_args
        return [translate_unit(batch, model)]

    def get_num_bytes(self, batch: UnitContent) -> int:
        """Characters of text; what Beam does otherwise is to pickle the whole unit."""
        return sum(len(text) for text in batch.content.texts if text)

    def get_metrics_namespace(self) -> str:
        return "translate"
