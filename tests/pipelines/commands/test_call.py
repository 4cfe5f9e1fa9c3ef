from __future__ import annotations

import pytest

from pipelines.commands.call import Call, Command, read_call
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError


class Keys(Config):
    name: str = "default"
    count: int = 1


def command(**changes: object) -> Command:
    values = {"name": "go", "summary": "", "main": f"{__name__}:main", "config": f"{__name__}:Keys", "usage": "go WORD"}
    return Command(**(values | changes))


def test_words_options_and_engine_options_are_told_apart() -> None:
    words = ["path", "--name", "x", "--", "--runner=FlinkRunner", "--parallelism=8"]
    call = read_call(command(positional=1, takes_engine_options=True), words)
    assert call.words == ("path",)
    assert call.load(Keys) == Keys(name="x")
    assert call.beam_options() == ["--runner=FlinkRunner", "--parallelism=8"]


@pytest.mark.parametrize("words", [["--config", "f.yaml", "--count", "2"], ["--count", "2", "--config=f.yaml"]])
def test_the_configuration_file_may_stand_anywhere(words: list[str]) -> None:
    call = read_call(command(), words)
    assert call == Call((), ("--count", "2"), None, "f.yaml")


@pytest.mark.parametrize(
    ("words", "plain", "options"),
    [
        (["--deep", "path"], ("path",), ("--deep",)),
        (["--deep", "true", "path"], (), ("--deep", "true", "path")),
        (["--deep", "no"], (), ("--deep", "no")),
        (["path", "--deep"], ("path",), ("--deep",)),
        (["--deep=false", "--name", "path"], (), ("--deep=false", "--name", "path")),
        (["--name", "x", "-"], ("-",), ("--name", "x")),
        (["-", "--name", "x"], ("-",), ("--name", "x")),
        (["--name", "-", "x"], ("-",), ("--name", "x")),
    ],
)
def test_a_plain_word_may_stand_behind_options(
    words: list[str], plain: tuple[str, ...], options: tuple[str, ...]
) -> None:
    call = read_call(command(positional=1, switches=("deep",)), words)
    assert (call.words, call.options) == (plain, options)


def test_a_command_without_plain_words_leaves_them_where_they_are() -> None:
    assert read_call(command(switches=("deep",)), ["--deep", "x", "-"]).options == ("--deep", "x", "-")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stray"], "unexpected argument 'stray'; expected go WORD"),
        (["--config"], "--config needs a file"),
        (["--config", ""], "--config: an empty path"),
        (["--config", "a", "--config=b"], "--config stands twice; found a and b"),
        (["a", "--deep", "b"], "unexpected argument 'a'"),
        (["--name", "x", "--", "--runner=x"], "takes no engine options"),
    ],
)
def test_mistakes_are_named(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_call(command(), words)
