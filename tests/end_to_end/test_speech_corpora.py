"""The same utterances in every format of speech become the same rows, and what is wrong with some stands in the ledger.

One dataset is made of all formats: what it keeps are the rows of one of them, and all others are duplicates.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.dataset.reader import Dataset
from tests.speech_corpora import RATE, encoded, write_files, write_manifest
from tests.spoken import tones

WORDS = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben"]
SAID = [[number % 8, (3 * number + 1) % 8, (5 * number + number // 8) % 8] for number in range(24)]
TEXTS = [" ".join(WORDS[word] for word in said) for said in SAID]
PCM = [np.rint(20_000 * tones(said)).astype(np.int16) for said in SAID]
FLAC = [encoded(pcm, kind="FLAC") for pcm in PCM]
KEYS = [f"{number % 5}-1-{number:04d}" for number in range(24)]
SPEAKERS = [key.partition("-")[0] for key in KEYS]


def manifest(folder: Path) -> dict[str, str]:
    write_files(folder, **{f"wavs/{key}.wav": encoded(pcm) for key, pcm in zip(KEYS, PCM, strict=True)})
    rows = [
        {"audio_filepath": f"wavs/{key}.wav", "duration": len(pcm) / RATE, "text": text, "speaker": int(speaker)}
        for key, pcm, text, speaker in zip(KEYS, PCM, TEXTS, SPEAKERS, strict=True)
    ]
    return {"path": write_manifest(folder / "m.jsonl", rows), "format": "speech_manifest"}


def offsets(folder: Path) -> dict[str, str]:
    write_files(folder, **{"all.flac": encoded(np.concatenate(PCM), kind="FLAC")})
    ends = np.cumsum([len(pcm) for pcm in PCM])
    rows = [
        {"audio": "all.flac", "offset": (end - len(pcm)) / RATE, "duration": len(pcm) / RATE, "text": text}
        for end, pcm, text in zip(ends.tolist(), PCM, TEXTS, strict=True)
    ]
    return {"path": write_manifest(folder / "m.jsonl", rows), "format": "speech_manifest"}


def table(folder: Path) -> dict[str, str]:
    write_files(folder, **{f"{key}.flac": data for key, data in zip(KEYS, FLAC, strict=True)})
    rows = zip(KEYS, TEXTS, SPEAKERS, strict=True)
    text = "".join(f"{text}\t{speaker}\t{key}.flac\n" for key, text, speaker in rows)
    write_files(folder, **{"t.tsv": f"text\tspeaker\tpath\n{text}"})
    return {"path": str(folder / "t.tsv"), "format": "speech_tsv"}


def common_voice(folder: Path) -> dict[str, str]:
    write_files(folder, **{f"clips/{key}.flac": data for key, data in zip(KEYS, FLAC, strict=True)})
    rows = zip(KEYS, TEXTS, SPEAKERS, strict=True)
    text = "".join(f"{speaker}\t{key}.flac\t{text}\n" for key, text, speaker in rows)
    write_files(folder, **{"train.tsv": f"client_id\tpath\tsentence\n{text}"})
    return {"path": str(folder)}


def librispeech(folder: Path) -> dict[str, str]:
    for key, text, data in zip(KEYS, TEXTS, FLAC, strict=True):
        chapter = folder / "train" / key[0] / "1"
        write_files(chapter, **{f"{key}.flac": data})
        with (chapter / f"{key[0]}-1.trans.txt").open("a") as out:
            out.write(f"{key} {text}\n")
    return {"path": str(folder)}


def kaldi(folder: Path) -> dict[str, str]:
    write_files(folder, **{f"{key}.flac": data for key, data in zip(KEYS, FLAC, strict=True)})
    tables = {
        "text": zip(KEYS, TEXTS, strict=True),
        "wav.scp": ((key, f"{folder}/{key}.flac") for key in KEYS),
        "utt2spk": zip(KEYS, SPEAKERS, strict=True),
    }
    write_files(folder, **{name: "".join(f"{a} {b}\n" for a, b in rows) for name, rows in tables.items()})
    return {"path": str(folder)}


def webdataset(folder: Path) -> dict[str, str]:
    folder.mkdir()
    with tarfile.open(folder / "a.tar", "w") as tar:
        for key, data, text in zip(KEYS, FLAC, TEXTS, strict=True):
            for suffix, content in (("flac", data), ("json", json.dumps({"text": text, "speaker": key[0]}).encode())):
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return {"path": str(folder / "a.tar")}


def parquet(folder: Path) -> dict[str, str]:
    write_files(folder, **{f"{key}.flac": data for key, data in zip(KEYS[:9], FLAC, strict=False)})
    held = [{"bytes": None if n < 9 else data, "path": f"{KEYS[n]}.flac"} for n, data in enumerate(FLAC)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"audio": pa.array(held, kind), "text": TEXTS}), folder / "a.parquet")
    return {"path": str(folder / "a.parquet"), "source_field": "audio", "target_field": "text"}


FORMATS = (manifest, offsets, table, common_voice, librispeech, kaldi, webdataset, parquet)


def prepared(folder: Path, corpora: list[dict[str, str]], **settings: Any) -> Manifest:
    config = {
        "source_modality": {"kind": "audio", "rate": RATE, "mels": 20},
        "corpora": corpora,
        "output": str(folder / "dataset"),
        "tokenizer": {"vocabulary_size": 26, "byte_fallback": False},
        "shards": 1,
        "report": False,
    }
    path = folder / "prepare.yaml"
    path.write_text(json.dumps(config | settings))
    assert main(["prepare", "--config", str(path)]) == 0
    return load_manifest(str(folder / "dataset"))


def test_every_format_gives_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    corpora = [{"name": write.__name__, **write(tmp_path / write.__name__)} for write in FORMATS]
    found = prepared(tmp_path, corpora, unit_seconds=20)
    count = len(TEXTS)
    assert found.ledger.rejected == {}
    assert found.ledger.read == count * len(FORMATS)
    assert found.ledger.kept == {"train": count}
    assert found.ledger.duplicates == count * (len(FORMATS) - 1)
    dataset = Dataset(str(tmp_path / "dataset"), found)
    shard = dataset.read_shard(dataset.split("train").shards[0])
    assert sorted(shard.column("line").to_pylist()) == list(range(1, count + 1))
    assert set(shard.column("origin").to_pylist()) == {"manifest/m.jsonl"}
    assert sorted(shard.column("source_speaker").to_pylist()) == sorted(SPEAKERS)
    assert prepared(tmp_path, corpora, unit_seconds=20) == found


def test_faults_land_in_the_ledger_by_rule_or_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = manifest(tmp_path / "c")
    good = Path(corpus["path"]).read_text()
    write_files(tmp_path / "c", **{"zero.wav": b"", "text.wav": "text", "half.flac": FLAC[0][: len(FLAC[0]) // 2]})
    bad = [
        {"audio": "none.wav", "text": "a"},
        {"audio": "../x.wav", "text": "b"},
        {"audio": "zero.wav", "text": "c"},
        {"audio": "text.wav", "text": "d"},
        {"audio": "half.flac", "text": "e"},
        {"audio": f"wavs/{KEYS[0]}.wav", "duration": 9.5, "text": "f"},
        {"audio": f"wavs/{KEYS[0]}.wav", "offset": 0.1, "duration": 9.5, "text": "g"},
        {"audio": f"wavs/{KEYS[0]}.wav"},
    ]
    Path(corpus["path"]).write_text(good + "".join(f"{json.dumps(row)}\n" for row in bad))
    found = prepared(tmp_path, [corpus])
    assert found.ledger.read == len(TEXTS) + len(bad)
    assert found.ledger.kept == {"train": len(TEXTS)}
    assert found.ledger.rejected == {
        "missing_audio": 1,
        "missing_field": 1,
        "outside_corpus": 1,
        "truncated_audio": 1,
        "undecodable_audio": 2,
        "wrong_duration": 2,
    }
    entries = [row for entry in found.rejected for row in _rows(Dataset(str(tmp_path / "dataset"), found), entry)]
    by_rule = {row["rule"]: row for row in entries}
    assert (by_rule["missing_audio"]["line"], by_rule["missing_audio"]["source"]) == (25, "none.wav")
    assert by_rule["missing_audio"]["target"] == "a"
    config = json.loads((tmp_path / "prepare.yaml").read_text()) | {"on_error": "fail", "output": str(tmp_path / "x")}
    (tmp_path / "fail.yaml").write_text(json.dumps(config))
    assert main(["prepare", "--config", str(tmp_path / "fail.yaml")]) != 0
    assert "m.jsonl, line 25: the row is unreadable (missing_audio); found no file none.wav" in capsys.readouterr().err


def _rows(dataset: Dataset, entry: Any) -> list[dict[str, Any]]:
    return [row for table in dataset.row_groups(entry) for row in table.to_pylist()]
