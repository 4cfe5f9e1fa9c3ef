from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import sentencepiece
import torch

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models import card as cards
from seq2seq_core.models.card import Lineage, read_card, verify_model
from seq2seq_core.models.folder import LoadedModel, load_model, save_model
from seq2seq_core.models.interface import ArchitectureConfig, Seq2Seq
from seq2seq_core.models.registry import build_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer

RNN = RnnConfig(embedding_width=6, width=8, decoder_layers=2)
TRANSFORMER = TransformerConfig(width=8, feed_forward_width=12, heads=2, encoder_layers=1, decoder_layers=1)
LOADED = """
import sys
from seq2seq_core.models.folder import load_model
load_model(sys.argv[1])
print("torch._dynamo" in sys.modules)
"""
BOTH_WAYS = {
    "config.json",
    "lineage.json",
    "model.safetensors",
    "tokenizer/source.model",
    "tokenizer/target.model",
}


def train_tokenizer(size: int) -> Tokenizer:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the quick brown fox jumps over the lazy dog", "eine kleine katze sitzt im garten"]),
        model_writer=out,
        model_type="char",
        vocab_size=size,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=2,
    )
    return Tokenizer(out.getvalue())


@pytest.fixture(scope="module")
def source() -> Tokenizer:
    return train_tokenizer(20)


@pytest.fixture(scope="module")
def target() -> Tokenizer:
    return train_tokenizer(24)


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "model") if request.param == "local" else f"memory://{uuid.uuid4().hex}/model"


def lineage(step: int) -> Lineage:
    return Lineage(
        run="en-de",
        step=step,
        averaged_steps=(step - 1, step),
        dataset_digest="abc",
        dataset="s3://bucket/data",
        metrics={"bleu": 33.5},
        configuration={"training": {"seed": 1}},
        software={"torch": "2"},
    )


def build(architecture: ArchitectureConfig, source: Tokenizer, target: Tokenizer, seed: int = 0) -> Seq2Seq:
    torch.manual_seed(seed)
    return build_model(architecture, Symbols(source.vocabulary_size), target.vocabulary_size)


def save(root: str, source: Tokenizer, target: Tokenizer, step: int = 5) -> str:
    """A model whose weights and lineage follow from `step`."""
    model = build(TRANSFORMER, source, target, seed=step)
    return save_model(root, model, TRANSFORMER, source, target, lineage(step))


def names(root: str) -> set[str]:
    fs, path = storage.filesystem(root)
    return {found[len(path) :].lstrip("/") for found in fs.find(path)}


def logits(model: Seq2Seq) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(torch.tensor([[5, 6, 3]]), torch.tensor([3]), torch.tensor([[2, 7, 8]])).logits_BTV
    return logits


def assert_is_step(loaded: LoadedModel, step: int) -> None:
    """Weights, lineage and tokenizers are those `save` writes for one and the same step."""
    assert loaded.lineage.step == step
    expected = build(TRANSFORMER, loaded.tokenizers["source"], loaded.tokenizers["target"], seed=step).eval()
    assert torch.equal(logits(loaded.model), logits(expected))


@pytest.mark.parametrize("architecture", [RNN, RNN.model_copy(update={"cell": "gru"}), TRANSFORMER])
def test_what_is_saved_is_loaded(
    root: str, architecture: ArchitectureConfig, source: Tokenizer, target: Tokenizer
) -> None:
    model = build(architecture, source, target).eval()
    digest = save_model(root, model, architecture, source, target, lineage(5))
    loaded = load_model(root)
    assert names(root) == BOTH_WAYS
    assert torch.equal(logits(loaded.model), logits(model))
    assert not loaded.model.training
    assert all(weight.requires_grad and weight.device.type == "cpu" for weight in loaded.model.parameters())
    assert loaded.architecture == architecture
    assert (loaded.tokenizers["source"].digest, loaded.tokenizers["target"].digest) == (source.digest, target.digest)
    assert loaded.lineage == lineage(5)
    card, origin = read_card(root)
    assert loaded.digest == digest == card.digest
    assert origin == lineage(5)
    assert card == verify_model(root)
    assert (card.source_vocabulary, card.target_vocabulary) == (source.vocabulary_size, target.vocabulary_size)


