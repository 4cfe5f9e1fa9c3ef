"""`seq2seq translate --follow`: each document has an answer of its own, the same as a translation of it alone makes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines import cli
from pipelines.commands import translate
from pipelines.commands.follow import translate as command
from pipelines.commands.follow.translate import FollowTranslateConfig, Translating
from pipelines.commands.translate import TranslateConfig
from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.inference.manifest import load_output
from seq2seq_core.landing.ledger import Ledger, history
from seq2seq_core.landing.lookout import Lookout
from seq2seq_core.landing.zone import Zone
from tests.landing import AT_ONCE
from tests.processes import tree


def values(model: str, root: Path, **more: Any) -> dict[str, Any]:
    given = {"model": model, "input": [str(root / "in")], "output": str(root / "out"), "engine": {"kind": "echo"}}
    return {**given, "unit_records": 2} | more


def following(model: str, root: Path, **more: Any) -> FollowTranslateConfig:
    known = {"landing": AT_ONCE, "idle_seconds": 0.1}
    return configuration.build(FollowTranslateConfig, known | values(model, root, **more))


def land(root: Path, name: str, text: str) -> Path:
    (root / "in" / name).parent.mkdir(parents=True, exist_ok=True)
    (root / "in" / name).write_text(text)
    return root / "in" / name


def test_each_answer_is_what_a_translation_of_it_alone_makes(echo_model: str, tmp_path: Path) -> None:
    land(tmp_path, "a.txt", "one two\nthree\n\nfour\nfive")
    land(tmp_path, "deep/b.jsonl", "".join(json.dumps({"text": word}) + "\n" for word in ("six", "seven")))
    land(tmp_path, "empty.txt", "")
    command.run(following(echo_model, tmp_path))
    for name in ("a.txt", "deep/b.jsonl", "empty.txt"):
        alone = tmp_path / "alone" / name
        more = {"input": [str(tmp_path / "in" / name)], "output": str(alone)}
        translate.run(configuration.build(TranslateConfig, values(echo_model, tmp_path, **more)))
        assert tree(tmp_path / "out" / name) == tree(alone)
    assert {Path(record.key).name: record.state for record in history(str(tmp_path / "out"))} == {
        "a.txt": "taken",
        "b.jsonl": "taken",
        "empty.txt": "taken",
    }


def test_what_was_answered_is_not_answered_again(
    echo_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path, "a.txt", "one")
    command.run(following(echo_model, tmp_path))
    before = tree(tmp_path / "out")
    monkeypatch.setattr(Translating, "begin", lambda *given: pytest.fail("begun again"))
    command.run(following(echo_model, tmp_path))
    assert tree(tmp_path / "out") == before


def test_other_content_is_answered_anew(echo_model: str, tmp_path: Path) -> None:
    file = land(tmp_path, "a.txt", "one\ntwo\nthree")
    command.run(following(echo_model, tmp_path))
    file.write_text("four")
    command.run(following(echo_model, tmp_path))
    names = {path.name: path.read_text() for path in (tmp_path / "out" / "a.txt").glob("a-*")}
    assert names == {"a-00000-of-00001.txt": "four"}


def test_what_a_killed_run_has_translated_is_kept(echo_model: str, tmp_path: Path) -> None:
    land(tmp_path, "a.txt", "one\ntwo\nthree\nfour\nfive")
    config = following(echo_model, tmp_path)
    begun = next(iter_answer(config, tmp_path))
    assert begun is None
    (first,) = (tmp_path / "out" / "a.txt").glob("a-*")
    told = first.stat().st_mtime_ns
    command.run(config)
    assert first.stat().st_mtime_ns == told
    assert load_output(str(tmp_path / "out" / "a.txt")).records_out == 5


def iter_answer(config: FollowTranslateConfig, root: Path) -> Any:
    ledger = Ledger(config.output)
    zones = [Zone((config.input,))]
    (landed,) = Lookout(zones, config.landing, ledger).look(0.0)
    return Translating(config).begin(landed, str(root / "out" / landed.below))


def test_a_model_that_was_replaced_answers_new_files(
    write_echo_model: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_echo_model(tmp_path / "model")
    loads: list[str] = []
    load = command.load_translator

    def counted(config: Any, digest: str | None = None) -> Any:
        loads.append(str(digest))
        return load(config, digest)

    monkeypatch.setattr(command, "load_translator", counted)

    def deliver() -> None:
        for number, step in enumerate((1, 1, 2, 2)):
            write_echo_model(tmp_path / "model", step)
            file = land(tmp_path, f"{number}.txt", "one")
            while not (tmp_path / "out" / file.name / "output.json").exists():
                time.sleep(0.01)

    sender = threading.Thread(target=deliver)
    sender.start()
    command.run(following(model, tmp_path, idle_seconds=2.0))
    sender.join()
    digests = [load_output(str(tmp_path / "out" / f"{number}.txt")).model.digest for number in range(4)]
    assert digests[0] == digests[1] != digests[2] == digests[3]
    assert loads == [digests[0], digests[2]]
    assert [record.model for record in history(str(tmp_path / "out"))] == digests


def test_documents_that_cannot_be_read_are_told_of(echo_model: str, tmp_path: Path) -> None:
    land(tmp_path, "a.xyz", "what is this")
    land(tmp_path, "b.jsonl", "{}\n")
    land(tmp_path, "c.txt", "fine")
    command.run(following(echo_model, tmp_path))
    found = {Path(record.key).name: record for record in history(str(tmp_path / "out"))}
    assert {name: record.state for name, record in found.items()} == {
        "a.xyz": "failed",
        "b.jsonl": "failed",
        "c.txt": "taken",
    }
    assert "the format is not known by the suffix" in str(found["a.xyz"].reason)


def test_mistakes_are_told_before_anything_lands(echo_model: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        command.run(following(str(tmp_path / "none"), tmp_path))
    with pytest.raises(ConfigError, match="runs on this machine"):
        command.run(following(echo_model, tmp_path), ["--runner=PrismRunner"])


def test_the_command_line(echo_model: str, tmp_path: Path) -> None:
    land(tmp_path, "a.txt", "one")
    words = ["--follow", "--model", echo_model, "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    words += ["--engine.kind", "echo", "--idle_seconds", "0", "--landing.settle_seconds", "0"]
    assert cli.main(["translate", *words]) == 0
    assert load_output(str(tmp_path / "out" / "a.txt")).records_out == 1
    assert cli.main(["translate", "-", *words]) == 2
