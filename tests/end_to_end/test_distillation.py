"""The recipe of distillation, from its files: a teacher learns, says what it makes of its corpus, and a student learns
that."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.models.card import read_card
from tests.recipes import SMALL, SMALL_VOCABULARY, call, work_in


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_student_learns_what_its_teacher_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(tmp_path, monkeypatch)
    call("prepare", "multi30k/prepare", **SMALL_VOCABULARY)
    quick = {"model.dropout": "0.1", "r_drop": "0", "limits.max_steps": "150"}
    call("train", "multi30k/train", **SMALL, **quick, **{"model.decoder_layers": "1"})
    call("translate", "distillation/translate")
    call("prepare", "distillation/prepare")
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
    call("train", "distillation/train", **SMALL, **{"limits.max_steps": "10"})
    card, lineage = read_card("runs/multi30k-en-de-student/best")
    assert card.architecture["decoder_layers"] == 1
    assert lineage.dataset == "data/multi30k-en-de-taught"
