from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import sentencepiece
import torch

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, ModelError, StorageError
from seq2seq_core.models import folder
from seq2seq_core.models.folder import Lineage, LoadedModel, load_model, read_card, save_model, verify_model
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.registry import ArchitectureConfig, build_model
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.transformer import TransformerConfig
from seq2seq_core.tokenizer.model import Tokenizer

RNN = RnnConfig(embedding_width=6, width=8, decoder_layers=2)
TRANSFORMER = TransformerConfig(width=8, feed_forward_width=12, heads=2, encoder_layers=1, decoder_layers=1)
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
    return build_model(architecture, source.vocabulary_size, target.vocabulary_size)


def save(root: str, source: Tokenizer, target: Tokenizer, step: int = 5) -> str:
    """A model whose weights and lineage follow from `step`."""
    model = build(TRANSFORMER, source, target, seed=step)
    return save_model(root, model, TRANSFORMER, source, target, lineage(step))


def names(root: str) -> set[str]:
    fs, path = storage.filesystem(root)
    return {found[len(path) :].lstrip("/") for found in fs.find(path)}


def logits(model: Seq2Seq) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([[5, 6, 3]]), torch.tensor([3]), torch.tensor([[2, 7, 8]]))


def assert_is_step(loaded: LoadedModel, step: int) -> None:
    """Weights, lineage and tokenizers are those `save` writes for one and the same step."""
    assert loaded.lineage.step == step
    expected = build(TRANSFORMER, loaded.source_tokenizer, loaded.target_tokenizer, seed=step).eval()
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
    assert (loaded.source_tokenizer.digest, loaded.target_tokenizer.digest) == (source.digest, target.digest)
    assert loaded.lineage == lineage(5)
    assert loaded.digest == digest == storage.digest_bytes(storage.read_bytes(f"{root}/config.json"))
    card, origin = read_card(root)
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
    logits_with_gradient = model(torch.tensor([[5, 3]]), torch.tensor([2]), torch.tensor([[2]]))
    logits_with_gradient.sum().backward()
    assert all(weight.grad is not None for weight in model.encoder.parameters())


def test_saving_and_loading_leave_the_random_numbers_alone(tmp_path: Path, source: Tokenizer) -> None:
    for architecture in (RNN, TRANSFORMER):
        model = build(architecture, source, source)
        before = torch.get_rng_state()
        save_model(str(tmp_path), model, architecture, source, source, lineage(1))
        load_model(str(tmp_path))
        assert torch.equal(torch.get_rng_state(), before)


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
    assert loaded.source_tokenizer.digest == loaded.target_tokenizer.digest


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


def test_a_newer_model_replaces_an_older_one_and_leaves_other_files(
    root: str, source: Tokenizer, target: Tokenizer
) -> None:
    save(root, source, target, step=1)
    storage.publish_text(f"{root}/README.md", "mine")
    storage.publish_text(f"{root}/model-card.txt", "mine")
    for step in (2, 3, 3, 4):
        save(root, source, target, step=step)
        assert_is_step(load_model(root), step)
        assert len(names(root)) == len(BOTH_WAYS) + 2
    save(root, source, source, step=5)
    assert_is_step(load_model(root), 5)
    assert names(root) >= {"README.md", "model-card.txt", "tokenizer/joint.model"}
    assert len(names(root)) == 4 + 2


def kill_at(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, call: int) -> None:
    """Let the calls before `call` do their work, and that one raise."""
    real: Callable[..., Any] = getattr(module, name)
    calls = iter(range(1000))

    def killed(*arguments: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(module, name, killed)


@pytest.mark.parametrize("name", ["publish_bytes", "remove"])
@pytest.mark.parametrize("call", range(5))
def test_a_writer_killed_anywhere_leaves_one_whole_model(
    root: str, name: str, call: int, source: Tokenizer, target: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(root, source, target, step=1)
    with monkeypatch.context() as patch:
        kill_at(patch, storage, name, call)
        try:
            save(root, target, source, step=2)
            expected = 2
        except KeyboardInterrupt:
            expected = 1 if name == "publish_bytes" else 2
    assert_is_step(load_model(root), expected)
    save(root, source, target, step=3)
    assert_is_step(load_model(root), 3)
    assert len(names(root)) == len(BOTH_WAYS), "what a killed writer left is gone"


@pytest.mark.parametrize("writes", [1, 2])
def test_a_reader_overtaken_by_writers_gets_one_whole_model(
    root: str, writes: int, source: Tokenizer, target: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(root, source, target, step=1)
    real = folder._read_config
    steps = iter(range(2, 2 + writes))

    def read_and_be_overtaken(root: str) -> Any:
        result = real(root)
        if (step := next(steps, None)) is not None:
            monkeypatch.setattr(folder, "_read_config", real)
            save(root, source, target, step=step)
            monkeypatch.setattr(folder, "_read_config", read_and_be_overtaken)
        return result

    monkeypatch.setattr(folder, "_read_config", read_and_be_overtaken)
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
    with pytest.raises(ModelError, match=r"the model is not finished; found no config.json"):
        load_model(root)


def rewrite(root: str, **changes: object) -> None:
    values = json.loads(storage.read_text(f"{root}/config.json"))
    storage.publish_text(f"{root}/config.json", json.dumps(values | changes))


def test_a_damaged_config_is_refused_and_can_be_replaced(
    root: str, source: Tokenizer, target: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    for changes, message in [
        ({"format_version": 7}, "config.json: another format version; found 7; expected 1"),
        ({"task": "chess"}, "config.json: the file is damaged.*task"),
        ({"architecture": {"family": "conv"}}, "config.json: the file is damaged.*architecture"),
    ]:
        save(root, source, target)
        rewrite(root, **changes)
        with pytest.raises(ModelError, match=message):
            load_model(root)
    storage.publish_text(f"{root}/config.json", "{")
    with pytest.raises(ModelError, match=r"config.json: the file is damaged"):
        load_model(root)
    save(root, source, target, step=6)
    assert "config.json: the file is damaged" in caplog.text
    assert_is_step(load_model(root), 6)


def test_a_config_that_does_not_fit_its_files_is_refused(root: str, source: Tokenizer, target: Tokenizer) -> None:
    save(root, source, target)
    rewrite(root, architecture=TRANSFORMER.model_dump() | {"feed_forward_width": 16})
    with pytest.raises(ModelError, match=r"model.safetensors: 6 weights do not fit the architecture"):
        load_model(root)
    save(root, source, target)
    rewrite(root, source_vocabulary=19)
    with pytest.raises(ModelError, match=r"source.model: the tokenizer is not the one.*found 20 pieces; expected 19"):
        load_model(root)


def test_a_config_cannot_reach_out_of_its_folder(root: str, source: Tokenizer, target: Tokenizer) -> None:
    save(root, source, target)
    rewrite(root, lineage={"path": "../secret.json", "bytes": 1, "digest": "0"})
    with pytest.raises(StorageError, match=r"a path leaves its folder; found ../secret.json"):
        load_model(root)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_an_unknown_device_is_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(ConfigError, match=f"no such device; found '{device}'"):
        load_model(str(tmp_path), device)
