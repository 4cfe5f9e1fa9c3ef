"""What a file is, whatever it is: a recording, or the reason why it is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from seq2seq_core.inference.speech.examining import examine
from seq2seq_core.inference.speech.terms import AudioFile, Recording
from tests.tone_speech import talk, write


def look(path: Path, unit_seconds: int = 600) -> Recording:
    return examine(AudioFile(str(path), path.stem), unit_seconds)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 8_000, 1, "PCM_16"),
        ("a.wav", 96_000, 8, "PCM_24"),
        ("a.wav", 44_100, 2, "FLOAT"),
        ("a.flac", 22_050, 1, "PCM_24"),
        ("a.ogg", 48_000, 2, "VORBIS"),
        ("a.mp3", 16_000, 1, "MPEG_LAYER_III"),
    ],
)
def test_a_recording(tmp_path: Path, name: str, rate: int, channels: int, subtype: str) -> None:
    x = np.tile(talk(2, rate=rate).samples[:, None] / 2, (1, channels))
    soundfile.write(tmp_path / name, x, rate, subtype=subtype)
    found = look(tmp_path / name)
    assert (found.rate, found.channels, found.problem, found.cuts) == (rate, channels, None, ())
    assert found.seconds == pytest.approx(2, abs=0.1)
    assert found.bytes == (tmp_path / name).stat().st_size


def test_what_is_no_recording_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / "nothing.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("this is no audio\n" * 100)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    reasons = {path.stem: look(path).problem for path in sorted(tmp_path.glob("*.wav"))}
    assert [str(reason).partition(":")[0] for reason in reasons.values()] == ["empty", "empty", "undecodable"]
    assert all(look(path).samples == 0 for path in tmp_path.glob("*.wav"))


def test_a_long_recording_is_cut_in_pauses(tmp_path: Path) -> None:
    """Into about equal parts; no word is cut."""
    said = talk(97, seed=3, rate=11_025)
    found = look(write(tmp_path / "a.flac", said), unit_seconds=20)
    assert len(found.cuts) == 4
    for number, cut in enumerate(found.cuts, start=1):
        assert abs(cut / said.rate - number * 97 / 5) <= 10
        assert not any(word.begin < cut / said.rate < word.end for word in said.words)
    assert look(tmp_path / "a.flac", unit_seconds=66).cuts == ()


def test_a_long_recording_that_ends_early_is_told_when_it_is_looked_at(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", talk(60))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert str(look(path, unit_seconds=10).problem).partition(":")[0] in ("truncated", "damaged", "undecodable")