def test_a_loaded_rnn_can_be_trained_on(tmp_path: Path, source: Tokenizer, target: Tokenizer) -> None:
    """Weights put into place after construction are also those that the fused kernels see."""
    save_model(str(tmp_path), build(RNN, source, target), RNN, source, target, lineage(1))
    model = load_model(str(tmp_path)).model
    before = logits(model)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight.mul_(1.5)
    assert not torch.equal(logits(model), before)
    logits_with_gradient = model(torch.tensor([[5, 3]]), torch.tensor([2]), torch.tensor([[2]])).logits_BTV
    logits_with_gradient.sum().backward()
    assert all(weight.grad is not None for weight in model.encoder.parameters())


def test_saving_and_loading_leave_the_random_numbers_alone(tmp_path: Path, source: Tokenizer) -> None:
    for architecture in (RNN, TRANSFORMER):
        model = build(architecture, source, source)
        before = torch.get_rng_state()
        save_model(str(tmp_path), model, architecture, source, source, lineage(1))
        load_model(str(tmp_path))
        assert torch.equal(torch.get_rng_state(), before)


def test_loading_imports_no_compiler(tmp_path: Path, source: Tokenizer, target: Tokenizer) -> None:
    """It takes two seconds, and a command that translates a line has none to spare."""
    for architecture in (RNN, TRANSFORMER):
        save_model(str(tmp_path), build(architecture, source, target), architecture, source, target, lineage(1))
        words = [sys.executable, "-c", LOADED, str(tmp_path)]
        assert subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout == "False\n"


def test_the_same_model_gives_the_same_bytes(tmp_path: Path, source: Tokenizer, target: Tokenizer) -> None:
    assert save(str(tmp_path / "a"), source, target) == save(str(tmp_path / "b"), source, target)


def test_a_joint_tokenizer_and_tied_weights_are_saved_once(root: str, source: Tokenizer) -> None:
    architecture = TRANSFORMER.model_copy(update={"tie_embeddings": "all"})
    model = build(architecture, source, source).eval()
    save_model(root, model, architecture, source, source, lineage(5))
    assert names(root) == {"config.json", "lineage.json", "model.safetensors", "tokenizer/joint.model"}
    tensors = safetensors.torch.load(storage.read_bytes(f"{root}/model.safetensors"))
    assert sum(tensor.numel() for tensor in tensors.values()) == sum(w.numel() for w in model.parameters())
    loaded = load_model(root)
    assert torch.equal(logits(loaded.model), logits(model))
    assert loaded.tokenizers["source"].digest == loaded.tokenizers["target"].digest


def test_half_precision_models_are_saved_in_float32(tmp_path: Path, source: Tokenizer, target: Tokenizer) -> None:
    model = build(TRANSFORMER, source, target).bfloat16()
    save_model(str(tmp_path), model, TRANSFORMER, source, target, lineage(5))
    loaded = load_model(str(tmp_path)).model
    for name, weight in model.named_parameters():
        found = loaded.get_parameter(name)
        assert found.dtype == torch.float32
        assert torch.equal(found, weight.float())


def test_a_model_of_another_architecture_is_not_saved(root: str, source: Tokenizer, target: Tokenizer) -> None:
    wider = TRANSFORMER.model_copy(update={"feed_forward_width": 16})
    message = r"6 weights do not fit.*found \S+inner.bias 12 float32.*expected \S+inner.bias 16 float32"
    with pytest.raises(ModelError, match=message):
        save_model(root, build(TRANSFORMER, source, target), wider, source, target, lineage(5))
    with pytest.raises(ModelError, match="do not fit"):
        save_model(root, build(TRANSFORMER, source, target), TRANSFORMER, source, source, lineage(5))
    assert not storage.exists(root)


