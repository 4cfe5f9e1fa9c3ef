from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import config as configuration
from seq2seq_core.engines.echo import EchoEngineConfig
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.inference.translator_config import TranslatorConfig, describe_model, load_translator
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.segment import SegmentConfig
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from tests.model_folders import write_model_folder


@pytest.fixture(scope="module")
def tokenizer() -> bytes:
    return train(iter(["a small cat sat.", "the dog ran fast!"] * 5), TokenizerConfig(vocabulary_size=310, type="bpe"))


@pytest.fixture(scope="module")
def model(tokenizer: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_model_folder(folder, tokenizer, step=3)
    return folder


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ({"device": "cuda:1", "threads": 3, "max_batch_tokens": 9}, {"kind": "torch", "precision": "float32"}),
        ({"precision": "bfloat16"}, {"kind": "torch", "precision": "bfloat16"}),
        ({"kind": "echo", "fail_on_piece": 7}, {"kind": "echo", "fail_on_piece": 7}),
    ],
)
def test_where_and_how_fast_an_engine_runs_is_no_part_of_the_identity(
    engine: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = configuration.build(TranslatorConfig, {"model": "m", "engine": engine}).identity()
    assert found.pop("engine") == expected
    assert found.keys() == {"search", "segmentation", "normalize", "target_language"}


def test_a_translator_of_the_model_that_was_described(model: Path) -> None:
    config = TranslatorConfig(model=str(model), engine=EchoEngineConfig())
    digest = describe_model(config).digest
    assert load_translator(config, digest).translate(["the  cat"])[0].text == "the cat"
    keep = config.model_copy(update={"normalize": NormalizeConfig(unicode="none", whitespace=False)})
    assert load_translator(keep).translate(["the  cat"])[0].text == "the  cat"
    with pytest.raises(ModelError, match=f"was replaced while it was in use; found digest {digest}; expected 00"):
        load_translator(config, "00")


def test_normalisation_and_segment_length_are_those_the_model_was_trained_with(
    tokenizer: bytes, tmp_path: Path
) -> None:
    text = SourceText(normalize=NormalizeConfig(unicode="none", whitespace=False), longest=4)
    write_model_folder(tmp_path, tokenizer, source_text=text)
    config = TranslatorConfig(model=str(tmp_path), engine=EchoEngineConfig())
    (found,) = load_translator(config).translate(["the  dog ran fast! a small cat sat."])
    assert found.text == "the  dog ran fast! a small cat sat."
    assert found.segments > 2
    wide = config.model_copy(update={"segmentation": SegmentConfig(max_segment_pieces=100)})
    assert load_translator(wide).translate(["the dog ran fast! a small cat sat."])[0].segments == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"demands": {"glossary": "g"}}, "needs a beam search: set flag.second.search.beam to 2 or more"),
        ({"choose": "agreement", "search": {"n_best": 4}}, "but flag.second.search.n_best is 1"),
    ],
)
def test_a_second_pass_that_cannot_have_what_is_asked_is_refused(asked: dict[str, Any], message: str) -> None:
    flag = {"looping": True, "second": {"search": {"beam": 1}}}
    with pytest.raises(ConfigError, match=message):
        configuration.build(TranslatorConfig, {"model": "m", "flag": flag, **asked})
