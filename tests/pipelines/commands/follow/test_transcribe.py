"""`seq2seq transcribe --follow`: each recording has transcripts of its own, the same as those of it alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.commands import transcribe
from pipelines.commands.follow import transcribe as command
from pipelines.commands.follow.transcribe import FollowTranscribeConfig
from pipelines.commands.transcribe import TranscribeConfig
from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.landing.ledger import history
from tests.landing import AT_ONCE
from tests.processes import tree
from tests.tone_speech import talk, tree_of, write


def values(model: str, root: Path, **more: Any) -> dict[str, Any]:
    given = {"model": model, "input": [str(root / "in")], "output": str(root / "out"), "engine": {"kind": "echo"}}
    return {**given, "voice": {"method": "energy"}, "unit_seconds": 10, "format": ["json", "srt"]} | more


def following(model: str, root: Path, **more: Any) -> FollowTranscribeConfig:
    known = {"landing": AT_ONCE, "idle_seconds": 0.1}
    return configuration.build(FollowTranscribeConfig, known | values(model, root, **more))


def test_each_answer_is_what_a_transcription_of_it_alone_makes(echo_model: str, tmp_path: Path) -> None:
    for name, seconds in (("a.flac", 4), ("deep/long.flac", 25)):
        write(tmp_path / "in" / name, talk(seconds, seed=seconds))
    (tmp_path / "in" / "notes.txt").write_text("no audio")
    (tmp_path / "in" / "damaged.flac").write_bytes(b"fLaC")
    command.run(following(echo_model, tmp_path))
    for name in ("a.flac", "deep/long.flac"):
        alone = tmp_path / "alone" / name
        more = {"input": [str(tmp_path / "in" / name)], "output": str(alone)}
        transcribe.run(configuration.build(TranscribeConfig, values(echo_model, tmp_path, **more)))
        assert tree_of(tree(tmp_path / "out" / name)) == tree_of(tree(alone))
    found = {Path(record.key).name: record for record in history(str(tmp_path / "out"))}
    assert {name: record.state for name, record in found.items()} == {
        "a.flac": "taken",
        "damaged.flac": "taken",
        "long.flac": "taken",
        "notes.txt": "failed",
    }
    assert (tmp_path / "out" / "damaged.flac" / "failures").is_dir()
    before = tree(tmp_path / "out")
    command.run(following(echo_model, tmp_path))
    assert tree(tmp_path / "out") == before


def test_it_runs_here_alone(echo_model: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="runs on this machine"):
        command.run(following(echo_model, tmp_path), ["--runner=PrismRunner"])
