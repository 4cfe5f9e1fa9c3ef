"""Every command and every configuration that the pages show is one that the real command line takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from seq2seq_core.errors import ConfigError
from tests.docs.calls import check, needed, read_configuration
from tests.docs.pages import ROOT, Block, read_pages
from tests.docs.shell import Called, commands_of

BLOCKS = [block for page in read_pages() for block in page.blocks]
PYTHON = [block for block in BLOCKS if block.language == "python"]
SHELL = [block for block in BLOCKS if block.language == "sh"]
YAML = [block for block in BLOCKS if block.language == "yaml"]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the configuration files that the pages show, whole, and with those that come with the package."""
    monkeypatch.setenv("SEQ2SEQ_DATA", "data")
    for name in ("prepare", "train", "translate", "transcribe"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(needed(name, {})))
    (tmp_path / "pipelines").symlink_to(ROOT / "pipelines")
    monkeypatch.chdir(tmp_path)


def test_every_block_says_what_it_is() -> None:
    for block in BLOCKS:
        assert block.language in ("sh", "yaml", "python", "text"), f"{block.where}: {block.language!r}"
        assert block.mark in ("", "run" if block.language == "sh" else "file"), f"{block.where}: {block.mark}"


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.where)
def test_commands_are_taken(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    called = commands_of(block.text)
    assert called
    for command in called:
        check(command, monkeypatch)


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.where)
def test_python_can_be_read(block: Block) -> None:
    assert compile(block.text, block.where, "exec")


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.where)
def test_configurations_are_taken(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line of each is a comment that begins with its name, `prepare.yaml`."""
    name = block.text.split()[1].removesuffix(":").removesuffix(".yaml")
    values = yaml.safe_load(block.text)
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**values, **needed(name, values)}))
    assert read_configuration((name, "--config", str(file)), monkeypatch)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("seq2seq prepare --source a --target b --output c --filters.word true", "unknown option --filters.word"),
        ("seq2seq train --dataset d --output r --limits.max_steps many", "limits.max_steps"),
        ("seq2seq translate - --model m --beam 3", "unknown option --beam"),
        ("seq2seq traim --dataset d", "unknown command 'traim'"),
        ("seq2seq prepare --source a --target b --output c -- --runer=FlinkRunner", "Beam has no option --runer"),
    ],
)
def test_a_command_that_is_refused_would_be_found(text: str, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (called,) = commands_of(text)
    with pytest.raises(ConfigError, match=complaint):
        check(called, monkeypatch)


@pytest.mark.parametrize(
    "text", ["make tea", "pip install '.[teapot]'", "python tests/benchmarks/prepare.py --tea", "teapot --pour"]
)
def test_what_is_not_there_would_be_found(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (called,) = commands_of(text)
    with pytest.raises(AssertionError):
        check(called, monkeypatch)


def test_a_block_is_cut_into_its_commands() -> None:
    text = "seq2seq a --b 'c d' \\\n   --e < f > g  # all of it\nX_Y=1 echo 'a; b' | seq2seq translate - && make demo\n"
    assert commands_of(text) == [
        Called("seq2seq", ("a", "--b", "c d", "--e")),
        Called("echo", ("a; b",), ("X_Y=1",)),
        Called("seq2seq", ("translate", "-")),
        Called("make", ("demo",)),
    ]
