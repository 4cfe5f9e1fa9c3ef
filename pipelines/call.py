"""Words of the command line in, one Call out: positional words, our options, and the engine's after `--`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seq2seq_core import config as configuration
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError


@dataclass(frozen=True)
class Call:
    """What stands on the command line after the command's name."""

    words: tuple[str, ...]
    options: tuple[str, ...]
    engine_options: tuple[str, ...] | None
    config_file: str | None

    def load(self, kind: type[configuration.C]) -> configuration.C:
        """The configuration: the YAML file, then the options, which win."""
        return configuration.load(kind, self.config_file, configuration.parse_overrides(kind, self.options))

    def beam_options(self) -> list[str]:
        """Beam's own options, which stand after `--`."""
        return list(self.engine_options or ())


@dataclass(frozen=True)
class Command:
    """One word of the command line. `positional` names the plain words it takes; `config` loads its keys lazily."""

    name: str
    summary: str
    run: Callable[[Call], int]
    config: Callable[[], type[Config]]
    usage: str
    positional: int = 0
    takes_engine_options: bool = False
    notes: str = ""


def read_call(command: Command, words: list[str]) -> Call:
    """Cut the words into positional ones, our options and those of the engine."""
    engine: tuple[str, ...] | None = None
    if "--" in words:
        cut = words.index("--")
        words, engine = words[:cut], tuple(words[cut + 1 :])
        if not command.takes_engine_options:
            raise ConfigError(f"{command.name} takes no engine options after --", found=" ".join(engine))
    first_option = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    plain, options = words[:first_option], words[first_option:]
    if len(plain) > command.positional:
        raise ConfigError(f"unexpected argument {plain[command.positional]!r}", expected=command.usage)
    config_file, options = _take_config_file(options)
    return Call(tuple(plain), tuple(options), engine, config_file)


def _take_config_file(options: list[str]) -> tuple[str | None, list[str]]:
    """Remove `--config FILE` or `--config=FILE` from the options."""
    rest: list[str] = []
    found: str | None = None
    pending = iter(options)
    for option in pending:
        if option == "--config":
            found = next(pending, None)
            if found is None:
                raise ConfigError("--config needs a file")
        elif option.startswith("--config="):
            found = option.removeprefix("--config=")
        else:
            rest.append(option)
    return found, rest
