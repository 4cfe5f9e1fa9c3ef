"""What is said in parts of recordings: every word at its time, none at a joint lost or doubled, none invented."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seq2seq_core.audio.terms import Samples
from seq2seq_core.audio.voice import VoiceConfig
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.echo import EchoEngineConfig
from seq2seq_core.engines.recognition import Recognized, Word
from seq2seq_core.engines.tones import ToneRecognizer
from seq2seq_core.errors import InputError, ModelError
from seq2seq_core.inference.speech.chunks import ChunkConfig
from seq2seq_core.inference.speech.config import TranscriberConfig
from seq2seq_core.inference.speech.examining import examine
from seq2seq_core.inference.speech.gathering import gather
from seq2seq_core.inference.speech.recognizing import PartSpeech, recognize
from seq2seq_core.inference.speech.terms import AudioFile
from tests.tone_speech import Talk, talk, write

CONFIG = TranscriberConfig(model="m", engine=EchoEngineConfig(), voice=VoiceConfig(method="energy"))
TONES = ToneRecognizer("d")


def heard(
    *paths: Path, unit_seconds: int = 600, recognizer: object = TONES, config: TranscriberConfig = CONFIG
) -> dict[str, list[PartSpeech]]:
    """What is heard in files, part after part."""
    recordings = [examine(AudioFile(str(path), path.name), unit_seconds) for path in paths]
    found = gather(recordings, ("json",), "job", unit_seconds)
    results = {path: recognize(unit, recognizer, config) for path, unit in found.units.items()}  # type: ignore[arg-type]
    return {
        transcript.recordings[0].file.name: [results[place.path][place.line] for place in transcript.places[0]]
        for transcript in found.transcripts
    }


def words(parts: Sequence[PartSpeech]) -> list[Word]:
    return [word for part in parts for segment in part.segments for word in segment.words]


def check(parts: Sequence[PartSpeech], said: Talk) -> None:
    """The words of a talk, and nothing else, at their times."""
    found = words(parts)
    assert [word.text for word in found] == said.texts
    assert [word.begin for word in found] == pytest.approx([word.begin for word in said.words], abs=0.03)
    assert [word.end for word in found] == pytest.approx([word.end for word in said.words], abs=0.03)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_every_word_is_heard_at_its_time_at_any_rate(tmp_path: Path, rate: int) -> None:
    said = talk(40, seed=rate, rate=rate)
    parts = heard(write(tmp_path / "a.flac", said))["a.flac"]
    check(parts, said)
    assert all(segment.text == " ".join(word.text for word in segment.words) for segment in parts[0].segments)
    assert len(parts[0].segments) > 2


def test_speech_with_short_pauses_is_one_segment(tmp_path: Path) -> None:
    said = talk(40, seed=8_000, rate=8_000)
    path = write(tmp_path / "a.flac", said)
    apart = CONFIG.model_copy(update={"voice": VoiceConfig(method="energy", pad=0.05)})
    tight = apart.model_copy(update={"chunks": ChunkConfig(pause=1)})
    found, cut = heard(path, config=tight)["a.flac"], heard(path, config=apart)["a.flac"]
    check(found, said)
    check(cut, said)
    assert len(found[0].segments) < len(cut[0].segments)


def test_a_long_recording_is_the_same_in_parts(tmp_path: Path) -> None:
    said = talk(100, seed=5, rate=22_050)
    parts = heard(write(tmp_path / "a.flac", said), unit_seconds=12)["a.flac"]
    assert len(parts) == 8
    check(parts, said)


def test_speech_without_pauses_is_joined_from_overlapping_chunks(tmp_path: Path) -> None:
    """Nobody pauses for 35 seconds, and a model hears 10 of them."""
    said = talk(35, seed=7, pauses=False)
    silence = np.random.default_rng(0).normal(size=16_000 * 8) * 0.001
    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([said.samples, silence]), 16_000)
    lengths: list[float] = []

    class Counting(ToneRecognizer):
        def recognize(self, chunks: Sequence[Samples], options: SearchConfig) -> list[Recognized]:
            lengths.extend(len(chunk) / self.rate for chunk in chunks)
            return super().recognize(chunks, options)

    config = CONFIG.model_copy(update={"chunks": ChunkConfig(pause_db=120)})
    parts = heard(path, recognizer=Counting("d"), config=config)["a.wav"]
    check(parts, said)
    assert len(parts[0].segments) == 1
    assert len(lengths) > 3
    assert max(lengths) <= TONES.longest


def test_silence_and_noise_give_no_text(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name, x in {"silence": np.zeros(320_000), "noise": draw.normal(size=320_000) * 0.1}.items():
        soundfile.write(tmp_path / f"{name}.wav", x, 16_000)
    for parts in heard(*tmp_path.glob("*.wav")).values():
        assert words(parts) == []
        assert parts[0].problem is None


def test_every_recording_of_a_unit_is_heard_and_one_that_is_broken_fails_alone(tmp_path: Path) -> None:
    talks = {f"{number}.flac": talk(20, seed=number) for number in range(4)}
    for name, said in talks.items():
        write(tmp_path / name, said)
    (tmp_path / "2.flac").write_bytes((tmp_path / "2.flac").read_bytes()[:40_000])
    found = heard(*(tmp_path / name for name in talks))
    for name, parts in found.items():
        if name == "2.flac":
            assert [part.problem is not None and part.segments == () for part in parts] == [True] * len(parts)
        else:
            check(parts, talks[name])


class Failing(ToneRecognizer):
    """Fails on chunks that hold a word."""

    def recognize(self, chunks: Sequence[Samples], options: SearchConfig) -> list[Recognized]:
        found = super().recognize(chunks, options)
        if any("tone53" in one.text.split() for one in found):
            raise RuntimeError("none of these")
        return found


def test_a_chunk_that_the_engine_fails_on_fails_alone(tmp_path: Path) -> None:
    said = talk(60, seed=2)
    assert "tone53" in said.texts
    (part,) = heard(write(tmp_path / "a.flac", said), recognizer=Failing("d"))["a.flac"]
    assert part.problem is not None
    assert "none of these" in part.problem
    assert 0 < len(words([part])) < len(said.words)


def test_an_engine_that_is_broken_ends_the_work(tmp_path: Path) -> None:
    class Broken(ToneRecognizer):
        def recognize(self, chunks: Sequence[Samples], options: SearchConfig) -> list[Recognized]:
            raise RuntimeError("out of order")

    with pytest.raises(ModelError, match="out of order"):
        heard(write(tmp_path / "a.flac", talk(10)), recognizer=Broken("d"))


@pytest.mark.parametrize("unit_seconds", [600, 10])
def test_a_file_that_changes_after_it_was_looked_at_is_an_error(tmp_path: Path, unit_seconds: int) -> None:
    path = write(tmp_path / "a.flac", talk(30))
    recording = examine(AudioFile(str(path), "a"), unit_seconds)
    write(path, talk(30, seed=1))
    (unit, *_) = gather([recording], ("json",), "job", unit_seconds).units.values()
    with pytest.raises(InputError, match="has changed since it was looked at"):
        recognize(unit, TONES, CONFIG)
