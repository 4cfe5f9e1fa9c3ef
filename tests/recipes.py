"""Recipes of Multi30k run on what looks like it, and is small: numbers in words, English and German."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

from pipelines import cli
from seq2seq_core.dataset.reader import Dataset

Pairs = set[tuple[str, str]]

ROWS = {"train": 400, "val": 20, "test_2016_flickr": 20}
ENGLISH = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
GERMAN = ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"]
SMALL = {
    "model.width": "32",
    "model.feed_forward_width": "32",
    "model.heads": "2",
    "model.encoder_layers": "1",
    "schedule.warmup_steps": "20",
    "validation.every_steps": "1000",
    "checkpoints.average.count": "1",
    "data.batch_tokens": "512",
    "data.max_source_tokens": "32",
    "data.max_target_tokens": "32",
    "report_every_steps": "1000",
}
SMALL_VOCABULARY = {"tokenizer.vocabulary_size": "44", "tokenizer.byte_fallback": "false"}

_RECIPES = Path(cli.__file__).parent / "recipes"


def call(command: str, recipe: str, **options: str) -> None:
    """Run a command with a recipe (`multi30k/prepare`) and more keys."""
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    assert cli.main([command, "--config", str(_RECIPES / f"{recipe}.yaml"), *words]) == 0


def said(name: str) -> Pairs:
    """Texts and translations of the outputs of a run."""
    (path,) = Path("out", f"multi30k-{name}").glob("*.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return {(row["text"], row["translation"]) for row in map(json.loads, lines)}


def prepared(name: str) -> Pairs:
    """Texts of the training rows of a dataset, which has one tokenizer for both sides."""
    dataset = Dataset.open(f"data/multi30k-{name}")
    tables = [dataset.read_shard(shard) for shard in dataset.split("train").shards]
    sides = [
        dataset.target_tokenizer.decode([np.array(ids) for table in tables for ids in table.column(side).to_pylist()])
        for side in ("source", "target")
    ]
    return set(zip(*sides, strict=True))


def work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go there, where the files of Multi30k are that recipes name."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEQ2SEQ_DATA", str(folder / "corpora"))
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(folder / "cache"))
    _write_corpora(folder / "corpora" / "multi30k")


def _write_corpora(folder: Path) -> None:
    random = Random(1)
    folder.mkdir(parents=True)
    for name, count in ROWS.items():
        rows = [[random.randrange(10) for _ in range(random.randint(2, 4))] for _ in range(count)]
        for side, words in (("en", ENGLISH), ("de", GERMAN)):
            with gzip.open(folder / f"{name}.{side}.gz", "wt", encoding="utf-8") as out:
                out.writelines(" ".join(words[number] for number in row) + "\n" for row in rows)
