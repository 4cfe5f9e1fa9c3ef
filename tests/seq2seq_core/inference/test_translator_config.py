from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.inference.engine_config import EchoEngineConfig
from seq2seq_core.inference.translator_config import TranslatorConfig, _fitting, describe_model, load_translator
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.segment import SegmentConfig
from seq2seq_core.text.source_text import SourceText
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


def test_languages_are_those_of_the_model_unless_told() -> None:
    config = TranslatorConfig(model="m")
    japanese = SourceText(source_language="ja", longest=7)
    assert _fitting(config.segmentation, japanese) == SegmentConfig(language="ja", max_segment_pieces=7)
    told = SegmentConfig(language="en", max_segment_pieces=3)
    assert _fitting(told, japanese) == told
    assert _fitting(config.segmentation, SourceText(source_language="english")) == SegmentConfig()


def test_a_document_in_an_unknown_language_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _fitting(SegmentConfig(), SourceText())
        _fitting(SegmentConfig(mode="document", language="de"), SourceText())
        _fitting(SegmentConfig(mode="document"), SourceText(source_language="de"))
        assert not caplog.records
        _fitting(SegmentConfig(mode="document"), SourceText())
    assert "sentences end as in English" in caplog.text


@pytest.mark.parametrize(
    ("code", "meant"), [("english", "did you mean en?"), ("German", "did you mean de?"), ("../x", "codes are like en")]
)
def test_a_word_that_is_no_language_is_refused_with_close_codes(code: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"segmentation.language.*{re.escape(meant)}"):
        configuration.build(TranslatorConfig, {"model": "m", "segmentation": {"language": code}})


def test_folders_without_a_model_or_with_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no finished model stands here; found no config\.json"):
        describe_model(str(tmp_path))
    for text in ("{", "[]", "{}", '{"lineage": 3}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelError, match="the file is damaged"):
            describe_model(str(tmp_path))
