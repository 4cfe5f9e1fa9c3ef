from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    MANIFEST_NAME,
    InputEntry,
    Manifest,
    ShardEntry,
    SplitEntry,
    TokenizerEntry,
    load_manifest,
    publish_manifest,
)
from seq2seq_core.errors import DatasetError


def manifest(digest: str = "aa") -> Manifest:
    tokenizer = TokenizerEntry(path="tokenizer/joint.model", digest="t", vocabulary_size=100)
    shard = ShardEntry(path="train/p", rows=3, source_tokens=9, target_tokens=8, bytes=10, digest=digest)
    return Manifest(
        fingerprint="f",
        source_tokenizer=tokenizer,
        target_tokenizer=tokenizer,
        splits={"train": SplitEntry(shards=(shard,), source_lengths=(0, 3), target_lengths=(0, 3))},
        rejected=(),
        ledger=Ledger(read=6, kept={"train": 3}, duplicates=1, rejected={"empty": 2}),
        inputs=(InputEntry(url="a.en", bytes=3, fingerprint="x"),),
        configuration={"seed": 1},
        software={},
    )


def test_round_trip(tmp_path: Path) -> None:
    publish_manifest(str(tmp_path), manifest())
    assert load_manifest(str(tmp_path)) == manifest()
    assert manifest().is_joint
    assert manifest().splits["train"].rows == 3
    assert manifest().ledger.balance == 0


def test_the_digest_names_the_data() -> None:
    assert manifest("aa").digest == manifest("aa").model_copy(update={"fingerprint": "other"}).digest
    assert manifest("aa").digest != manifest("bb").digest


def test_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no finished dataset.*seq2seq prepare"):
        load_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "another format version; found 99; expected 1"),
        ({"surprise": 1}, "damaged"),
        ({"ledger": None}, "damaged"),
    ],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    values = manifest().model_dump(mode="json") | change
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(values))
    with pytest.raises(DatasetError, match=message) as caught:
        load_manifest(str(tmp_path))
    assert MANIFEST_NAME in str(caught.value)


@pytest.mark.parametrize("count", ["rows", "source_tokens", "target_tokens"])
def test_negative_counts_are_damage(tmp_path: Path, count: str) -> None:
    values = manifest().model_dump(mode="json")
    values["splits"]["train"]["shards"][0][count] = -1
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(values))
    with pytest.raises(DatasetError, match="damaged"):
        load_manifest(str(tmp_path))


def test_half_a_manifest_is_damaged(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(manifest().model_dump(mode="json"))[:50])
    with pytest.raises(DatasetError, match="damaged"):
        load_manifest(str(tmp_path))


def test_a_manifest_that_names_no_modalities_is_of_text(tmp_path: Path) -> None:
    publish_manifest(str(tmp_path), manifest())
    path = tmp_path / MANIFEST_NAME
    values = json.loads(path.read_text())
    assert values.pop("modalities") == {"source": "text", "target": "text"}
    path.write_text(json.dumps(values))
    assert load_manifest(str(tmp_path)) == manifest()


def test_a_side_without_text_has_no_tokenizer() -> None:
    values = manifest().model_dump() | {"source_tokenizer": None}
    found = Manifest.model_validate(values)
    assert list(found.tokenizers) == ["target"]
    assert not found.is_joint
    assert found.digest != manifest().digest


def test_a_modality_of_a_later_version_is_named() -> None:
    later = manifest().model_copy(update={"modalities": {"source": "smell", "target": "text"}})
    with pytest.raises(DatasetError, match="no such modality; found smell; expected one of audio, text"):
        _ = later.sides


@pytest.mark.parametrize("theirs", ["hello", "{}", "[1]", '{"name": "a package"}'])
def test_a_manifest_of_somebody_else_is_told_of_as_such(tmp_path: Path, theirs: str) -> None:
    (tmp_path / MANIFEST_NAME).write_text(theirs)
    with pytest.raises(DatasetError, match=r"dataset\.json: the manifest is damaged, or the file is somebody else's"):
        load_manifest(str(tmp_path))
