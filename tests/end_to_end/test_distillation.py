"""The recipe of distillation, from its files: a teacher learns, says what it makes of its corpus, and a student learns
that."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.models.card import read_card
from tests.recipes import SMALL, SMALL_VOCABULARY, call, prepared, said, work_in


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_student_learns_what_its_teacher_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(tmp_path, monkeypatch)
    call("prepare", "multi30k/prepare", **SMALL_VOCABULARY)
    quick = {"model.dropout": "0.1", "r_drop": "0", "limits.max_steps": "150"}
    call("train", "multi30k/train", **SMALL, **quick, **{"model.decoder_layers": "1"})
    call("translate", "distillation/translate")
    call("prepare", "distillation/prepare")
    dataset, first = (
        Dataset.open(str(tmp_path / "data" / name)) for name in ("multi30k-en-de-taught", "multi30k-en-de")
    )
    assert dataset.target_tokenizer.digest == first.target_tokenizer.digest
    assert dataset.texts("valid", "target") == first.texts("valid", "target")
    pairs = prepared("en-de-taught")
    assert len(pairs) > 50
    assert pairs <= said("en-de-taught")
    call("train", "distillation/train", **SMALL, **{"limits.max_steps": "10"})
    card, lineage = read_card("runs/multi30k-en-de-student/best")
    assert card.architecture["decoder_layers"] == 1
    assert lineage.dataset == "data/multi30k-en-de-taught"
