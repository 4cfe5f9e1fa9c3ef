from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core import config as configuration
from seq2seq_core.config import Config
from seq2seq_core.decoding.batched import generate, pad
from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.ensemble import Ensemble
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.decoding.steps.fusion import Fusion
from seq2seq_core.engines.echo import EchoEngineConfig
from seq2seq_core.engines.interface import EngineConfig
from seq2seq_core.engines.table import AnyEngine
from seq2seq_core.engines.torch_engine import TorchEngineConfig
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.card import Lineage
from seq2seq_core.models.folder import load_model, save_model
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train

CORPUS = ["a small cat sat.", "the dog ran fast!", "one, two and three?"] * 5
SEQUENCES = [np.array(ids, np.int32) for ids in ([5, 6, 7], [], [300, 4, 4, 9, 10, 11, 12], [8])]


class Outer(Config):
    engine: AnyEngine = TorchEngineConfig()


@pytest.fixture(scope="module", params=["transformer", "rnn"])
def model_root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    root = str(tmp_path_factory.mktemp("model"))
    tokenizer = Tokenizer(train(iter(CORPUS), TokenizerConfig(vocabulary_size=320, type="bpe")))
    architecture = (
        TransformerConfig(width=16, feed_forward_width=32, heads=2, encoder_layers=1, decoder_layers=1)
        if request.param == "transformer"
        else RnnConfig(width=16)
    )
    torch.manual_seed(1)
    model = build_model(architecture, Symbols(tokenizer.vocabulary_size), tokenizer.vocabulary_size)
    save_model(root, model, architecture, tokenizer, tokenizer, Lineage(run="r", step=1, dataset_digest="", dataset=""))
    return root


@pytest.mark.parametrize("beam", [1, 3])
def test_the_torch_engine_generates_what_its_model_does(model_root: str, beam: int) -> None:
    options = SearchConfig(beam=beam, n_best=beam)
    loaded = TorchEngineConfig(device="cpu", max_batch_tokens=20).load(model_root)
    model = load_model(model_root)
    assert loaded.model_digest == model.digest
    assert loaded.source_tokenizer.digest == loaded.target_tokenizer.digest == model.tokenizers["source"].digest
    expected = generate(model.model, model.modality, SEQUENCES, options, 10_000)
    for found, wanted in zip(loaded.engine.generate(SEQUENCES, options), expected, strict=True):
        assert [h.tokens.tolist() for h in found] == [h.tokens.tolist() for h in wanted]
        assert [h.score for h in found] == pytest.approx([h.score for h in wanted], abs=1e-4)


def test_bfloat16_and_the_number_of_threads_are_taken_up(model_root: str) -> None:
    before = torch.get_num_threads()
    try:
        engine = TorchEngineConfig(precision="bfloat16", threads=1).load(model_root).engine
        assert torch.get_num_threads() == 1
        for beam in (1, 2):
            assert len(engine.generate(SEQUENCES, SearchConfig(beam=beam))) == len(SEQUENCES)
        assert {parameter.dtype for parameter in engine._model.parameters()} == {torch.bfloat16}  # type: ignore[attr-defined]
    finally:
        torch.set_num_threads(before)


def test_int8_is_refused_with_the_engine_that_gains_from_it() -> None:
    with pytest.raises(ConfigError, match=r"precision: int8 .* --engine\.kind ctranslate2 --engine\.quant"):
        configuration.build(TorchEngineConfig, {"precision": "int8"})


