"""Utterances in a Parquet file go the whole way: a dataset that is checked, grown and trained on."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.cli import main
from seq2seq_core.data.columns import Columns
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.schema import Split
from seq2seq_core.dataset.verify import verify
from seq2seq_core.modalities.audio import Audio
from seq2seq_core.modalities.base import Ragged
from seq2seq_core.modalities.sound import Sound
from tests.spoken import said, some, sound_file, tones, write_spoken


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A corpus of 120 utterances by 20 speakers, and what can be wrong with some."""
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    whole = said([1, 2, 3, 4])
    cut = sound_file(tones([1, 2, 3, 4]), kind="FLAC")
    mp3 = sound_file(tones([1, 2, 3, 4]), kind="MP3")
    noise = np.random.default_rng(1).normal(size=8000).astype(np.float32)
    bad = [
        whole._replace(data=b"", path="zero.wav"),
        whole._replace(data=b"no sound, but text\n" * 50, path="text.wav"),
        whole._replace(data=cut[: len(cut) // 2], path="half.flac"),
        whole._replace(data=mp3[: len(mp3) // 2], path="half.mp3"),
        whole._replace(data=None, path="none.wav"),
        whole._replace(data=sound_file(tones([1])[:600]), text="eins", path="short.wav"),
        whole._replace(data=sound_file(np.zeros(16_000)), path="silent.wav"),
        whole._replace(data=sound_file(np.clip(20 * noise, -1, 1)), path="loud.wav"),
        whole._replace(text="[noise] <unk>", path="noise.wav"),
        whole._replace(text="null eins zwei drei vier fünf sechs sieben null eins zwei", path="fast.wav"),
        whole._replace(text=None),
    ]
    rows = some(120, 20)
    write_spoken(tmp_path / "spoken.parquet", [*rows, *bad, rows[5]._replace(path="again.wav")])
    return tmp_path


def prepared(folder: Path, output: str = "dataset", audio: dict[str, Any] | None = None, **settings: Any) -> Manifest:
    fields = {"source_field": "audio", "target_field": "text"}
    names = settings.pop("files", ["spoken.parquet"])
    config = {
        "source_modality": {"kind": "audio", "rate": 8000, "mels": 20, **(audio or {})},
        "corpora": [{"path": [str(folder / name) for name in names], **fields}],
        "validation": {"share": 0.2},
        "output": str(folder / output),
        "tokenizer": {"vocabulary_size": 28, "byte_fallback": False},
        "shards": 2,
        "unit_rows": 50,
    }
    path = folder / f"{output}.yaml"
    path.write_text(json.dumps(config | settings))
    assert main(["prepare", "--config", str(path)]) == 0
    return load_manifest(str(folder / output))


def column(dataset: Dataset, split: Split, *names: str) -> list[tuple[Any, ...]]:
    tables = [table for shard in dataset.split(split).shards for table in dataset.row_groups(shard, list(names))]
    return [tuple(row[name] for name in names) for table in tables for row in table.to_pylist()]


def test_utterances_become_shards(folder: Path) -> None:
    manifest = prepared(folder)
    assert manifest.modalities["target"] == "text"
    assert manifest.modalities["source"]["rate"] == 8000
    assert manifest.ledger.read == 132
    assert manifest.ledger.balance == 0
    assert sum(manifest.ledger.kept.values()) == 120
    assert manifest.ledger.duplicates == 1
    assert manifest.ledger.rejected == {
        "clipping": 1,
        "missing_audio": 1,
        "missing_field": 1,
        "non_speech": 1,
        "seconds": 1,
        "silence": 1,
        "speech_rate": 1,
        "truncated_audio": 2,
        "undecodable_audio": 2,
    }
    dataset = Dataset(str(folder / "dataset"), manifest)
    verify(dataset.root)
    rejected = {row["source"]: row for row in _rejected(dataset)}
    assert rejected["zero.wav"]["rule"] == rejected["text.wav"]["rule"] == "undecodable_audio"
    assert rejected["half.flac"]["rule"] == rejected["half.mp3"]["rule"] == "truncated_audio"
    assert rejected["half.flac"]["value"].startswith("the audio ends too early: ")
    assert (rejected["short.wav"]["value"], rejected["short.wav"]["threshold"]) == (
        "seconds 0.075",
        "0.1 to 40 seconds",
    )
    assert main(["inspect", str(folder / "dataset"), "--verify"]) == 0
    assert (folder / "dataset" / "report.html").exists()


def _rejected(dataset: Dataset) -> list[dict[str, Any]]:
    return [
        row for entry in dataset.manifest.rejected for table in dataset.row_groups(entry) for row in table.to_pylist()
    ]


def test_no_speaker_stands_on_both_sides_of_a_split(folder: Path) -> None:
    dataset = Dataset(str(folder / "dataset"), prepared(folder))
    speakers = {split: {name for (name,) in column(dataset, split, "source_speaker")} for split in ("train", "valid")}
    assert speakers["train"]
    assert speakers["valid"]
    assert not speakers["train"] & speakers["valid"]
    level, seconds = zip(*column(dataset, "valid", "source_level", "source_seconds"), strict=True)
    assert -40 < min(level) < max(level) < 0
    assert seconds == tuple(length for (length,) in column(dataset, "valid", "source_seconds"))
    by_utterance = Dataset(str(folder / "other"), prepared(folder, "other", {"split_by": "utterance"}))
    assert {name for (name,) in column(by_utterance, "train", "source_speaker")} & {
        name for (name,) in column(by_utterance, "valid", "source_speaker")
    }


def test_both_stores_train_on_the_same_stream(folder: Path) -> None:
    flat = []
    for store in ("flac", "features"):
        dataset = Dataset(str(folder / store), prepared(folder, store, {"store": store, "cmvn": "global"}))
        verify(dataset.root)
        columns = Columns.open(dataset, "train")
        rows = np.random.default_rng(1).permutation(len(columns))
        found, lengths = columns.source.gather(rows)
        padded = columns.modality.padded(Ragged(found, lengths))
        flat.append((found.tobytes(), lengths.tolist(), padded.values.tobytes()))
        assert isinstance(columns.modality, Audio)
        np.testing.assert_allclose(found.astype(float).mean(axis=0), columns.modality.statistics.mean, atol=1e-6)
    assert flat[0] == flat[1]


def test_copies_at_other_speeds_are_counted_apart(folder: Path) -> None:
    plain = prepared(folder, "plain")
    manifest = prepared(folder, "dataset", {"speeds": [0.9, 1, 1.1]})
    rows = plain.ledger.kept["train"]
    assert manifest.ledger.kept == plain.ledger.kept
    assert manifest.ledger.copies == {"speed 0.9": rows, "speed 1.1": rows}
    assert (manifest.ledger.balance, manifest.splits["train"].rows) == (0, 3 * rows)
    dataset = Dataset(str(folder / "dataset"), manifest)
    verify(dataset.root)
    found = defaultdict(list)
    for id_, speed, text_seconds, speaker, line in column(
        dataset, "train", "id", "source_speed", "source_seconds", "source_speaker", "line"
    ):
        found[line].append((round(speed, 3), text_seconds, speaker, id_))
    for copies in found.values():
        speeds, seconds, speakers, ids = zip(*copies, strict=True)
        assert sorted(speeds) == [0.9, 1.0, 1.1]
        np.testing.assert_allclose(np.array(seconds) * speeds, max(seconds) * 0.9, atol=0.002)
        assert (len(set(speakers)), len(set(ids))) == (1, 3)
    assert prepared(folder, "dataset", {"speeds": [0.9, 1, 1.1]}) == manifest


def test_a_dataset_grows_and_keeps_its_statistics(folder: Path) -> None:
    before = prepared(folder, audio={"cmvn": "global"})
    assert len(before.modalities["source"]["statistics"]["mean"]) == 20
    assert prepared(folder, audio={"cmvn": "global"}) == before
    more = some(40, 20, seed=9)
    write_spoken(folder / "more.parquet", [*more, *some(3, 20)])
    after = prepared(folder, audio={"cmvn": "global"}, files=["spoken.parquet", "more.parquet"])
    assert len(after.generations) == 2
    assert after.modalities == before.modalities
    assert after.ledger.read == 132 + 43
    assert after.generations[1].ledger.rejected["held_out"] > 0
    verify(str(folder / "dataset"))


def test_held_out_files_are_kept_out_by_their_samples(folder: Path) -> None:
    again = some(120, 20)[:6]
    held = [row._replace(speaker=None, text="ganz anders", path="other.wav") for row in again]
    write_spoken(folder / "held.parquet", [*held, said([7, 7, 7, 7, 7])])
    fields = {"source_field": "audio", "target_field": "text"}
    manifest = prepared(folder, validation={"path": str(folder / "held.parquet"), **fields})
    assert manifest.ledger.rejected["held_out"] == 7  # with the one that is there twice
    assert manifest.ledger.kept == {"train": 114, "valid": 7}
    dataset = Dataset(str(folder / "dataset"), manifest)
    assert [name for (name,) in column(dataset, "valid", "source_speaker")] == [None] * 6 + ["speaker 0"]


def digests(manifest: Manifest) -> dict[str, list[str]]:
    return {split: [shard.digest for shard in entry.shards] for split, entry in manifest.splits.items()}


def test_shards_do_not_depend_on_how_the_corpus_was_cut(folder: Path) -> None:
    settings = {"speeds": [0.9, 1], "cmvn": "global"}
    whole = prepared(folder, "whole", settings, unit_rows=1000)
    cut = prepared(folder, "cut", settings)
    assert digests(whole) == digests(cut)
    assert whole.modalities == cut.modalities
    assert whole.ledger == cut.ledger


def test_the_source_is_audio_where_the_format_says_so(folder: Path) -> None:
    (folder / "clips").mkdir()
    rows = some(60, 10)
    for number, row in enumerate(rows):
        (folder / "clips" / f"{number}.wav").write_bytes(row.data or b"")
    names = [f"clips/{number}.wav" for number in range(60)]
    lines = [{"audio_filepath": name, "text": row.text} for name, row in zip(names, rows, strict=True)]
    (folder / "train.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    corpora = [{"path": str(folder / "train.jsonl"), "format": "speech_manifest"}]
    words = ["prepare", "--corpora", json.dumps(corpora), "--output", str(folder / "said")]
    words += ["--tokenizer.vocabulary_size", "28", "--tokenizer.byte_fallback", "false"]
    assert main([*words, "--source_modality.rate", "8000"]) == 0
    manifest = load_manifest(str(folder / "said"))
    assert manifest.ledger.kept == {"train": 60}
    assert manifest.configuration["source_modality"] == manifest.modalities["source"]
    assert manifest.configuration["filters"]["seconds"] == {"minimum": 0.1, "maximum": 40.0}
    words[words.index("--output") + 1] = str(folder / "usual")
    assert main(words) == 0
    assert load_manifest(str(folder / "usual")).modalities["source"] == Audio().described


def test_a_corpus_of_text_alone_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.txt").write_text("eins\n")
    words = ["prepare", "--source_modality", "audio", "--output", str(folder / "out"), "--corpora"]
    assert main([*words, json.dumps([{"text": str(folder / "a.txt")}])]) == 2
    assert "corpus a has no source; found text alone; expected audio" in capsys.readouterr().err


def test_what_holds_no_audio_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pa.parquet.write_table(pa.table({"audio": [[1.0, 2.0]], "text": ["eins"]}), folder / "lists.parquet")
    corpora = [{"path": str(folder / "lists.parquet"), "source_field": "audio", "target_field": "text"}]
    words = ["prepare", "--source_modality", "audio", "--output", str(folder / "out"), "--corpora"]
    assert main([*words, json.dumps(corpora)]) != 0
    assert "the source holds no audio; found type list<" in capsys.readouterr().err


def test_rules_can_be_tried(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepared(folder)
    assert main(["prepare", "--config", str(folder / "dataset.yaml"), "--dry-run"]) == 0
    page = capsys.readouterr().out
    assert "speech_rate" in page
    assert "undecodable_audio" in page


@pytest.mark.slow
def test_a_model_is_trained_on_utterances(folder: Path) -> None:
    prepared(folder)
    words = f"train --dataset {folder / 'dataset'} --output {folder / 'run'} --device cpu --tensorboard false "
    words += "--model.family rnn --model.width 32 --model.embedding_width 16 --data.batch_tokens 2048 "
    words += "--data.max_source_tokens 200 --data.max_target_tokens 16 --limits.max_steps 6 "
    words += "--validation.every_steps 6 --report_every_steps 2"
    assert main(words.split()) == 0
    from seq2seq_core.decoding.batched import generate  # here, as all of the above does without torch
    from seq2seq_core.decoding.hypothesis import SearchConfig
    from seq2seq_core.models.card import read_card
    from seq2seq_core.models.folder import load_model

    loaded = load_model(str(folder / "run" / "best"))
    assert loaded.modality == load_manifest(str(folder / "dataset")).sides["source"].modality
    assert isinstance(loaded.modality, Sound)
    assert read_card(str(folder / "run" / "best"))[0].source_modality == loaded.modality.described
    spoken = said([1, 2, 3])
    frames = loaded.modality.features(loaded.modality.samples_of(spoken.data or b""))
    ((hypothesis, *_),) = generate(loaded.model, loaded.modality, [frames], SearchConfig(beam=2), 4096)
    assert len(hypothesis.tokens) <= 200
    assert main(["inspect", str(folder / "run" / "best")]) == 0
