"""Columns tell of doubtful outputs, rules mark them in a ledger, and a second pass translates them once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.commands import translate as command
from pipelines.commands.translate import TranslateConfig
from seq2seq_core import config as configuration
from seq2seq_core.engines.echo import EchoEngine
from seq2seq_core.errors import ConfigError
from seq2seq_core.inference.answering import answer
from seq2seq_core.inference.manifest import Output
from seq2seq_core.inference.translator_config import load_translator

ROWS = [
    "hello world and all that is in it",
    "",
    "the quick brown fox jumps",
    "one " * 30,
    "the quick brown fox jumps",
]


def translate(model: str, inputs: Path, output: Path, **more: Any) -> Output:
    values = {"model": model, "input": [str(inputs)], "output": str(output), "engine": {"kind": "echo"}}
    job = command.make_job(configuration.build(TranslateConfig, values | {"unit_records": 3} | more))
    *_, manifest = answer(job, load_translator(job.translator))
    assert manifest is not None
    return manifest


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in ROWS))
    return tmp_path / "a.jsonl"


@pytest.fixture
def halving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs of a search with a beam of 5 are the first half of their sources; others are whole."""
    generate = EchoEngine.generate

    def short(self: EchoEngine, sequences: Any, options: Any) -> Any:
        some = sequences if options.beam != 5 else [np.asarray(one[: len(one) // 2]) for one in sequences]
        return generate(self, some, options)

    monkeypatch.setattr(EchoEngine, "generate", short)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("a-*.jsonl")) for line in path.read_text().splitlines()]


def test_columns_of_quality(echo_model: str, inputs: Path, tmp_path: Path) -> None:
    translate(echo_model, inputs, tmp_path / "out", quality=True, include=["score", "segments"])
    found = rows(tmp_path / "out")
    added = ["score", "segments", "length_ratio", "repetition", "copied", "language", "truncated", "flags"]
    assert list(found[0]) == ["text", "translation", *(f"translation_{name}" for name in added)]
    assert [row["translation_copied"] for row in found] == [1.0, None, 1.0, 1.0, 1.0]
    assert found[3]["translation_repetition"] > 0.9
    assert [row["translation_truncated"] for row in found] == [False, None, False, False, False]
    assert {tuple(row["translation_flags"]) for row in found} == {()}
    assert found[0]["translation_language"] == "en"
    assert not (tmp_path / "out" / "flagged").exists()


def test_columns_of_parquet_and_none_of_text(echo_model: str, tmp_path: Path) -> None:
    import pyarrow as pa

    pq.write_table(pa.table({"text": [*ROWS, None]}), tmp_path / "a.parquet")
    (tmp_path / "b.txt").write_text("\n".join(ROWS))
    more: dict[str, Any] = {"quality": True, "flag": {"max_repetition": 0.8}, "unit_records": 99}
    manifest = translate(echo_model, tmp_path / "*.*", tmp_path / "out", **more)
    table = pq.read_table(tmp_path / "out" / "a-00000-of-00001.parquet")
    assert table.column("translation_flags").to_pylist() == [[], [], [], ["max_repetition"], [], None]
    assert (tmp_path / "out" / "b-00000-of-00001.txt").read_text() == "\n".join(ROWS)
    assert [(entry.records, entry.flagged) for entry in manifest.inputs] == [(6, 1), (5, 1)]
    assert manifest.flagged == 2


def test_flagged_records_stand_in_a_ledger(echo_model: str, inputs: Path, tmp_path: Path, halving: None) -> None:
    manifest = translate(echo_model, inputs, tmp_path / "out", flag={"min_length_ratio": 0.9, "max_repetition": 0.8})
    assert manifest.flagged == 4
    ledger = sorted((tmp_path / "out" / "flagged").glob("*"))
    found = [json.loads(line) for path in ledger for line in path.read_text().splitlines()]
    assert [(row["record"], row["line"]) for row in found] == [(0, 1), (2, 3), (3, 4), (4, 5)]
    assert found[2]["reason"] == "min_length_ratio, max_repetition"
    assert found[0]["text"] == ROWS[0]
    assert ROWS[0].startswith(found[0]["output"])
    assert translate(echo_model, inputs, tmp_path / "out").flagged == 0
    assert not list((tmp_path / "out" / "flagged").glob("*"))


def test_flagged_segments_go_once_more(echo_model: str, inputs: Path, tmp_path: Path, halving: None) -> None:
    flag = {"min_length_ratio": 0.9, "second": {"search": {"beam": 2}}}
    manifest = translate(echo_model, inputs, tmp_path / "out", flag=flag, include=["second", "flags"])
    found = rows(tmp_path / "out")
    assert [row["translation"] for row in found] == ROWS
    assert [row["translation_second"] for row in found] == [1, 0, 1, 1, 1]
    assert manifest.flagged == 0


def test_another_model_may_do_the_second_pass(
    echo_model: str, write_echo_model: Any, inputs: Path, tmp_path: Path, halving: None
) -> None:
    second = {"model": write_echo_model(tmp_path / "other", step=2), "search": {"beam": 2}}
    more = {"flag": {"min_length_ratio": 0.9, "second": second}, "memory": {"url": str(tmp_path / "memory")}}
    for name in ("one", "two"):
        translate(echo_model, inputs, tmp_path / name, **more)
        assert [row["translation"] for row in rows(tmp_path / name)] == ROWS
    abouts = [json.loads(path.read_text())["model"] for path in (tmp_path / "memory").rglob("about.json")]
    assert len(set(abouts)) == 2


def test_options_of_quality_name_outputs_and_none_leaves_them_as_they_were(echo_model: str, inputs: Path) -> None:
    def identity(**more: Any) -> dict[str, Any]:
        values = {"model": echo_model, "input": [str(inputs)], "output": "o", "engine": {"kind": "echo"}}
        return configuration.build(TranslateConfig, values | more).identity()

    usual = identity()
    assert not {"quality", "flag", "given", "memory"} & usual.keys()
    others = [
        identity(quality=True),
        identity(flag={"truncated": True}),
        identity(flag={"truncated": True, "second": {"search": {"beam": 7}}}),
    ]
    assert all(other != usual for other in others)
    assert others[1] != others[2]
    assert identity(flag={"second": {"search": {"beam": 7}}}) == usual
    with pytest.raises(ConfigError, match="include names copied, which is measured with quality alone"):
        identity(include=["copied"])