def language_model(root: Path, vocabulary_size: int = 320, corpus: list[str] = CORPUS) -> str:
    tokenizer = Tokenizer(train(iter(corpus), TokenizerConfig(vocabulary_size=vocabulary_size, type="bpe")))
    torch.manual_seed(2)
    model = build_model(RnnConfig(width=8), Symbols(tokenizer.vocabulary_size), tokenizer.vocabulary_size)
    lineage = Lineage(run="l", step=1, dataset_digest="", dataset="")
    save_model(str(root), model, RnnConfig(width=8), tokenizer, tokenizer, lineage)
    return str(root)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_language_model_has_its_say_in_the_search(model_root: str, beam: int, tmp_path: Path) -> None:
    options, beside = SearchConfig(beam=beam, n_best=beam), language_model(tmp_path)
    config = configuration.build(TorchEngineConfig, {"device": "cpu", "fusion": {"model": beside, "weight": 0.5}})
    model, helper = load_model(model_root), load_model(beside)
    fusion = Fusion(helper.model, *pad(helper.modality, [np.zeros(0, np.int32)]), 0.5)
    expected = generate(model.model, model.modality, SEQUENCES, options, 10_000, processing=[fusion])
    found = config.load(model_root).engine.generate(SEQUENCES, options)
    for some, wanted in zip(found, expected, strict=True):
        assert [h.tokens.tolist() for h in some] == [h.tokens.tolist() for h in wanted]
        assert [h.score for h in some] == pytest.approx([h.score for h in wanted], abs=1e-4)
    plain = TorchEngineConfig(device="cpu").load(model_root).engine.generate(SEQUENCES, options)
    assert [row[0].score for row in found] != pytest.approx([row[0].score for row in plain], abs=1e-3)


def test_a_language_model_of_other_pieces_is_refused(model_root: str, tmp_path: Path) -> None:
    other = language_model(tmp_path, corpus=[*CORPUS, "quite another text altogether"])
    config = configuration.build(TorchEngineConfig, {"device": "cpu", "fusion": {"model": other}})
    with pytest.raises(ConfigError, match=r"engine\.fusion\.model .*not those of the model it is to help"):
        config.load(model_root)
    missing = configuration.build(TorchEngineConfig, {"device": "cpu", "fusion": {"model": str(tmp_path / "none")}})
    with pytest.raises(ModelError, match="no model"):
        missing.load(model_root)


def test_a_language_model_counts_by_its_content(tmp_path: Path) -> None:
    first, again = language_model(tmp_path / "a"), language_model(tmp_path / "b")
    found = [configuration.build(TorchEngineConfig, {"fusion": {"model": root}}).identity() for root in (first, again)]
    assert found[0] == found[1]
    assert found[0]["fusion"] == {"model": load_model(first).digest, "weight": 0.3}
    assert "fusion" not in TorchEngineConfig().identity()


@pytest.mark.parametrize("beam", [1, 3])
def test_an_ensemble_averages_probabilities(model_root: str, beam: int, tmp_path: Path) -> None:
    options, beside = SearchConfig(beam=beam, n_best=beam), language_model(tmp_path)
    config = configuration.build(TorchEngineConfig, {"device": "cpu", "ensemble": [beside]})
    both = Ensemble([load_model(root).model for root in (model_root, beside)])
    expected = generate(both, load_model(model_root).modality, SEQUENCES, options, 10_000)
    for some, wanted in zip(config.load(model_root).engine.generate(SEQUENCES, options), expected, strict=True):
        assert [h.tokens.tolist() for h in some] == [h.tokens.tolist() for h in wanted]
        assert [h.score for h in some] == pytest.approx([h.score for h in wanted], abs=1e-4)
    assert config.identity() == {**TorchEngineConfig().identity(), "ensemble": [load_model(beside).digest]}
    assert "ensemble" not in TorchEngineConfig().identity()


def test_an_ensemble_of_other_pieces_is_refused(model_root: str, tmp_path: Path) -> None:
    other = language_model(tmp_path, corpus=[*CORPUS, "quite another text altogether"])
    config = configuration.build(TorchEngineConfig, {"device": "cpu", "ensemble": [other]})
    with pytest.raises(ConfigError, match=r"engine\.ensemble .*not those of the model it is averaged with"):
        config.load(model_root)


