"""Each transform of a translation by itself, and the graph they make."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_pipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.commands.translate import TranslateConfig, make_job
from pipelines.graphs import units as shared
from pipelines.graphs.translate import (
    CloseOutput,
    CountInputs,
    LayOut,
    OpenOutput,
    SkipFinished,
    WatchFailures,
    build,
    engine_for,
)
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import CountedInput, InputFile, UnitSize
from seq2seq_core.engines.echo import EchoEngineConfig
from seq2seq_core.engines.torch_engine import TorchEngineConfig
from seq2seq_core.inference.commit import UnitEntry, commit, commit_unit
from seq2seq_core.inference.folder import UNITS_PATH
from seq2seq_core.inference.job import TranslationJob
from seq2seq_core.inference.manifest import ModelEntry, Provenance, load_output
from seq2seq_core.inference.translator_config import TranslatorConfig
from seq2seq_core.inference.unit import DocumentUnit, UnitTranslation, read_unit, units_of

FIELDS = Fields("text", "translation")
SIZE = UnitSize(2, 1 << 20)
MODEL = ModelEntry(url="m", digest="d", lineage={})
PROVENANCE = Provenance(fingerprint="job", model=MODEL, configuration={}, software={})


@pytest.fixture
def files(tmp_path: Path) -> list[InputFile]:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"one\ntwo\nthree\n")
    (tmp_path / "in" / "b.jsonl").write_bytes(b'{"text": "four"}\n')
    return find_inputs([str(tmp_path / "in")], None, "elsewhere")


def count(files: list[InputFile]) -> list[CountedInput]:
    return [format_of(file).count(file, SIZE, FIELDS) for file in files]


def units(files: list[InputFile]) -> list[DocumentUnit]:
    return [unit for counted in count(files) for unit in units_of(counted, "job")]


def job(files: list[InputFile], output: Path, **more: Any) -> TranslationJob:
    translator = TranslatorConfig(model="m", engine=EchoEngineConfig())
    return TranslationJob(str(output), tuple(files), SIZE, FIELDS, "keep", translator, PROVENANCE, **more)


def made_from(elements: list[Any]) -> beam.PTransform:
    return beam.Create(elements, reshuffle=False)


def test_inputs_are_counted(files: list[InputFile]) -> None:
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        assert_that(pipeline | made_from(files) | CountInputs(SIZE, FIELDS), equal_to(count(files)))


def test_an_output_is_opened_when_all_inputs_are_counted(files: list[InputFile], tmp_path: Path) -> None:
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        found = pipeline | made_from(count(files)) | OpenOutput(job(files, tmp_path / "out"))
        assert_that(found, equal_to(units(files)))
    assert (tmp_path / "out" / UNITS_PATH).exists()


def test_no_output_is_opened_for_inputs_without_texts(files: list[InputFile], tmp_path: Path) -> None:
    (tmp_path / "in" / "b.jsonl").write_bytes(b'{"body": "four"}\n')
    pipeline = test_pipeline.TestPipeline(runner="FnApiRunner")
    _ = pipeline | made_from(count(files)[1:]) | OpenOutput(job(files, tmp_path / "out"))
    with pytest.raises(Exception, match="none of the first 100 records"):
        pipeline.run()
    assert not (tmp_path / "out").exists()


def test_units_that_are_committed_are_not_done_again(files: list[InputFile], tmp_path: Path) -> None:
    first, *rest = units(files)
    entry = commit(str(tmp_path / "out"), first, b"1\n2\n", [])
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        to_do, finished = pipeline | made_from([first, *rest]) | SkipFinished(str(tmp_path / "out"))
        assert_that(to_do, equal_to(rest), label="to do")
        assert_that(finished, equal_to([entry]), label="finished")


def test_units_of_an_archive_are_laid_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"".join(b"line %d\n" % i for i in range(9))))
    (file,) = find_inputs([str(tmp_path / "a.txt.gz")], None, "elsewhere")
    folder = tmp_path / "pieces"
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        found = pipeline | made_from(units([file])) | LayOut(str(folder))
        told = found | beam.Map(lambda unit: (unit.index, unit.fingerprint, unit.part.piece is not None))
        assert_that(told, equal_to([(unit.index, unit.fingerprint, unit.index > 0) for unit in units([file])]))
    assert len(list(folder.glob("*.zst"))) == 4


def translated(unit: DocumentUnit) -> UnitTranslation:
    content = read_unit(unit, FIELDS).content
    return UnitTranslation(unit, content, [Prediction((text or "").upper()) for text in content.texts], [])


def entries(files: list[InputFile], root: Path) -> list[UnitEntry]:
    return [commit_unit(translated(unit), str(root), FIELDS, "keep") for unit in units(files)]


def test_an_output_is_closed_when_all_units_are_finished(files: list[InputFile], tmp_path: Path) -> None:
    done = entries(files, tmp_path / "out")
    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        inputs = pipeline | "Inputs" >> made_from(count(files)[::-1])
        found = pipeline | made_from(done[::-1]) | CloseOutput(job(files, tmp_path / "out"), inputs)
        assert_that(found | beam.Map(lambda output: (output.records_in, output.units)), equal_to([(4, done)]))
    assert load_output(str(tmp_path / "out")).units == done


def test_no_output_is_closed_while_a_unit_is_missing(files: list[InputFile], tmp_path: Path) -> None:
    done = entries(files, tmp_path / "out")
    pipeline = test_pipeline.TestPipeline(runner="FnApiRunner")
    inputs = pipeline | "Inputs" >> made_from(count(files))
    _ = pipeline | made_from(done[1:]) | CloseOutput(job(files, tmp_path / "out"), inputs)
    with pytest.raises(Exception, match="1 outputs were not finished"):
        pipeline.run()
    assert not (tmp_path / "out" / "output.json").exists()


def test_a_run_ends_when_too_many_records_have_failed(files: list[InputFile], tmp_path: Path) -> None:
    done = [entry.model_copy(update={"failed": 1}) for entry in entries(files, tmp_path / "out")]
    assert len(done) == 3

    def watched(share: float) -> None:
        with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
            inputs = pipeline | "Inputs" >> made_from(count(files))
            found = pipeline | made_from([*done, done[0]]) | WatchFailures(job([], tmp_path, most_failed=share), inputs)
            assert_that(found, equal_to([*done, done[0]]))

    watched(0.75)
    with pytest.raises(Exception, match=r"3 of 4 records have failed by now; expected at most 74.00%"):
        watched(0.74)


@pytest.mark.parametrize(
    ("arguments", "threads"),
    [
        (["--direct_running_mode=multi_processing", "--direct_num_workers=3"], 2),
        (["--direct_running_mode=multi_processing", "--direct_num_workers=0"], 1),
        (["--direct_running_mode=multi_threading", "--direct_num_workers=16"], 1),
        (["--direct_num_workers=3"], None),
    ],
)
def test_local_workers_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], threads: int | None
) -> None:
    monkeypatch.setattr(shared, "usable_cores", lambda: 8)
    found = engine_for(TorchEngineConfig(), PipelineOptions(arguments))
    assert found == TorchEngineConfig(threads=threads)
    given_ = TorchEngineConfig(threads=5)
    assert engine_for(given_, PipelineOptions(arguments)) == given_


def test_the_graph_yields_inputs_entries_and_the_manifest(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\nthree\n")
    places = {"model": echo_model, "input": (str(tmp_path / "a.txt"),), "output": str(tmp_path / "out")}
    config = TranslateConfig(**places, unit_records=2, engine=EchoEngineConfig())

    def check(kind: str, expected: list[Any]) -> Callable[[list[Any]], None]:
        def compare(found: list[Any]) -> None:
            assert sorted(found) == expected, kind

        return compare

    with test_pipeline.TestPipeline(runner="FnApiRunner") as pipeline:
        graph = build(pipeline, make_job(config))
        records = graph.inputs | beam.Map(lambda counted: counted.records)
        paths = graph.committed | beam.Map(lambda entry: (entry.path, entry.records, entry.failed))
        totals = graph.output | beam.Map(lambda output: (output.records_in, output.records_out, output.failed))
        units = [("a-00000-of-00002.txt", 2, 0), ("a-00001-of-00002.txt", 1, 0)]
        assert_that(records, check("inputs", [3]), label="inputs")
        assert_that(paths, check("committed", units), label="committed")
        assert_that(graph.finished, check("finished", []), label="finished")
        assert_that(totals, check("output", [(3, 3, 0)]), label="output")
