from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_core import storage
from seq2seq_core.errors import ModelError
from seq2seq_core.inference.engine_config import EchoEngineConfig
from seq2seq_core.inference.translator_config import TranslatorConfig, describe_model, load_translator
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.segment import SegmentConfig
from seq2seq_core.tokenizer.training import TokenizerConfig, train


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    data = train(iter(["a small cat sat.", "the dog ran fast!"] * 5), TokenizerConfig(vocabulary_size=310, type="bpe"))
    (folder / "joint.model").write_bytes(data)
    lineage = {"run": "r", "step": 3, "averaged_steps": [2, 3], "dataset": "d", "dataset_digest": "x", "metrics": {}}
    (folder / "lineage.json").write_text(json.dumps(lineage))
    card = {"source_tokenizer": {"path": "joint.model"}, "lineage": {"path": "lineage.json"}}
    (folder / "config.json").write_text(json.dumps(card))
    return folder


def test_a_model_is_described_by_its_digest_and_where_it_comes_from(model: Path) -> None:
    found = describe_model(str(model))
    assert found.digest == storage.digest_file(str(model / "config.json"))
    assert found.lineage == {"run": "r", "step": 3, "averaged_steps": [2, 3], "dataset": "d", "dataset_digest": "x"}


def test_a_translator_of_the_model_that_was_described(model: Path) -> None:
    config = TranslatorConfig(model=str(model), engine=EchoEngineConfig())
    digest = describe_model(str(model)).digest
    assert load_translator(config, digest).translate(["the  cat"])[0].text == "the cat"
    keep = config.model_copy(update={"normalize": NormalizeConfig(unicode="none", whitespace=False)})
    assert load_translator(keep).translate(["the  cat"])[0].text == "the  cat"
    with pytest.raises(ModelError, match=f"was replaced while it was in use; found digest {digest}; expected 00"):
        load_translator(config, "00")


def test_normalisation_and_segment_length_are_those_the_model_was_trained_with(model: Path, tmp_path: Path) -> None:
    card = json.loads((model / "config.json").read_text())
    card["source_text"] = {"normalize": {"unicode": "none", "whitespace": False}, "longest": 4}
    for name in ("joint.model", "lineage.json"):
        (tmp_path / name).write_bytes((model / name).read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(card))
    config = TranslatorConfig(model=str(tmp_path), engine=EchoEngineConfig())
    (found,) = load_translator(config).translate(["the  dog ran fast! a small cat sat."])
    assert found.text == "the  dog ran fast! a small cat sat."
    assert found.segments > 2
    wide = config.model_copy(update={"segmentation": SegmentConfig(max_segment_pieces=100)})
    assert load_translator(wide).translate(["the dog ran fast! a small cat sat."])[0].segments == 1


def test_folders_without_a_model_or_with_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no finished model stands here; found no config\.json"):
        describe_model(str(tmp_path))
    for text in ("{", "[]", "{}", '{"lineage": 3}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelError, match="the file is damaged"):
            describe_model(str(tmp_path))