def test_nothing_can_be_asked_of_an_echo(model_root: str) -> None:
    engine = EchoEngineConfig().load(model_root).engine
    with pytest.raises(ConfigError, match="nothing can be demanded"):
        engine.generate(SEQUENCES[:1], SearchConfig(), [Demand((5,))])
    with pytest.raises(ConfigError, match="gives nothing a probability"):
        engine.score(SEQUENCES, SEQUENCES)


def test_ctc_without_frame_scores_is_told(model_root: str) -> None:
    engine = TorchEngineConfig(device="cpu").load(model_root).engine
    with pytest.raises(ConfigError, match="scores no frames"):
        engine.generate(SEQUENCES, SearchConfig(ctc_weight=0.3))


def test_the_echo_engine_gives_the_source_back(model_root: str) -> None:
    loaded = EchoEngineConfig().load(model_root)
    found = loaded.engine.generate(SEQUENCES, SearchConfig(attention=True, align=True))
    assert [h.spans.tolist() for (h,) in found if h.spans is not None][3] == [[0, 1]]
    assert [h.tokens.tolist() for (h,) in found] == [ids.tolist() for ids in SEQUENCES]
    assert [h.attention.shape for (h,) in found if h.attention is not None] == [(4, 4), (1, 1), (8, 8), (2, 2)]
    assert loaded.source_tokenizer is loaded.target_tokenizer
    assert loaded.model_digest == load_model(model_root).digest


def test_a_worker_without_a_torch_engine_needs_no_torch(model_root: str) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.echo import EchoEngineConfig
from seq2seq_core.inference.translator import Translator
from seq2seq_core.text.segment import SegmentConfig
loaded = EchoEngineConfig().load({model_root!r})
parts = loaded.engine, loaded.source_tokenizer, loaded.target_tokenizer, SearchConfig(), SegmentConfig()
sys.exit(Translator(*parts).translate(["a cat"])[0].text != "a cat")
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("config", [EchoEngineConfig(), TorchEngineConfig(device="cpu")])
def test_a_folder_without_a_model_is_named(tmp_path: Path, config: EngineConfig) -> None:
    with pytest.raises(ModelError, match="no model"):
        config.load(str(tmp_path / "nothing"))


@pytest.mark.parametrize("content", ["{", "{}", json.dumps({"source_tokenizer": 3})])
def test_a_damaged_model_card_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        EchoEngineConfig().load(str(tmp_path))


def test_a_device_that_is_not_there_is_named(model_root: str) -> None:
    with pytest.raises(ConfigError, match="warp"):
        TorchEngineConfig(device="warp").load(model_root)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, TorchEngineConfig()),
        ({"engine": {"device": "cpu"}}, TorchEngineConfig(device="cpu")),
        ({"engine": {"kind": "torch", "threads": 2}}, TorchEngineConfig(threads=2)),
        ({"engine": {"kind": "echo", "fail_on_piece": 7}}, EchoEngineConfig(fail_on_piece=7)),
    ],
)
def test_the_kind_of_engine_is_torch_unless_named(values: dict[str, Any], expected: EngineConfig) -> None:
    outer = configuration.build(Outer, values)
    assert outer.engine == expected
    assert configuration.build(Outer, outer.model_dump(mode="json")) == outer


def test_a_key_of_another_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"engine.*devise.*Did you mean engine\.device"):
        configuration.build(Outer, {"engine": {"devise": "cpu"}})
    with pytest.raises(ConfigError, match="device"):
        configuration.build(Outer, {"engine": {"kind": "echo", "device": "cpu"}})
    with pytest.raises(ConfigError, match="'warp'"):
        configuration.build(Outer, {"engine": {"kind": "warp"}})


def test_engine_options_are_seen_by_the_command_line() -> None:
    names = [key.name for key in configuration.keys(Outer)]
    assert {"engine.kind", "engine.device", "engine.fail_on_piece"} <= set(names)
    assert configuration.parse_overrides(Outer, ["--engine.kind", "echo"]) == {"engine.kind": "echo"}
