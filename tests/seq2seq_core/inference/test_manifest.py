from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.errors import DatasetError, ModelError
from seq2seq_core.inference.folder import OUTPUT_NAME
from seq2seq_core.inference.manifest import load_output
from seq2seq_core.inference.translator_config import TranslatorConfig, describe_model
from seq2seq_core.models.card import read_card
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from tests.model_folders import write_model_folder


def test_manifests_that_are_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no finished translation stands here"):
        load_output(str(tmp_path))
    (tmp_path / OUTPUT_NAME).write_text('{"format_version": 1}')
    with pytest.raises(
        DatasetError, match=r"the manifest is damaged, or the file is somebody else's; .*Choose another folder"
    ):
        load_output(str(tmp_path))


def test_a_model_is_described_by_its_digest_and_where_it_comes_from(tmp_path: Path) -> None:
    tokenizer = train(
        iter(["a small cat sat.", "the dog ran fast!"] * 5), TokenizerConfig(vocabulary_size=310, type="bpe")
    )
    write_model_folder(tmp_path, tokenizer, step=3)
    found = describe_model(TranslatorConfig(model=str(tmp_path)))
    assert found.digest == read_card(str(tmp_path))[0].digest
    assert found.lineage == {"run": "r", "step": 3, "averaged_steps": [3], "dataset": "d", "dataset_digest": "x"}


def test_folders_without_a_model_or_with_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no finished model stands here; found no config\.json"):
        describe_model(TranslatorConfig(model=str(tmp_path)))
    for text, problem in {
        "{": "the file is damaged",
        "[]": "the file is damaged",
        "{}": "the model is none of this project; found no keys",
        '{"lineage": 3}': "the model is none of this project; found keys lineage",
        '{"format_version": 1, "lineage": 3}': "the file is damaged",
    }.items():
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelError, match=problem):
            describe_model(TranslatorConfig(model=str(tmp_path)))
