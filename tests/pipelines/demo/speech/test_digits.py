from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipelines.demo.speech.digits import RATE, generate, levelled, read_digits
from pipelines.demo.speech.long import Piece
from seq2seq_core.audio import flac
from seq2seq_core.errors import InputError

WORDS = ("zero", "one")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two speakers who say two digits 17 times each: tones, each of its own length."""
    folder = tmp_path_factory.mktemp("digits")
    (folder / "recordings").mkdir()
    lines = ["id\taudio\tspeaker\ttext"]
    for speaker in ("ann", "bob"):
        for digit, word in enumerate(WORDS):
            for index in range(5, 22):
                name = f"{digit}_{speaker}_{index}"
                tone = 0.3 * np.sin(np.arange(1000 + 10 * index + digit) * (0.2 + digit))
                soundfile.write(folder / "recordings" / f"{name}.wav", tone, RATE)
                lines.append(f"{name}\trecordings/{name}.wav\t{speaker}\t{word}")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return folder


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def test_the_index_decides_the_split(source: Path) -> None:
    found = read_digits(str(source))
    lengths = {
        split: {len(p.samples) // 10 * 10 for pile in piles.values() for p in pile} for split, piles in found.items()
    }
    assert lengths["test"] == {1000 + 10 * index for index in range(5, 10)}
    assert lengths["valid"] == {1000 + 10 * index for index in range(10, 15)}
    assert lengths["train"] == {1000 + 10 * index for index in range(15, 22)}


def test_manifests_of_digits_and_strings(source: Path, tmp_path: Path) -> None:
    generate(str(tmp_path), str(source), {"train": 30, "valid": 4, "test": 20}, seed=3)
    counts = {name: len(rows(tmp_path, name)) for name in ("train", "valid", "single", "strings")}
    assert counts == {"train": 28 + 30, "valid": 20 + 4, "single": 20, "strings": 20}
    for row in rows(tmp_path, "strings"):
        pcm = flac.decode((tmp_path / row["audio_filepath"]).read_bytes())
        assert len(pcm) / RATE == pytest.approx(row["duration"], abs=1e-3)
        assert 1 <= len(row["text"].split()) <= 12
        assert {*row["text"].split()} <= {*WORDS}
    assert len({len(row["text"].split()) for row in rows(tmp_path, "strings")}) > 3
    assert {row["speaker"] for row in rows(tmp_path, "strings")} == {"ann", "bob"}


def test_a_speaker_who_is_left_out_speaks_in_the_test_alone(source: Path, tmp_path: Path) -> None:
    generate(str(tmp_path), str(source), {"train": 5, "valid": 5, "test": 9}, without=("bob",))
    heard = {name: {row["speaker"] for row in rows(tmp_path, name)} for name in ("train", "valid", "single")}
    assert heard == {"train": {"ann"}, "valid": {"ann"}, "single": {"ann", "bob"}}


def test_a_long_recording_and_the_truth_about_it(source: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        generate(str(tmp_path / folder), str(source), {}, minutes=[1])
    truth = json.loads((tmp_path / "a" / "long-1.json").read_text())
    pcm = flac.decode((tmp_path / "a" / "long-1.flac").read_bytes())
    assert len(pcm) / RATE == pytest.approx(truth["duration"], abs=1e-3)
    assert 60 <= truth["duration"] < 75
    assert truth["text"].split() == [word["text"] for word in truth["words"]]
    gaps = np.array([b["begin"] - a["end"] for a, b in zip(truth["words"], truth["words"][1:], strict=False)])
    assert gaps.min() >= 0.049
    assert ((gaps > 0.41) & (gaps < 0.79)).sum() == 0  # short in a string, long between strings
    assert (gaps > 0.79).sum() > 5
    level = np.abs(pcm.astype(np.float64))
    for word in truth["words"]:
        said = level[round(word["begin"] * RATE) : round(word["end"] * RATE)]
        assert said.mean() > 3 * level[: RATE // 2].mean()
    assert (tmp_path / "b" / "long-1.flac").read_bytes() == (tmp_path / "a" / "long-1.flac").read_bytes()


def test_digits_of_a_long_recording_are_bare_and_equally_loud() -> None:
    tone, silence = np.sin(np.arange(1600) * 0.3).astype(np.float32), np.zeros(800, np.float32)
    spoken = np.concatenate([silence, tone, silence])
    piles = {name: [Piece("one", name, spoken * np.float32(gain))] for name, gain in (("ann", 0.5), ("bob", 0.005))}
    ann, bob = (pile[0].samples for pile in levelled(piles).values())
    assert len(ann) == len(bob) == len(tone)
    assert np.allclose(ann, bob, atol=1e-5)
    assert 20 * np.log10(np.sqrt(np.mean(ann**2))) == pytest.approx(-26, abs=0.1)


@pytest.mark.parametrize("line", ["0_ann_5\ta.wav\tann", "ann\ta.wav\tann\tzero"])
def test_other_manifests_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.tsv").write_text(f"id\taudio\tspeaker\ttext\n{line}\n")
    with pytest.raises(InputError, match=r"manifest.tsv:2: no row of spoken digits"):
        read_digits(str(tmp_path))


def test_another_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16000)
    (tmp_path / "manifest.tsv").write_text("id\taudio\tspeaker\ttext\n0_ann_5\ta.wav\tann\tzero\n")
    with pytest.raises(InputError, match="another rate; found 16000; expected 8000"):
        read_digits(str(tmp_path))
