"""The page of a dataset of speech: hours, speakers, levels, and utterances to look at and to hear."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.cli import main
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.report.corpus.sound import Scale, SoundFigures, look_at_sound
from seq2seq_core.report.dataset_page import render_dataset
from seq2seq_core.report.sound_section import sound_section, spectrogram
from tests.speech_corpora import RATE, soundfile
from tests.spoken import Spoken, some, sound_file, write_spoken

ROWS = some(40, 5)
SILENT = Spoken(sound_file(np.zeros(3 * RATE)), "eins zwei", "nobody", "silent.wav")
BAD = Spoken(b"no sound", "eins", None, "bad.wav")


def prepared(folder: Path, **audio: Any) -> Dataset:
    write_spoken(folder / "spoken.parquet", [*ROWS, SILENT, BAD])
    config = {
        "source_modality": {"kind": "audio", "rate": RATE, "mels": 20, **audio},
        "corpora": [{"path": str(folder / "spoken.parquet"), "source_field": "audio", "target_field": "text"}],
        "output": str(folder / "dataset"),
        "tokenizer": {"vocabulary_size": 28, "byte_fallback": False},
        "shards": 2,
        "report": False,
    }
    (folder / "prepare.yaml").write_text(json.dumps(config))
    assert main(["prepare", "--config", str(folder / "prepare.yaml")]) == 0
    return Dataset.open(str(folder / "dataset"))


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return prepared(tmp_path_factory.mktemp("spoken"), speeds=[0.9, 1.0])


@pytest.fixture(scope="module")
def figures(spoken: Dataset) -> SoundFigures:
    (found,) = look_at_sound(spoken)
    return found


def seconds() -> float:
    return sum(soundfile.info(io.BytesIO(row.data or b"")).duration for row in ROWS)


def filled(scale: Scale) -> tuple[float, float]:
    """The range of the bins that hold something."""
    places = np.flatnonzero(scale.counts)
    return scale.edges[places[0]], scale.edges[places[-1] + 1]


def test_what_is_counted(figures: SoundFigures) -> None:
    (split,) = figures.splits
    assert (split.split, split.rows, split.speakers) == ("train", len(ROWS), 5)
    assert split.seconds == pytest.approx(seconds())
    assert figures.copied_seconds == pytest.approx(seconds() / 0.9, rel=0.01)
    assert sum(speaker.rows for speaker in figures.speakers) == len(ROWS)
    assert [s.seconds for s in figures.speakers] == sorted((s.seconds for s in figures.speakers), reverse=True)
    for scale in (figures.seconds, figures.level, figures.silent, figures.rate):
        assert sum(scale.counts) == len(ROWS)
    assert filled(figures.seconds) == (0.5, 1.5)
    assert -40 < filled(figures.level)[0] < filled(figures.level)[1] < -5


def test_hours_by_rule(spoken: Dataset, figures: SoundFigures) -> None:
    ledger = spoken.manifest.ledger
    assert ledger.rejected == {"silence": 1, "undecodable_audio": 1}
    assert ledger.rejected_seconds == {"silence": 3.0}
    assert (ledger + ledger).rejected_seconds == {"silence": 6.0}
    assert sound_section(figures, ledger).rejected == (("silence", "1", "0.000833"), ("undecodable_audio", "1", ""))


def test_utterances_to_hear(figures: SoundFigures) -> None:
    assert len(figures.examples) == 6
    assert len({heard.speaker for heard in figures.examples}) == 5
    by_line = dict(enumerate(ROWS, start=1))
    for heard in figures.examples:
        row = by_line[heard.line]
        assert (heard.text, heard.speaker) == (row.text, row.speaker)
        found = soundfile.read(io.BytesIO(heard.audio or b""), dtype="int16")[0]
        assert found.tolist() == soundfile.read(io.BytesIO(row.data or b""), dtype="int16")[0].tolist()
        assert heard.frames.shape[1] == 20


def test_the_page_has_players_and_no_link_to_anything(spoken: Dataset, figures: SoundFigures) -> None:
    page = render_dataset(spoken.root, "digest")
    assert page.count("<audio ") == page.count("<img ") == 6
    assert set(re.findall(r'src="(data:[a-z]+/[a-z]+;base64,|[^"]*")', page)) == {
        "data:image/png;base64,",
        "data:audio/flac;base64,",
    }
    audio = re.findall(r"data:audio/flac;base64,([^\"]+)", page)
    assert [base64.b64decode(data) for data in audio] == [heard.audio for heard in figures.examples]
    for text in ("Spectrogram of: ", "Characters a second", "of audio kept", "speaker 4"):
        assert text in page


def test_frames_alone_are_seen_and_not_heard(tmp_path: Path) -> None:
    (found,) = look_at_sound(prepared(tmp_path, store="features"))
    assert [heard.audio for heard in found.examples] == [None] * 6
    section = sound_section(found, None)
    assert section.rejected == ()
    assert {player.audio for player in section.players} == {""}
    assert all(player.image.startswith("data:image/png;base64,") for player in section.players)
    assert section.copied == ""


def test_text_has_no_sound(tiny_dataset: str) -> None:
    assert look_at_sound(Dataset.open(tiny_dataset)) == ()


@pytest.mark.parametrize("frames", [np.zeros((0, 20)), np.zeros((3, 20)), np.arange(60.0).reshape(3, 20)])
def test_any_frames_make_an_image(frames: Any) -> None:
    assert spectrogram(frames).startswith(b"\x89PNG")
