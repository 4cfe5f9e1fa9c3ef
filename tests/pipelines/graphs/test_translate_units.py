from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing import test_pipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.graphs import translate_units
from pipelines.graphs.translate_units import SharedTranslator, TranslateUnits, UnitHandler
from seq2seq_core.documents.content import Content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.ranges import InputFile, RecordRange, UnitSize
from seq2seq_core.errors import ModelError
from seq2seq_core.inference.translator import Translator
from seq2seq_core.inference.translator_config import TranslatorConfig, describe_model, load_translator
from seq2seq_core.inference.unit import DocumentUnit, UnitContent, units_of

UNIT = DocumentUnit(InputFile("a.txt", "a", ".txt", "text"), RecordRange(0, 4, 0, 9), 0, 1, "f")
LOADED = UnitContent(UNIT, Content(["one", None, "", "two"], [], [b"one", b"\xff", b"", b"two"]))


def config(model: str) -> TranslatorConfig:
    return TranslatorConfig.model_validate({"model": model, "engine": {"kind": "echo"}})


def test_units_are_read_and_translated(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\nthree\n")
    (file,) = find_inputs([str(tmp_path / "a.txt")], None, "elsewhere")
    fields = Fields("text", "translation")
    units = units_of(format_of(file).count(file, UnitSize(2, 1 << 20), fields), "job")
    digest = describe_model(config(echo_model)).digest
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        found = pipeline | beam.Create(units) | TranslateUnits(config(echo_model), digest, fields)
        told = found | beam.Map(lambda done: (done.unit.index, [output.text for output in done.predictions]))
        assert_that(told, equal_to([(0, ["one", "two"]), (1, ["three"])]))


def test_a_unit_is_one_example(echo_model: str) -> None:
    handler = UnitHandler(config(echo_model), describe_model(config(echo_model)).digest)
    assert handler.with_no_batching().should_skip_batching()
    assert len(LOADED) == 4
    assert handler.get_num_bytes(LOADED) == 6
    (found,) = handler.run_inference(LOADED, handler.load_model())
    assert found.unit == UNIT
    assert [None if entry is None else entry.text for entry in found.predictions] == ["one", None, "", "two"]


def test_another_model_than_the_planned_one_is_refused(echo_model: str) -> None:
    handler = UnitHandler(config(echo_model), "digest of another")
    with pytest.raises(ModelError, match="was replaced while it was in use"):
        handler.run_inference(LOADED, handler.load_model())


def test_threads_of_a_process_share_one_model(echo_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    together = threading.Barrier(4)

    def counted(config: TranslatorConfig, digest: str) -> Translator:
        loads.append(digest)
        return load_translator(config)

    monkeypatch.setattr(translate_units, "load_translator", counted)
    shared = SharedTranslator(config(echo_model), "digest")

    def translate(_: int) -> str:
        together.wait(timeout=20)
        return shared.translate(["one"])[0].text

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(translate, range(4))) == ["one"] * 4
    assert loads == ["digest"]
