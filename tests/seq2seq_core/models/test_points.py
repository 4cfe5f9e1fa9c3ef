"""Models whose source is no text: what they give alone and beside others, and their folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.decoding.batched import generate, pad
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.echo import EchoEngineConfig
from seq2seq_core.engines.interface import EngineConfig
from seq2seq_core.engines.torch_engine import TorchEngineConfig
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.inference.translator_config import TranslatorConfig, describe_model, load_translator
from seq2seq_core.modalities.base import Vectors
from seq2seq_core.models.card import Lineage, read_card, verify_model
from seq2seq_core.models.folder import load_model, save_model
from seq2seq_core.models.interface import ArchitectureConfig, Seq2Seq
from seq2seq_core.models.publishing import check_room
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.report.inspection import describe
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from tests.toy_modality import NAME, Points, register

FAMILIES: list[ArchitectureConfig] = [
    RnnConfig(embedding_width=6, width=8, decoder_layers=2),
    TransformerConfig(width=8, feed_forward_width=12, heads=2, encoder_layers=2, decoder_layers=1),
]
FILES = {"config.json", "lineage.json", "model.safetensors", "tokenizer", "tokenizer/target.model"}

both_families = pytest.mark.parametrize("architecture", FAMILIES, ids=lambda config: config.family)


@pytest.fixture(autouse=True)
def _points_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train(iter(["eins zwei drei vier", "fünf sechs"] * 9), TokenizerConfig(vocabulary_size=275)))


def built(architecture: ArchitectureConfig, tokenizer: Tokenizer) -> Seq2Seq:
    torch.manual_seed(1)
    return build_model(architecture, Vectors(3), tokenizer.vocabulary_size).eval()


def saved(folder: Path, architecture: ArchitectureConfig, tokenizer: Tokenizer) -> str:
    lineage = Lineage(run="r", step=1, dataset_digest="d", dataset="data")
    model = built(architecture, tokenizer)
    save_model(str(folder), model, architecture, None, tokenizer, lineage, source_modality=NAME)
    return str(folder)


def clouds(*lengths: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(size=(length, 3)).astype(np.float32) for length in lengths]


def outputs(found: list[list[Hypothesis]]) -> list[list[list[int]]]:
    return [[hypothesis.tokens.tolist() for hypothesis in row] for row in found]


@both_families
@pytest.mark.parametrize("beam", [1, 3])
def test_a_result_does_not_depend_on_its_neighbours(
    architecture: ArchitectureConfig, tokenizer: Tokenizer, beam: int
) -> None:
    model, sources, options = built(architecture, tokenizer), clouds(3, 0, 7, 1, 0, 5), SearchConfig(beam=beam)
    together = generate(model, Points(), sources, options, 10_000)
    assert outputs(together) == [outputs(generate(model, Points(), [s], options, 1))[0] for s in sources]
    assert len({str(output) for output in outputs(together)}) > 1


@both_families
def test_padding_moves_no_logit(architecture: ArchitectureConfig, tokenizer: Tokenizer) -> None:
    model, (short, empty, long) = built(architecture, tokenizer), clouds(2, 0, 9)
    targets = torch.tensor([[2, 7, 8]])
    with torch.no_grad():
        whole = model(*pad(Points(), [short, empty, long]), targets.expand(3, -1)).logits_BTV
        for row, source in zip(whole, (short, empty, long), strict=True):
            assert torch.allclose(row, model(*pad(Points(), [source]), targets).logits_BTV[0], atol=1e-5)
    assert torch.isfinite(whole).all()


@both_families
def test_what_is_saved_is_loaded(architecture: ArchitectureConfig, tokenizer: Tokenizer, tmp_path: Path) -> None:
    root = saved(tmp_path, architecture, tokenizer)
    loaded, (card, _) = load_model(root), read_card(root)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == FILES
    assert verify_model(root) == card
    assert (card.source_modality, card.source_vocabulary, card.source_tokenizer) == ("points", None, None)
    assert not {"source_vocabulary", "source_tokenizer"} & json.loads((tmp_path / "config.json").read_text()).keys()
    assert (loaded.modality.kind, loaded.encoder_input, loaded.digest) == ("points", Vectors(3), card.digest)
    assert list(loaded.tokenizers) == ["target"]
    sources, options = clouds(4, 0), SearchConfig(beam=2)
    expected = generate(built(architecture, tokenizer), Points(), sources, options, 100)
    assert outputs(generate(loaded.model, loaded.modality, sources, options, 100)) == outputs(expected)
    assert f"a source of points and {tokenizer.vocabulary_size} target pieces" in describe(root)


@both_families
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_torch_engine_takes_points(
    architecture: ArchitectureConfig, tokenizer: Tokenizer, tmp_path: Path, precision: Any
) -> None:
    root, sources, options = saved(tmp_path, architecture, tokenizer), clouds(4, 0, 2), SearchConfig(beam=2)
    loaded = TorchEngineConfig(device="cpu", precision=precision).load(root)
    found = loaded.engine.generate(sources, options)
    assert len(found) == 3
    if precision == "float32":
        expected = generate(built(architecture, tokenizer), Points(), sources, options, 100)
        assert outputs(found) == outputs(expected)
    assert loaded.target_tokenizer.digest == tokenizer.digest


@pytest.mark.parametrize("engine", [EchoEngineConfig(), TorchEngineConfig(device="cpu")], ids=lambda e: e.kind)
def test_it_translates_no_texts_and_says_so(tokenizer: Tokenizer, tmp_path: Path, engine: EngineConfig) -> None:
    root = saved(tmp_path, FAMILIES[0], tokenizer)
    with pytest.raises(ModelError, match="the source of this model is no text, and only texts are translated"):
        load_translator(TranslatorConfig(model=root, engine=engine))
    with pytest.raises(ModelError, match=f"^{root}: .*is no text.*found source_modality points"):
        describe_model(TranslatorConfig(model=root, engine=engine))


def test_no_source_tokenizer_takes_no_room(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "source.model").write_text("of somebody else")
    assert check_room(str(tmp_path), ["target"], is_joint=False) is None
    saved(tmp_path, FAMILIES[0], tokenizer)
    assert (tmp_path / "tokenizer" / "source.model").read_text() == "of somebody else"


def test_points_share_no_table_with_text(tokenizer: Tokenizer) -> None:
    with pytest.raises(ConfigError, match="source vectors of 3"):
        built(RnnConfig(tie_embeddings="all"), tokenizer)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_modality": "smell"}, "no such modality; found smell; expected one of audio, points, text"),
        ({"source_modality": "text"}, "source_vocabulary: there is none, and the source is text"),
        ({"source_vocabulary": 20}, "source_vocabulary: only a source of text has one, and the source is points"),
        ({"source_modality": None}, "source_modality"),
    ],
)
def test_a_card_that_cannot_be_is_refused(
    tokenizer: Tokenizer, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    root = saved(tmp_path, FAMILIES[0], tokenizer)
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(values | changes))
    with pytest.raises(ModelError, match=message):
        load_model(root)
