"""The demo of speech from end to end, with a training of a few steps."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands import demo_speech
from pipelines.commands.prepare import PrepareConfig
from pipelines.commands.transcribe import TranscribeConfig
from seq2seq_core import config as configuration
from seq2seq_core.config import Config
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.errors import ConfigError, ForeignFileError
from seq2seq_core.training.config import TrainConfig

CONFIG = demo_speech.DemoSpeechConfig(
    utterances=60, held_out_utterances=3, minutes=1, steps=4, processes=1, train_options=("--report_every_steps", "2")
)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_stage_leaves_its_result_and_a_second_run_changes_nothing(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)  # one process trains here, where nobody has set logging up
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "demo"
    config = CONFIG.model_copy(update={"output": str(root)})
    assert demo_speech.run(config) == 0
    said, _ = capfd.readouterr()
    assert "validation at step 1 " in caplog.text
    assert " | WER " in caplog.text
    assert said.count("wer|norm:standard.1|lang:en|") == 2
    assert "demo/report.html" in said
    manifest = load_manifest(str(root / "dataset"))
    assert manifest.ledger.balance == 0
    assert manifest.splits["test"].rows == 3
    heard = json.loads((root / "long" / "long-1.json").read_text())
    assert heard["duration"] > 60
    page = (root / "report.html").read_text()
    assert "WER" in page
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)

    results = ("dataset/dataset.json", "run/best/config.json", "transcripts/output.json", "long/long-1.srt")
    before = {name: (root / name).read_bytes() for name in results}
    assert demo_speech.run(config) == 0
    assert {name: (root / name).read_bytes() for name in results} == before


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("prepare", PrepareConfig, {"output": "x", "corpora": [{"path": "a.jsonl", "format": "speech_manifest"}]}),
        ("train", TrainConfig, {"dataset": "x", "output": "y"}),
        ("transcribe", TranscribeConfig, {"model": "x", "input": ["y"], "output": "z"}),
        ("translation_prepare", PrepareConfig, {}),
        ("translation_train", TrainConfig, {}),
    ],
)
def test_every_recipe_is_one(name: str, kind: type[Config], values: dict[str, Any]) -> None:
    configuration.load(kind, str(demo_speech.RECIPES / f"{name}.yaml"), values)


def test_variables_of_torchrun_are_refused_before_the_first_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="WORLD_SIZE: variables of torchrun are set in part"):
        demo_speech.run(CONFIG.model_copy(update={"output": str(tmp_path / "demo")}))
    assert not (tmp_path / "demo").exists()


def test_the_page_of_another_stays(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(ForeignFileError, match="a file that this program has not written"):
        demo_speech.run(CONFIG.model_copy(update={"output": str(tmp_path)}))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
