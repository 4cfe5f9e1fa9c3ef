"""`translate` with what records say their translations begin with: formats that have fields, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.commands import translate as command
from pipelines.commands.filter_lines import FilterConfig
from pipelines.commands.translate import TranslateConfig
from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.inference.answering import answer
from seq2seq_core.inference.manifest import Output
from seq2seq_core.inference.translator_config import load_translator
from tests.small_models import small_model

TEXTS = ["a small cat sat.", "the dog ran fast!", "one, two and three?", "two dogs"]
BEGINS = ["Hund", None, "Fünf Bücher", ""]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


def config(root: str, inputs: Path, output: Path, **more: Any) -> TranslateConfig:
    values = {"model": root, "input": [str(inputs)], "output": str(output), "demands": {"prefix_field": "meta.begin"}}
    values |= {"search": {"beam": 2, "max_length_ratio": 1.0, "max_length_extra": 4}}
    return configuration.build(TranslateConfig, values | {"engine": {"device": "cpu", "threads": 1}} | more)


def translate(root: str, inputs: Path, output: Path, **more: Any) -> Output:
    job = command.make_job(config(root, inputs, output, **more))
    *_, manifest = answer(job, load_translator(job.translator))
    assert manifest is not None
    return manifest


def rows() -> list[dict[str, Any]]:
    return [{"text": text, "meta": {"begin": begin}} for text, begin in zip(TEXTS, BEGINS, strict=True)]


def jsonl(path: Path, some: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in some))
    return path


def translations(output: Path) -> list[str | None]:
    (path,) = output.glob("*.jsonl")
    return [json.loads(line)["translation"] for line in path.read_text().splitlines()]


def test_fields_of_every_format_say_the_same(root: str, tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows())
    jsonl(tmp_path / "a.jsonl", rows())
    pq.write_table(table, tmp_path / "a.parquet")
    with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    assert translate(root, tmp_path / "*", tmp_path / "out").failed == 0
    found = translations(tmp_path / "out")
    assert [text is not None and text.startswith(begin or "") for text, begin in zip(found, BEGINS, strict=True)] == [
        True
    ] * 4
    assert pq.read_table(next((tmp_path / "out").glob("*.parquet"))).column("translation").to_pylist() == found
    arrow = pa.ipc.open_stream(io.BytesIO(next((tmp_path / "out").glob("*.arrow")).read_bytes())).read_all()
    assert arrow.column("translation").to_pylist() == found
    translate(root, tmp_path / "a.jsonl", tmp_path / "plain", demands={})
    plain = translations(tmp_path / "plain")
    assert [one == other for one, other in zip(found, plain, strict=True)] == [False, True, False, True]


def test_a_record_without_a_usable_one_fails_alone(root: str, tmp_path: Path) -> None:
    some = rows()
    some[1]["meta"] = {"begin": 3}
    del some[2]["meta"]
    manifest = translate(root, jsonl(tmp_path / "a.jsonl", some), tmp_path / "out")
    assert manifest.failed == 2
    assert [text is None for text in translations(tmp_path / "out")] == [False, True, True, False]
    (ledger,) = (tmp_path / "out" / "failures").glob("*")
    assert [json.loads(line)["reason"] for line in ledger.read_text().splitlines()] == [
        "the field 'meta.begin' is a number, not a string",
        "the field 'meta.begin' is missing",
    ]


def test_bytes_that_are_no_text_fail_alone(root: str, tmp_path: Path) -> None:
    bad = pa.array([b"Hund", b"\xff", None], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": TEXTS[:3], "begin": bad}), tmp_path / "a.parquet")
    manifest = translate(root, tmp_path / "a.parquet", tmp_path / "out", demands={"prefix_field": "begin"})
    assert manifest.failed == 1
    assert "the field 'begin': not UTF-8" in next((tmp_path / "out" / "failures").glob("*")).read_text()


def test_what_cannot_be_is_told_before_any_work(root: str, tmp_path: Path) -> None:
    other = {"prefix_field": "beginning"}
    with pytest.raises(InputError, match="a text in the field 'text' and 'beginning'"):
        translate(root, jsonl(tmp_path / "a.jsonl", rows()), tmp_path / "out", demands=other)
    pq.write_table(pa.table({"text": TEXTS}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"there is no column 'beginning'.*--demands\.prefix_field NAME"):
        translate(root, tmp_path / "a.parquet", tmp_path / "out", demands=other)
    (tmp_path / "a.txt").write_text("one\n")
    with pytest.raises(ConfigError, match="no fields to begin translations with: text"):
        translate(root, tmp_path / "a.txt", tmp_path / "out")
    with pytest.raises(ConfigError, match="a line has no field meta"):
        configuration.build(FilterConfig, {"model": root, "demands": {"prefix_field": "meta"}})


def test_another_field_makes_other_outputs_and_none_leaves_them_as_they_were(root: str, tmp_path: Path) -> None:
    def fingerprint(**demands: str) -> str:
        made = config(root, tmp_path / "a.jsonl", tmp_path / "out", demands=demands)
        return command.provenance_of(made).fingerprint

    assert len({fingerprint(), fingerprint(prefix_field="a"), fingerprint(prefix_field="b")}) == 3
    assert fingerprint() == fingerprint(prefix="")
