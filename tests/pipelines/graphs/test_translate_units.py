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
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.ranges import UnitSize
from seq2seq_core.errors import ModelError
from seq2seq_core.inference.commit import find_finished
from seq2seq_core.inference.translator import Translator
from seq2seq_core.inference.translator_config import TranslatorConfig, describe_model, load_translator
from seq2seq_core.inference.unit import DocumentUnit, units_of
from seq2seq_core.inference.work import Hand

FIELDS = Fields("text", "translation")
PAGE = b"# One\n\nTwo *three* `four`.\n"


def hand(model: str, output: Path, digest: str | None = None) -> Hand:
    config = TranslatorConfig.model_validate({"model": model, "engine": {"kind": "echo"}})
    return Hand(config, digest or describe_model(config).digest, str(output), FIELDS, "keep")


def units(folder: Path) -> list[DocumentUnit]:
    """Three of lines in two, and of a page, whose parser nobody could write down."""
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"one\ntwo\nthree\n")
    (folder / "b.md").write_bytes(PAGE)
    files = find_inputs([str(folder)], None, "elsewhere")
    counted = [format_of(file).count(file, UnitSize(2, 1 << 20), FIELDS) for file in files]
    return [unit for one in counted for unit in units_of(one, "job")]


def test_an_output_stands_when_its_entry_goes_on(echo_model: str, tmp_path: Path) -> None:
    planned, output = units(tmp_path / "in"), tmp_path / "out"
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        found = pipeline | beam.Create(planned) | TranslateUnits(hand(echo_model, output))
        paths = found | beam.Map(lambda entry: (entry.path, entry.records))
        told = [("a-00000-of-00002.txt", 2), ("a-00001-of-00002.txt", 1), ("b.md", 2)]
        assert_that(paths, equal_to(told))
    assert all(find_finished(str(output), unit) for unit in planned)
    assert (output / "a-00000-of-00002.txt").read_bytes() == b"one\ntwo\n"
    assert (output / "b.md").read_bytes() == PAGE


def test_a_unit_is_a_batch(echo_model: str, tmp_path: Path) -> None:
    handler = UnitHandler(hand(echo_model, tmp_path / "out"))
    unit = units(tmp_path / "in")[0]
    assert handler.batch_elements_kwargs()["max_batch_size"] == 1
    assert handler.get_num_bytes([unit]) == len(b"one\ntwo\n")
    (entry,) = handler.run_inference([unit], handler.load_model())
    assert entry == find_finished(str(tmp_path / "out"), unit)


def test_another_model_than_the_planned_one_is_refused(echo_model: str, tmp_path: Path) -> None:
    handler = UnitHandler(hand(echo_model, tmp_path / "out", "digest of another"))
    with pytest.raises(ModelError, match="was replaced while it was in use"):
        handler.run_inference(units(tmp_path / "in")[:1], handler.load_model())


def test_threads_of_a_process_share_one_model(echo_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    together = threading.Barrier(4)

    def counted(config: TranslatorConfig, digest: str) -> Translator:
        loads.append(digest)
        return load_translator(config)

    monkeypatch.setattr(translate_units, "load_translator", counted)
    shared = SharedTranslator(hand(echo_model, tmp_path, "digest"))

    def translate(_: int) -> str:
        together.wait(timeout=20)
        return shared.translate(["one"])[0].text

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(translate, range(4))) == ["one"] * 4
    assert loads == ["digest"]