@pytest.mark.parametrize("writes", [1, 2])
def test_a_reader_overtaken_by_writers_gets_one_whole_model(
    root: str, writes: int, source: Tokenizer, target: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(root, source, target, step=1)
    real = cards.read_config
    steps = iter(range(2, 2 + writes))

    def read_and_be_overtaken(root: str) -> Any:
        result = real(root)
        if (step := next(steps, None)) is not None:
            monkeypatch.setattr(cards, "read_config", real)
            save(root, source, target, step=step)
            monkeypatch.setattr(cards, "read_config", read_and_be_overtaken)
        return result

    monkeypatch.setattr(cards, "read_config", read_and_be_overtaken)
    assert_is_step(load_model(root), 1 + writes)


@pytest.mark.parametrize("name", sorted(BOTH_WAYS - {"config.json"}))
def test_a_damaged_or_missing_file_is_named(root: str, name: str, source: Tokenizer, target: Tokenizer) -> None:
    save(root, source, target)
    data = bytearray(storage.read_bytes(f"{root}/{name}"))
    data[len(data) // 2] ^= 1
    storage.publish_bytes(f"{root}/{name}", bytes(data))
    with pytest.raises(ModelError, match=f"{name}: a file of the model is damaged; found {len(data)} bytes, xxh3"):
        load_model(root)
    storage.publish_bytes(f"{root}/{name}", bytes(data[:-1]))
    with pytest.raises(ModelError, match=f"{name}: .* damaged; found {len(data) - 1} bytes.*expected {len(data)} by"):
        verify_model(root)
    storage.remove(f"{root}/{name}")
    with pytest.raises(ModelError, match=f"{name}: a file of the model cannot be read; found no such file"):
        load_model(root)
    save(root, source, target)
    assert_is_step(load_model(root), 5)


def test_a_missing_and_an_unfinished_folder_are_told_apart(root: str, source: Tokenizer, target: Tokenizer) -> None:
    with pytest.raises(ModelError, match=r"no model stands here; found no config.json"):
        load_model(root)
    save(root, source, target)
    storage.remove(f"{root}/config.json")
    with pytest.raises(ModelError, match=r"no finished model stands here; found no config.json"):
        load_model(root)


def rewrite(root: str, **changes: object) -> None:
    values = json.loads(storage.read_text(f"{root}/config.json"))
    storage.publish_text(f"{root}/config.json", json.dumps(values | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 7}, "config.json: another format version; found 7; expected 1"),
        ({"format_version": True}, "config.json: the file is damaged"),
        ({"task": "chess"}, "config.json: the file is damaged.*task"),
        ({"architecture": {"family": "conv"}}, "config.json: no such architecture.*conv"),
        (
            {"lineage": {"path": "../secret.json", "bytes": 1, "digest": "0"}},
            "config.json: .*damaged.* leaves its fold",
        ),
        ({"lineage": {"path": "a\0b", "bytes": 1, "digest": "0"}}, "config.json: the file is damaged.*lineage"),
        ({"lineage": {"path": " ", "bytes": 1, "digest": "0"}}, "config.json: the file is damaged.*lineage"),
    ],
)
def test_a_damaged_config_is_refused(
    root: str, changes: dict[str, Any], message: str, source: Tokenizer, target: Tokenizer
) -> None:
    save(root, source, target)
    rewrite(root, **changes)
    with pytest.raises(ModelError, match=message):
        load_model(root)


@pytest.mark.parametrize("text", ["{", "", "[]", "3", "[" * 100_000, '{"format_version": 1, "task": "\\ud800"}'])
def test_a_config_that_is_no_json_object_is_refused(root: str, text: str) -> None:
    storage.publish_text(f"{root}/config.json", text)
    with pytest.raises(ModelError, match=r"config.json: the file is damaged"):
        load_model(root)


def test_the_folder_of_another_program_is_told_from_a_damaged_one(root: str) -> None:
    storage.publish_text(f"{root}/config.json", '{"model_type": "marian", "vocab_size": 58101}')
    message = r"none of this project; found keys model_type, vocab_size; expected format_version 1.*RUN/best"
    with pytest.raises(ModelError, match=message):
        load_model(root)


def test_a_run_folder_leads_to_its_best_model(root: str, source: Tokenizer, target: Tokenizer) -> None:
    save(f"{root}/best", source, target)
    with pytest.raises(ModelError, match=r"this is a run folder.*Name \S+/best\."):
        load_model(root)


def test_a_config_that_does_not_fit_its_files_is_refused(root: str, source: Tokenizer, target: Tokenizer) -> None:
    save(root, source, target)
    rewrite(root, architecture=TRANSFORMER.model_dump() | {"feed_forward_width": 16})
    with pytest.raises(ModelError, match=r"model.safetensors: 6 weights do not fit the architecture"):
        load_model(root)
    save(root, source, target)
    rewrite(root, source_vocabulary=19)
    with pytest.raises(ModelError, match=r"source.model: the tokenizer is not the one.*found 20 pieces; expected 19"):
        load_model(root)


