"""Words of the command line in, one Call out: positional words, our options, and the engine's after `--`."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq_core import config as configuration
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError
from seq2seq_core.options import take_config_file

STANDARD_INPUT = "-"
FOLLOW = "--follow"
_BOOLEANS = frozenset({"true", "false", "yes", "no", "on", "off"})


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
    """One word of the command line, told of without importing what it needs.

    Attributes:
        main: Where the function is that takes a Call and returns an exit code (`package.module:name`).
        config: Where the class of its keys is.
        positional: How many plain words it takes.
        switches: Keys that are true or false: a plain word may stand behind one.
        carries_on: Whether the same words, after an interrupt, go on from what is finished.
        is_watched: Whether there are metrics to serve meanwhile.
        unless: Words with which they do not.
        follows: Where the function is that takes a Call with `--follow`, and where the class of its keys; None for a
            command that follows nothing.
    """

    name: str
    summary: str
    main: str
    config: str
    usage: str
    positional: int = 0
    switches: tuple[str, ...] = ()
    carries_on: bool = False
    is_watched: bool = False
    unless: tuple[str, ...] = ()
    follows: tuple[str, str] | None = None
    takes_engine_options: bool = False
    notes: str = ""

    def start(self, call: Call) -> int:
        """Do it; the exit code."""
        main = self.main if self.follows is None or FOLLOW not in call.options else self.follows[0]
        code: int = pkgutil.resolve_name(main)(call)
        return code

    @property
    def keys(self) -> type[Config]:
        """The class of its keys."""
        kind: type[Config] = pkgutil.resolve_name(self.config)
        return kind

    @property
    def follow_keys(self) -> type[Config] | None:
        """The class of its keys beside `--follow`; None for a command that follows nothing."""
        kind: type[Config] | None = None if self.follows is None else pkgutil.resolve_name(self.follows[1])
        return kind

    def keys_of(self, words: Sequence[str]) -> type[Config]:
        """The class of the keys that it takes beside some words."""
        return (self.follow_keys if FOLLOW in words else None) or self.keys

    def goes_on(self, words: Sequence[str]) -> bool:
        """Whether the same words go on from what is finished."""
        return self.carries_on and not any(word.split("=", 1)[0] in self.unless for word in words)


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
    late, options = _late_words(command, options)
    plain += late
    if len(plain) > command.positional:
        raise ConfigError(f"unexpected argument {plain[command.positional]!r}", expected=command.usage)
    config_file, options = take_config_file(options)
    return Call(tuple(plain), tuple(options), engine, config_file)


def _late_words(command: Command, options: list[str]) -> tuple[list[str], list[str]]:
    """The plain words among the options, which no option can want, and the others."""
    late: list[str] = []
    rest: list[str] = []
    for before, word in zip(["", *options], options, strict=False):
        is_wanted = before.removeprefix("--").replace("-", "_") not in command.switches or word.lower() in _BOOLEANS
        is_plain = word == STANDARD_INPUT or (before.startswith("--") and not word.startswith("--") and not is_wanted)
        (late if command.positional and is_plain else rest).append(word)
    return late, rest
