"""Models that replace each other in a folder, killed or not; and files of users and other programs, which stay."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.errors import ModelError
from seq2seq_core.models.card import Lineage, ModelCard, as_json, read_card, verify_model
from seq2seq_core.models.publishing import Content, check_room, publish_model

JOINT = {"config.json", "lineage.json", "model.safetensors", "tokenizer/joint.model"}
SEPARATE = JOINT - {"tokenizer/joint.model"} | {"tokenizer/source.model", "tokenizer/target.model"}
OTHERS = {
    "README.md": "a page",
    "model.bin": "of CTranslate2",
    "model.onnx": "exported",
    "model.safetensors.index.json": "{}",
    "model-0123456789abcdef.onnx": "exported from one of ours",
    "model-0123456789abcdef.safetensors": "quantised",
    "lineage.txt": "notes",
    "lineage-0123456789abcdef.json": "{}",
    "tokenizer/source.vocab": "<pad>\n",
    "tokenizer/joint.vocab": "<pad>\n",
    "tokenizer/target-0123456789abcdef.model": "mine",
    ".model.safetensors.0123456789abcdef.tmp": "of an editor",
}


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "model") if request.param == "local" else f"memory://{uuid.uuid4().hex}/model"


def publish(root: str, step: int, *, weights: int | None = None, tokenizers: str = "st") -> ModelCard:
    """A model whose files follow from its step; equal letters of `tokenizers` are one joint tokenizer."""
    source, target = (f"tokenizer {letter}".encode() for letter in tokenizers)
    names = ("joint", "joint") if source == target else ("source", "target")
    lineage = Lineage(run="r", step=step, dataset_digest="d", dataset="data")
    contents = {
        "weights": Content("model.safetensors", f"weights {step if weights is None else weights}".encode()),
        "source_tokenizer": Content(f"tokenizer/{names[0]}.model", source),
        "target_tokenizer": Content(f"tokenizer/{names[1]}.model", target),
        "lineage": Content("lineage.json", as_json(lineage)),
    }
    facts = {"architecture": {"family": "rnn"}, "source_vocabulary": 20, "target_vocabulary": 20}
    return publish_model(root, facts, contents)


def files(root: str) -> dict[str, bytes]:
    fs, path = storage.filesystem(root)
    return {found[len(path) :].lstrip("/"): fs.cat_file(found) for found in fs.find(path)}


def assert_is_step(root: str, step: int) -> None:
    assert read_card(root)[1].step == step
    card = verify_model(root)
    assert storage.read_bytes(storage.join(root, card.weights.path)) == f"weights {step}".encode()


def test_a_newer_model_replaces_an_older_one_and_leaves_other_files(root: str) -> None:
    publish(root, 1)
    assert set(files(root)) == SEPARATE
    for name, text in OTHERS.items():
        storage.publish_text(f"{root}/{name}", text)
    for step in (2, 3, 3, 4):
        publish(root, step)
        assert_is_step(root, step)
        assert len(files(root)) == len(SEPARATE) + len(OTHERS)
    publish(root, 5, tokenizers="ss")
    assert_is_step(root, 5)
    found = files(root)
    assert len(found) == len(JOINT) + len(OTHERS)
    assert {name: found[name].decode() for name in OTHERS} == OTHERS


def test_the_same_model_again_changes_nothing_and_writes_nothing(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(root, 1)
    card = publish(root, 2)
    before = files(root)
    assert set(before) != SEPARATE, "names hold digests by now"
    with monkeypatch.context() as patch:
        for name in ("publish", "publish_bytes", "remove"):
            patch.delattr(storage, name)
        assert publish(root, 2) == card
    assert files(root) == before


def test_the_same_weights_of_another_lineage_keep_their_file_and_their_digest(root: str) -> None:
    publish(root, 1)
    card = publish(root, 2)
    again = publish(root, 3, weights=2)
    assert again.weights == card.weights
    assert again.digest == card.digest
    assert verify_model(root) == again
    assert len(files(root)) == len(SEPARATE)


@pytest.mark.parametrize("before", [[], [1], [1, 2], [7, 1], [1, 7, 2]])
def test_the_digest_does_not_depend_on_what_stood_there_before(root: str, before: list[int]) -> None:
    for step in before:
        publish(f"{root}/grown", step)
    assert publish(f"{root}/grown", 7).digest == publish(f"{root}/alone", 7).digest


def test_a_damaged_file_is_mended(root: str) -> None:
    card = publish(root, 1)
    storage.publish_text(f"{root}/{card.weights.path}", "rubbish")
    storage.remove(f"{root}/{card.lineage.path}")
    assert publish(root, 1) == card
    assert_is_step(root, 1)


@pytest.mark.parametrize("name", sorted(SEPARATE))
@pytest.mark.parametrize("text", ["", "{}", '{"model_type": "marian"}', '{"format_version": 9}', "rubbish"])
def test_a_file_of_someone_else_in_the_way_is_refused_before_work(root: str, name: str, text: str) -> None:
    storage.publish_text(f"{root}/{name}", text)
    before = files(root)
    for attempt in (lambda: check_room(root, is_joint=False), lambda: publish(root, 1)):
        with pytest.raises(ModelError, match=f"{name}.*Move it.* away, or choose another output folder"):
            attempt()
    assert files(root) == before


def test_only_what_would_be_written_is_in_the_way(root: str) -> None:
    storage.publish_text(f"{root}/tokenizer/source.model", "mine")
    assert check_room(root, is_joint=True) is None
    publish(root, 1, tokenizers="ss")
    with pytest.raises(ModelError, match=r"source.model: something stands where a file of the model would go"):
        publish(root, 2)
    assert_is_step(root, 1)
    assert files(root)["tokenizer/source.model"] == b"mine"


def test_a_model_of_ours_makes_room(root: str) -> None:
    card = publish(root, 1)
    assert check_room(root, is_joint=False) == card
    assert check_room(f"{root}/nothing", is_joint=False) is None


def test_files_where_folders_are_needed_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match=r"file: something stands .* found a file where a folder is needed"):
        check_room(str(tmp_path / "file"), is_joint=True)
    (tmp_path / "tokenizer").write_text("x")
    with pytest.raises(ModelError, match=r"tokenizer: something stands"):
        check_room(str(tmp_path), is_joint=True)


def test_a_dangling_link_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "gone")
    with pytest.raises(ModelError, match=r"model\.safetensors: something stands"):
        check_room(str(tmp_path), is_joint=True)


def kill_at(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, call: int) -> None:
    """Let the calls before `call` do their work, and that one raise."""
    real: Callable[..., Any] = getattr(module, name)
    calls = iter(range(1000))

    def killed(*arguments: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(module, name, killed)


KILLS = [*(("publish_bytes", call) for call in range(6)), *(("remove", call) for call in range(5))]


@pytest.mark.parametrize(("name", "call"), KILLS)
@pytest.mark.parametrize("first", [True, False])
def test_a_writer_killed_anywhere_leaves_one_whole_model(
    root: str, name: str, call: int, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other, text in OTHERS.items():
        storage.publish_text(f"{root}/{other}", text)
    if not first:
        publish(root, 1)
    with monkeypatch.context() as patch:
        kill_at(patch, storage, name, call)
        try:
            publish(root, 2, tokenizers="ts")
            expected = 2
        except KeyboardInterrupt:
            expected = 2 if name == "remove" else 0 if first else 1
    if expected:
        assert_is_step(root, expected)
    check_room(root, is_joint=False)
    publish(root, 3)
    assert_is_step(root, 3)
    found = files(root)
    assert len(found) == len(SEPARATE) + len(OTHERS), "what a killed writer left is gone"
    assert {other: found[other].decode() for other in OTHERS} == OTHERS


@pytest.mark.parametrize("call", range(1, 4))
def test_temporary_files_of_a_killed_writer_go_and_no_others(
    tmp_path: Path, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path)
    publish(root, 1)
    with monkeypatch.context() as patch:
        kill_at(patch, storage, "publish_bytes", call)
        with pytest.raises(KeyboardInterrupt):
            publish(root, 2)
    ours = [
        f"{folder}.{name}.{uuid.uuid4().hex}.tmp"
        for folder, name in (("", "config.json"), ("tokenizer/", "source.model"))
    ]
    theirs = [".model.onnx.0123456789abcdef0123456789abcdef.tmp", ".config.json.swp"]
    for name in (*ours, *theirs):
        (tmp_path / name).write_text("half")
    publish(root, 2)
    assert set(theirs) <= set(files(root))
    assert not set(ours) & set(files(root))
    assert len(files(root)) == len(SEPARATE) + len(theirs)


def test_what_came_after_a_killed_writer_is_no_file_of_ours(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its note names files with their digests: other content under such a name is someone else's."""
    with monkeypatch.context() as patch:
        kill_at(patch, storage, "publish_bytes", 3)
        with pytest.raises(KeyboardInterrupt):
            publish(root, 1)
    storage.publish_text(f"{root}/model.safetensors", "mine")
    with pytest.raises(ModelError, match=r"model\.safetensors: something stands"):
        check_room(root, is_joint=False)
    assert files(root)["model.safetensors"] == b"mine"


def test_only_what_the_note_of_a_killed_writer_says_is_removed(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(root, 1)
    with monkeypatch.context() as patch:
        kill_at(patch, storage, "publish_bytes", 2)
        with pytest.raises(KeyboardInterrupt):
            publish(root, 2)
    (left,) = (name for name in files(root) if name.startswith("model-"))
    storage.publish_text(f"{root}/{left}", "mine")
    with pytest.raises(ModelError, match=rf"{left}: something stands"):
        publish(root, 2)
    publish(root, 3)
    assert_is_step(root, 3)
    assert files(root)[left] == b"mine"


def test_a_note_that_is_none_of_ours_is_refused(root: str) -> None:
    storage.publish_text(f"{root}/.publishing.json", '{"files": ["README.md"]}')
    with pytest.raises(ModelError, match=r"\.publishing\.json: something stands"):
        check_room(root, is_joint=False)
