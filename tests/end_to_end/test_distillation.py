"""The recipe of distillation, from its files: a teacher learns, says what it makes of its corpus, and a student learns
that."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest

from pipelines import cli
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.models.card import read_card

RECIPES = Path(cli.__file__).parent / "recipes"
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


def call(command: str, recipe: str, **options: str) -> None:
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    assert cli.main([command, "--config", str(RECIPES / recipe / f"{command}.yaml"), *words]) == 0


def write_corpora(folder: Path) -> None:
    random = Random(1)
    folder.mkdir(parents=True)
    for name, count in ROWS.items():
        rows = [[random.randrange(10) for _ in range(random.randint(2, 4))] for _ in range(count)]
        for side, words in (("en", ENGLISH), ("de", GERMAN)):
            with gzip.open(folder / f"{name}.{side}.gz", "wt", encoding="utf-8") as out:
                out.writelines(" ".join(words[number] for number in row) + "\n" for row in rows)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_student_learns_what_its_teacher_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQ2SEQ_DATA", str(tmp_path / "corpora"))
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    write_corpora(tmp_path / "corpora" / "multi30k")
    call("prepare", "multi30k", **{"tokenizer.vocabulary_size": "44", "tokenizer.byte_fallback": "false"})
    quick = {"model.dropout": "0.1", "r_drop": "0", "limits.max_steps": "150"}
    call("train", "multi30k", **SMALL, **quick, **{"model.decoder_layers": "1"})
    call("translate", "distillation")
    call("prepare", "distillation")
    (taught,) = (tmp_path / "out" / "multi30k-en-de-taught").glob("*.jsonl.gz")
    with gzip.open(taught, "rt", encoding="utf-8") as lines:
        said = {row["text"]: row["translation"] for row in map(json.loads, lines)}
    dataset, first = (
        Dataset.open(str(tmp_path / "data" / name)) for name in ("multi30k-en-de-taught", "multi30k-en-de")
    )
    assert dataset.target_tokenizer.digest == first.target_tokenizer.digest
    assert dataset.texts("valid", "target") == first.texts("valid", "target")
    rows = dataset.read_shard(dataset.split("train").shards[0])
    sides = [[np.array(ids) for ids in rows.column(side).to_pylist()] for side in ("source", "target")]
    texts = (dataset.target_tokenizer.decode(side) for side in sides)  # one tokenizer for both
    pairs = dict(zip(*texts, strict=True))
    assert len(pairs) > 50
    assert pairs.items() <= said.items()
    call("train", "distillation", **SMALL, **{"limits.max_steps": "10"})
    card, lineage = read_card("runs/multi30k-en-de-student/best")
    assert card.architecture["decoder_layers"] == 1
    assert lineage.dataset == "data/multi30k-en-de-taught"
