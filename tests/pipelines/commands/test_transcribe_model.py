"""A speech model of this project transcribes, and only speech models do; what it says is where it says it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.cli import main
from pipelines.commands import transcribe as command
from seq2seq_core import config as configuration
from seq2seq_core.errors import ModelError
from seq2seq_core.modalities.audio import Audio
from seq2seq_core.models.card import Lineage
from seq2seq_core.models.folder import save_model
from seq2seq_core.models.speech import SpeechConfig
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.tokenizer.model import Tokenizer
from tests.tone_speech import talk, write

AUDIO = Audio(mels=20)
SMALL = {"width": 32, "feed_forward_width": 64, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}


@pytest.fixture(scope="module")
def model(echo_tokenizer: bytes, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that has learnt nothing, and says a lot."""
    root, target = str(tmp_path_factory.mktemp("speech")), Tokenizer(echo_tokenizer)
    architecture = configuration.build(SpeechConfig, SMALL | {"front_channels": 8, "dropout": 0.0})
    torch.manual_seed(3)
    network = architecture.build(AUDIO.encoder_input(None), target.vocabulary_size)
    lineage = Lineage(run="asr", step=7, dataset_digest="x", dataset="d")
    save_model(root, network, architecture, None, target, lineage, SourceText(longest=400), AUDIO)
    return root


def transcribe(model: str, inputs: Path, output: Path, **more: Any) -> dict[str, Any]:
    values = {"model": model, "input": [str(inputs)], "output": str(output), "voice": {"method": "energy"}}
    values |= {"engine": {"kind": "torch", "device": "cpu", "threads": 1}, "gate": {"max_loss": None}}
    command.run(configuration.build(command.TranscribeConfig, values | more))
    return json.loads(next(output.glob("*.json")).read_bytes())  # type: ignore[no-any-return]


def test_a_speech_model_transcribes(model: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", talk(25, seed=1, rate=22_050))
    search = {"beam": 2, "max_length_ratio": 0.1, "max_length_extra": 3}
    found = transcribe(model, path, tmp_path / "out" / "x", search=search)
    words = [word for segment in found["segments"] for word in segment["words"]]
    assert len(words) > 5
    assert all(word["begin"] <= word["end"] <= 25.1 for word in words)
    assert all(one["end"] <= other["begin"] + 1e-9 for one, other in pairwise(words))
    assert all(word["end"] - word["begin"] <= 4.1 for word in words)  # no chunk has more than 400 frames
    assert all(segment["score"] < -1 for segment in found["segments"])
    assert "".join(found["text"].split()) == "".join(part for word in words for part in word["text"].split())


def test_what_a_model_invents_is_not_believed(model: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", talk(6, seed=1))
    found = transcribe(model, path, tmp_path / "out", gate={}, search={"beam": 1, "max_length_ratio": 0.1})
    assert found["segments"] == []


def test_speech_is_transcribed_and_text_translated(model: str, echo_model: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", talk(3))
    with pytest.raises(
        ModelError, match=r"only speech is transcribed; found source_modality text\. .*seq2seq translate"
    ):
        transcribe(echo_model, path, tmp_path / "out")
    (tmp_path / "a.txt").write_text("one\n")
    words = ["--model", model, "--input", str(tmp_path / "a.txt"), "--output", str(tmp_path / "out")]
    assert main(["translate", *words]) == 1


def test_a_translation_names_the_command_for_speech(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    main(["translate", "--model", model, "--input", str(tmp_path / "a.txt"), "--output", str(tmp_path / "out")])
    assert "one of speech is for `seq2seq transcribe`" in capsys.readouterr().err