WRONG = [0, -1, 1, 3, 10**9, 1 << 31, 1 << 62, 1 << 63, 10**30, 10**400, 0.5, 2.0, 1e308, float("nan"), float("inf")]
WRONG += ["8", "", "all", True, False, None, [], [8], {}, {"width": 8}]


def leaves(values: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values that hold no others, and of what holds them."""
    if path:
        yield path
    for key in values if isinstance(values, dict) else ():
        yield from leaves(values[key], (*path, key))


def changed(values: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return value
    return {**values, path[0]: changed(values[path[0]], path[1:], value)}


@pytest.mark.parametrize(
    "architecture",
    [RNN, TRANSFORMER, TRANSFORMER.model_copy(update={"positions": "learned", "max_positions": 9})],
    ids=["rnn", "transformer", "learned"],
)
def test_no_value_of_a_foreign_config_is_believed(
    architecture: ArchitectureConfig, tmp_path: Path, source: Tokenizer, target: Tokenizer
) -> None:
    """Whatever stands in place of any value: one ModelError, or a model that works, and no waiting for either."""
    root = str(tmp_path)
    text = SourceText(longest=8)
    save_model(root, build(architecture, source, target), architecture, source, target, lineage(5), text)
    values, refused = json.loads(storage.read_text(f"{root}/config.json")), 0
    for path in leaves(values):
        for value in WRONG:
            (tmp_path / "config.json").write_text(json.dumps(changed(values, path, value)))
            began = time.monotonic()
            try:
                assert torch.isfinite(logits(load_model(root).model)).all()
            except ModelError:
                refused += 1
            assert time.monotonic() - began < 10, (path, value)
    assert refused > 800


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("encoder_layers", 1000, r"encoder_layers cannot be that large; found 1000; expected at most \d+, the weights"),
        ("decoder_layers", 1000, "decoder_layers cannot be that large"),
        ("decoder_layers", 10**9, "no such architecture"),
        ("width", 1 << 16, "width cannot be that large; found 65536; expected at most 24, the largest dimension"),
        ("width", 1 << 40, "no such architecture"),
        ("heads", 10**30, "no such architecture"),
        ("tie_embeddings", "all", "vocabularies do not fit the architecture.*20 source and 24 target"),
        ("tie_embeddings", "none", "1 weights do not fit.*output.weight missing"),
        ("positions", "learned", "max_positions cannot be that large; found 512"),
    ],
)
def test_numbers_that_the_weights_do_not_have_are_named(
    name: str, value: object, message: str, tmp_path: Path, source: Tokenizer, target: Tokenizer
) -> None:
    save(str(tmp_path), source, target)
    rewrite(str(tmp_path), architecture=TRANSFORMER.model_dump() | {name: value})
    with pytest.raises(ModelError, match=message):
        load_model(str(tmp_path))


def test_learned_positions_reach_over_the_longest_source(tmp_path: Path, source: Tokenizer, target: Tokenizer) -> None:
    root, architecture = str(tmp_path), TRANSFORMER.model_copy(update={"positions": "learned", "max_positions": 9})
    save_model(
        root, build(architecture, source, target), architecture, source, target, lineage(1), SourceText(longest=8)
    )
    assert load_model(root).source_text.longest == 8
    rewrite(root, source_text={"normalize": {}, "longest": 9})
    with pytest.raises(
        ModelError, match=r"positions of the model do not reach.*found source_text.longest = 9.*at most 8"
    ):
        load_model(root)


def test_a_tokenizer_that_is_none_is_named(tmp_path: Path, source: Tokenizer, target: Tokenizer) -> None:
    save(str(tmp_path), source, target)
    (tmp_path / "tokenizer" / "source.model").write_bytes(b"rubbish")
    entry = {"path": "tokenizer/source.model", "bytes": 7, "digest": storage.digest_bytes(b"rubbish")}
    rewrite(str(tmp_path), source_tokenizer=entry)
    with pytest.raises(ModelError, match=r"source.model: a tokenizer of the model is damaged; found not a Sentence"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_an_unknown_device_is_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(ConfigError, match=f"no such device; found '{device}'"):
        load_model(str(tmp_path), device)
