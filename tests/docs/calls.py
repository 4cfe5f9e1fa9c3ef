"""A command that a page shows in, the configuration that the real command line makes of it out; nothing is done."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from torch.distributed import run as torchrun

from pipelines import cli
from pipelines.commands.table import COMMANDS
from seq2seq_core import config as configuration
from seq2seq_core.config import Config
from tests.docs.pages import ROOT
from tests.docs.shell import Called

_EXTRAS = re.compile(r"(?:seq2seq|\.|`)\[([a-z][a-z0-9,-]*)\]")
_BENCHMARK = re.compile(r"tests/benchmarks/\w+\.py")

# What a page leaves out of a configuration file, because it does not show how to name files.
_NEEDED: Mapping[str, Mapping[str, object]] = {
    "prepare": {"source": "train.en", "target": "train.de", "output": "data"},
    "train": {"dataset": "data", "output": "run"},
    "translate": {"model": "run/best", "input": ["docs"], "output": "out"},
    "transcribe": {"model": "run/best", "input": ["audio"], "output": "out"},
}


KEYS = {name: command.keys for name, command in COMMANDS.items()}
KEYS |= {f"{name} --follow": keys for name, command in COMMANDS.items() if (keys := command.follow_keys) is not None}
"""The keys of every command, and of those that follow landing zones."""


class _Read(BaseException):
    """Carries the configuration out of the command line, before any work."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config


def check(called: Called, patch: pytest.MonkeyPatch) -> None:
    """Raise or fail where a user who types this command would be refused."""
    checks: dict[str, Callable[[Called], None]] = {
        "seq2seq": lambda called: _check_seq2seq(called, patch),
        "torchrun": lambda called: _check_torchrun(called, patch),
        "make": _check_make,
        "pip": check_extras,
        "python": _check_python,
    }
    if called.program not in ("cp", "echo", "paste"):
        assert called.program in checks, f"nothing checks what {called.program!r} is called with"
        checks[called.program](called)


def read_configuration(words: tuple[str, ...], patch: pytest.MonkeyPatch) -> Config:
    """The configuration that `seq2seq` reads of these words; a ConfigError where it would refuse them."""
    load = configuration.load

    def read(*given: object) -> None:
        raise _Read(load(*given))  # type: ignore[arg-type]

    patch.setattr(configuration, "load", read)
    patch.setattr(cli, "_complain", _refuse)
    try:
        code = cli.main(words)
    except _Read as found:
        return found.config
    finally:
        patch.setattr(configuration, "load", load)
    raise AssertionError(f"seq2seq {' '.join(words)}: ended with {code}, before any configuration was read")


def _refuse(_: object, cause: Exception) -> int:
    raise cause


def needed(command: str, values: Mapping[str, object]) -> dict[str, object]:
    """The keys a command cannot do without, where a shown configuration file leaves them to the page's reader."""
    left_out: dict[str, object] = {key: value for key, value in _NEEDED[command].items() if key not in values}
    if "corpora" in values:
        left_out = {key: value for key, value in left_out.items() if key == "output"}
    return left_out


def _check_seq2seq(called: Called, patch: pytest.MonkeyPatch) -> None:
    if "--help" in called.words:
        assert cli.main(called.words) == 0
        return
    read_configuration(called.words, patch)
    if "--" in called.words:
        from pipelines.graphs import options as beam_options

        beam_options.parse(called.words[called.words.index("--") + 1 :])


def _check_torchrun(called: Called, patch: pytest.MonkeyPatch) -> None:
    options = torchrun.get_args_parser().parse_args(called.words)
    assert options.module
    assert options.training_script == "seq2seq_core.training"
    read_configuration(("train", *options.training_script_args), patch)


def _check_make(called: Called) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for word in called.words:
        name, is_variable, _ = word.partition("=")
        assert name in (variables if is_variable else targets), f"the Makefile knows no {name!r}"


def check_extras(called: Called) -> None:
    """All extras that are named are some of ours."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for names in _EXTRAS.findall(" ".join(called.words)):
        assert set(names.split(",")) <= set(known), f"pyproject.toml has no extra {names!r}"


def _check_python(called: Called) -> None:
    """A benchmark of ours that knows its options, or a module that is there."""
    if called.words[0] == "-m":
        return
    script = ROOT / called.words[0]
    assert _BENCHMARK.fullmatch(called.words[0]), called
    assert script.is_file(), called
    text = "".join(file.read_text() for file in (script, *_beside(script)))
    for option in (word.split("=")[0] for word in called.words[1:] if word.startswith("--")):
        assert f'"{option}"' in text, f"{called.words[0]} takes no {option}"


def _beside(script: Path) -> list[Path]:
    return sorted((script.parent / "preparing").glob("*.py"))
