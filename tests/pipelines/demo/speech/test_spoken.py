from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.demo.speech import spoken
from pipelines.demo.speech.spoken import SUMMARY_NAME, generate, planned
from pipelines.demo.speech.writing import publish_own
from pipelines.local import pool
from seq2seq_core.audio import flac
from seq2seq_core.errors import ForeignFileError

COUNTS: Any = {"train": 40, "valid": 2, "test": 3}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoken")
    with pool.started(2, spoken.WORK) as workers:
        generate(str(folder), COUNTS, workers=workers)
    return folder


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text("utf-8").splitlines()]


def test_every_utterance_is_in_a_manifest_and_a_file(corpus: Path) -> None:
    summary = json.loads((corpus / SUMMARY_NAME).read_text())
    assert summary["utterances"] == COUNTS
    for split, count in COUNTS.items():
        found = rows(corpus, split)
        assert len(found) == count
        for row in found:
            pcm = flac.decode((corpus / row["audio_filepath"]).read_bytes())
            assert len(pcm) / spoken.RATE == pytest.approx(row["duration"], abs=1e-3)
            assert 0.8 < row["duration"] < 15
            assert not any(character.isdigit() for character in row["text"])
        assert summary["hours"][split] == pytest.approx(sum(row["duration"] for row in found) / 3600)


def test_nothing_of_the_test_was_heard_in_training(corpus: Path) -> None:
    texts, speakers = (
        {split: [row[key] for row in rows(corpus, split)] for split in COUNTS} for key in ("text", "speaker")
    )
    for found in (texts, speakers):
        assert not {*found["train"]} & {*found["test"]}
        assert not {*found["train"]} & {*found["valid"]}


def test_the_same_bytes_whoever_works(corpus: Path, tmp_path: Path) -> None:
    generate(str(tmp_path), COUNTS)
    for path in (one for one in sorted(corpus.rglob("*")) if one.is_file() and one.name != SUMMARY_NAME):
        assert (tmp_path / path.relative_to(corpus)).read_bytes() == path.read_bytes(), path


def test_a_long_recording_of_the_test(tmp_path: Path) -> None:
    generate(str(tmp_path), {"train": 1, "test": 3}, minutes=1)
    truth = json.loads((tmp_path / "long-1.json").read_text())
    assert [word["text"] for word in truth["words"][:3]] == [row["text"] for row in rows(tmp_path, "test")]
    assert 60 <= truth["duration"] < 80
    pcm = flac.decode((tmp_path / "long-1.flac").read_bytes())
    assert len(pcm) / spoken.RATE == pytest.approx(truth["duration"], abs=1e-3)


def test_other_seeds_say_other_things() -> None:
    one, other = (planned({"train": 5}, seed)["train"] for seed in (1, 2))
    assert [utterance.text for utterance in one] != [utterance.text for utterance in other]
    assert planned({"train": 5}, 1)["train"] == one


def test_what_others_have_written_stays(tmp_path: Path) -> None:
    url = str(tmp_path / "a")
    publish_own(url, b"ours")
    publish_own(url, b"ours")
    with pytest.raises(ForeignFileError, match="a file that this program has not written"):
        publish_own(url, b"other")
    assert (tmp_path / "a").read_bytes() == b"ours"
