"""A modality the package does not know, a class of the tests and an entry of the table, goes the whole way."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify
from tests import toy_modality

WORDS = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben")
KIND = pa.list_(pa.list_(pa.float64()))


def point(number: int) -> list[float]:
    """The corner of a cube that has the bits of a number."""
    return [float(bool(number & bit)) for bit in (4, 2, 1)]


def write_rows(path: Path, rows: list[tuple[list[list[float]] | None, str | None]]) -> None:
    columns = {"at": pa.array([points for points, _ in rows], KIND), "said": pa.array([text for _, text in rows])}
    pq.write_table(pa.table(columns), path)


def named(numbers: list[int]) -> tuple[list[list[float]], str]:
    return [point(number) for number in numbers], " ".join(WORDS[number] for number in numbers)


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A corpus of 600 rows of points and what they are called, and a held-out one of 30."""
    toy_modality.register(monkeypatch)
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    draw = random.Random(4)
    numbers = list({tuple(draw.choices(range(8), k=draw.randint(3, 6))): None for _ in range(700)})[:630]
    rows: list[Any] = [named(list(row)) for row in numbers]
    write_rows(tmp_path / "held.parquet", rows[600:])
    bad = [(None, "eins zwei drei"), ([point(1)], None), ([point(2), point(2)], "  "), rows[0], rows[601]]
    write_rows(tmp_path / "points.parquet", rows[:600] + bad)
    return tmp_path


def prepared(folder: Path, output: str = "dataset", **settings: Any) -> Manifest:
    fields = {"source_field": "at", "target_field": "said"}
    config = {
        "source_modality": "points",
        "corpora": [{"path": str(folder / "points.parquet"), **fields}],
        "validation": {"path": str(folder / "held.parquet"), **fields},
        "output": str(folder / output),
        "tokenizer": {"vocabulary_size": 28, "byte_fallback": False},
        "filters": {"alphabetic": True, "words": {"minimum": 2}},
        "shards": 2,
        "unit_rows": 100,
    }
    path = folder / f"{output}.yaml"
    path.write_text(json.dumps(config | settings))
    assert main(["prepare", "--config", str(path)]) == 0
    return load_manifest(str(folder / output))


def test_points_become_shards(points: Path) -> None:
    manifest = prepared(points)
    assert manifest.modalities == {"source": "points", "target": "text"}
    assert list(manifest.tokenizers) == ["target"]
    assert manifest.ledger.read == 635
    assert manifest.ledger.kept == {"train": 600, "valid": 30}
    assert manifest.ledger.duplicates == 1
    assert manifest.ledger.rejected == {"empty": 1, "held_out": 1, "missing_field": 2}
    dataset = Dataset(str(points / "dataset"), manifest)
    verify(dataset.root)
    shard = dataset.read_shard(dataset.split("valid").shards[0])
    assert shard.column_names == [
        "id",
        "origin",
        "line",
        "source",
        "target",
        "source_length",
        "target_length",
        "target_text",
    ]
    texts = shard.column("target_text").to_pylist()
    assert [
        named([int(4 * a + 2 * b + c) for a, b, c in row])[1] for row in shard.column("source").to_pylist()
    ] == texts
    assert (points / "dataset" / "report.html").exists()


def test_they_are_compared_capped_and_added_to_like_any_other(points: Path) -> None:
    settings = {"near_duplicates": True, "protection": {"ngram_words": 3}, "keep": "first"}
    before = prepared(points, "growing", **settings)
    assert before.ledger.rejected["held_out_ngram"] > 0
    assert prepared(points, "growing", **settings) == before
    assert main(["inspect", str(points / "growing"), "--verify"]) == 0


def test_a_format_that_holds_text_alone_is_refused(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (points / "a.tsv").write_text("1\tone\n")
    words = ["prepare", "--source_modality", "points", "--output", str(points / "out"), "--corpora"]
    assert main([*words, json.dumps([{"path": str(points / "a.tsv")}])]) == 2
    told = capsys.readouterr().err
    assert "a TSV file holds text alone; found source of values; expected " in told
    assert "a Parquet file" in told
    assert "an Arrow file" in told


def test_a_modality_nobody_knows_is_refused(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["prepare", "--source_modality", "smell", "--output", str(points / "out"), "--source", "a", "--target", "b"]
    assert main(words) == 2
    assert (
        "source_modality.kind: there is none of this name, only 'text', 'audio' or 'points'" in capsys.readouterr().err
    )


def test_a_model_is_trained_on_them_and_answers(points: Path) -> None:
    prepared(points)
    run = points / "run"
    words = f"train --dataset {points / 'dataset'} --output {run} --device cpu --tensorboard false --model.family rnn "
    words += "--model.width 64 --model.embedding_width 32 --data.batch_tokens 2048 --data.max_source_tokens 16 "
    words += "--data.max_target_tokens 16 --optimizer.learning_rate 0.01 --schedule.warmup_steps 20 "
    words += "--limits.max_steps 150 --validation.every_steps 75 --report_every_steps 50"
    assert main(words.split()) == 0
    from seq2seq_core.decoding.batched import generate  # here, as all of the above does without torch
    from seq2seq_core.decoding.hypothesis import SearchConfig
    from seq2seq_core.models.folder import load_model

    loaded = load_model(str(run / "best"))
    numbers = [[1, 2, 3], [7, 0, 7, 5], [4, 4, 6]]
    sources = [np.array([point(number) for number in row], np.float32) for row in numbers]
    found = generate(loaded.model, loaded.modality, sources, SearchConfig(beam=2), 4096)
    texts = loaded.tokenizers["target"].decode([hypotheses[0].tokens for hypotheses in found])
    right = sum(text == named(row)[1] for text, row in zip(texts, numbers, strict=True))
    assert right >= 2, texts
