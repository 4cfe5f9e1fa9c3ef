"""A model scores pairs, and a preparation takes what it finds as a score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.models.folder import load_model
from tests.small_models import small_model

SOURCES = ["a small cat sat.", "the dog ran fast!", "one, two and three?", "a dog"]
TARGETS = ["Fünf Bücher", "und ein Hund", "", "a small cat sat. the dog ran fast!"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


def write(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)


def moses(folder: Path) -> list[str]:
    return ["--source", write(folder / "c.en", SOURCES), "--target", write(folder / "c.de", TARGETS)]


def score(root: str, output: Path, *words: str) -> int:
    return main(["score", "--model", root, "--output", str(output), "--engine.device", "cpu", *words])


def test_each_pair_gets_its_cross_entropy(root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(root, tmp_path / "s.jsonl", *moses(tmp_path)) == 0
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text("utf-8").splitlines()]
    assert [(row["source"], row["target"]) for row in rows] == list(zip(SOURCES, TARGETS, strict=True))
    tokenizer = load_model(root).tokenizers["target"]
    for row in rows:
        assert row["pieces"] == len(tokenizer.encode([row["target"]])[0]) + 1
        assert row["cross_entropy"] == -row["score"] == pytest.approx(-row["log_probability"] / row["pieces"])
        assert row["log_probability"] < 0
    mean = -sum(row["log_probability"] for row in rows) / sum(row["pieces"] for row in rows)
    assert f"4 pairs, cross-entropy {mean:.4f} nats a piece" in capsys.readouterr().out


def test_files_of_both_sides_and_the_other_engine_give_the_same(root: str, tmp_path: Path) -> None:
    moses(tmp_path)
    pairs = [json.dumps({"en": a, "de": b}) for a, b in zip(SOURCES, TARGETS, strict=True)]
    named = ["--path", write(tmp_path / "p.jsonl", pairs), "--source_field", "en", "--target_field", "de"]
    assert score(root, tmp_path / "a.parquet", *named) == 0
    assert score(root, tmp_path / "b.parquet", *named, "--engine.kind", "ctranslate2") == 0
    found, other = (pq.read_table(tmp_path / name).to_pylist() for name in ("a.parquet", "b.parquet"))
    np.testing.assert_allclose([row["score"] for row in found], [row["score"] for row in other], atol=1e-4)
    assert found[1].keys() == {"source", "target", "score", "cross_entropy", "log_probability", "pieces"}


def test_a_preparation_takes_the_score_of_a_model(root: str, tmp_path: Path) -> None:
    """The best target of each source stays, and pairs below the bar go."""
    sources, targets = [*SOURCES[:2] * 3, SOURCES[2]], [*TARGETS[:2], *TARGETS[1::-1], "the cat", "ein Hund", "Hund"]
    files = ["--source", write(tmp_path / "c.en", sources), "--target", write(tmp_path / "c.de", targets)]
    assert score(root, tmp_path / "s.jsonl", *files) == 0
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text("utf-8").splitlines()]
    scores = sorted(row["score"] for row in rows)
    bar = (scores[0] + scores[1]) / 2
    words = ["--path", str(tmp_path / "s.jsonl"), "--score_field", "score", "--min_score", str(bar), "--keep", "best"]
    words += ["--deduplicate", "source", "--tokenizer.vocabulary_size", "290", "--tokenizer.type", "bpe"]
    assert main(["prepare", *words, "--output", str(tmp_path / "data")]) == 0
    ledger = Dataset.open(str(tmp_path / "data")).manifest.ledger
    best: dict[str, int] = {}
    for line, row in enumerate(rows, 1):
        if row["score"] >= bar and row["score"] > rows[best.get(row["source"], line) - 1]["score"] - 1e-12:
            best[row["source"]] = line
    assert ledger.rejected == {"low_score": 1}
    assert ledger.duplicates == len(rows) - 1 - len(best)
    kept = [row["line"] for path in (tmp_path / "data" / "train").iterdir() for row in pq.read_table(path).to_pylist()]
    assert sorted(kept) == sorted(best.values())


def test_pairs_that_fail_are_written_without_a_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_model(tmp_path / "model", positions="learned", max_positions=32)
    pairs = [*zip(SOURCES, TARGETS, strict=True), ("long " * 60, "Hund")]
    lines = [json.dumps({"source": a, "target": b}) for a, b in pairs]
    path = write(tmp_path / "p.jsonl", [*lines, '{"source": 3}'])
    assert score(root, tmp_path / "s.jsonl", "--path", path) == 3
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text("utf-8").splitlines()]
    assert [row["score"] is None for row in rows] == [False] * 4 + [True]
    assert "1 pairs could not be read, and 1 of 5 have no score" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "m"], "the pairs that the model scores"),
        (["--hypotheses", "h"], "give hypotheses and references, or model"),
        (["--model", "m", "--hypotheses", "h", "--source", "s"], "found both"),
        (["--model", "m", "--path", "p.tsv", "--output", "x.txt"], "scored pairs go to a file"),
    ],
)
def test_what_does_not_go_together_is_told(words: list[str], message: str, capsys: pytest.CaptureFixture[Any]) -> None:
    assert main(["score", *words]) == 2
    assert message in capsys.readouterr().err
