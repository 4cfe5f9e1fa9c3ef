"""Words of the command line in; the configuration file they name, and dotted names with their values, out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq_core import yaml_values
from seq2seq_core.errors import ConfigError
from seq2seq_core.strict import check_location

_FILE = "--config"
_NULLS = ("null", "Null", "NULL", "~")


@dataclass(frozen=True)
class Key:
    """One leaf of a configuration, as the command line sees it (`optimizer.learning_rate`).

    `has_keys` says of one that takes the name of a configuration that keys of that may stand beside it.
    """

    name: str
    type_name: str
    default: str
    description: str
    is_list: bool
    is_text: bool
    is_switch: bool
    has_keys: bool = False


def take_config_file(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The file of `--config FILE` or `--config=FILE`, and the other words.

    Raises:
        ConfigError: It stands twice, or without a file.
    """
    rest: list[str] = []
    files: list[str] = []
    pending = iter(words)
    for word in pending:
        if word == _FILE:
            files.append(next(pending, "--"))
        elif word.startswith(f"{_FILE}="):
            files.append(word.removeprefix(f"{_FILE}="))
        else:
            rest.append(word)
    if len(files) > 1:
        raise ConfigError(f"{_FILE} stands twice", found=" and ".join(files), expected="one file")
    if not files:
        return None, rest
    if files[0].startswith("--"):
        raise ConfigError(f"{_FILE} needs a file", found="nothing" if files[0] == "--" else files[0])
    try:
        return check_location(files[0]), rest
    except ValueError as error:
        raise ConfigError(f"{_FILE}: {error}", found=repr(files[0])) from None


def read_options(arguments: Sequence[str], known: Mapping[str, Key]) -> dict[str, Any]:
    """The value of every option; see `config.parse_overrides`."""
    given: dict[str, list[str]] = {}
    for name, words in _options(arguments):
        if name not in known and not any(k.startswith(f"{name}.") for k in known):
            raise ConfigError(f"unknown option --{name}", advice=neighbour(name, known))
        if name in given:
            found = " and ".join(" ".join(some) or "no value" for some in (given[name], words))
            is_list = name in known and known[name].is_list
            advice = "Give all words of a list behind one option." if is_list else "Leave one out."
            raise ConfigError(f"--{name} stands twice", found=found, advice=advice)
        given[name] = words
    _check_apart(given, known)
    return {name: _value(name, words, known.get(name)) for name, words in given.items()}


def neighbour(name: str, known: Mapping[str, object]) -> str:
    """The closest valid names, compared whole and by their last part."""
    tails: dict[str, str] = {known_name.rsplit(".", 1)[-1]: known_name for known_name in known}
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    close = close or [
        tails[tail] for tail in difflib.get_close_matches(name.rsplit(".", 1)[-1], list(tails), n=1, cutoff=0.6)
    ]
    return f"Did you mean {close[0]}?" if close else f"Valid keys: {', '.join(sorted(known))}."


def _check_apart(names: dict[str, list[str]], known: Mapping[str, Key]) -> None:
    """Refuse one option that sets the whole of what another one sets a part of."""
    whole = [name for name in names if name not in known or not known[name].has_keys]
    for inner in names:
        outer = next((name for name in whole if inner.startswith(f"{name}.")), None)
        if outer is not None:
            raise ConfigError(
                f"--{outer} and --{inner} set the same key", advice=f"Leave one out, or set all of {outer} in one."
            )


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    name: str | None = None
    words: list[str] = []
    for argument in arguments:
        if argument.startswith("--"):
            if name is not None:
                yield name, words
            name, _, value = argument[2:].partition("=")
            name, words = name.replace("-", "_"), [value] if "=" in argument else []
        elif name is None:
            raise ConfigError(f"unexpected argument {argument!r}", expected="options like --key value")
        else:
            words.append(argument)
    if name is not None:
        yield name, words


def _value(name: str, words: list[str], key: Key | None) -> object:
    if not words:
        return _without_word(name, key)
    is_text = key is not None and key.is_text
    if key is not None and key.is_list and not (len(words) == 1 and _is_inline(words[0])):
        return [word if is_text else _scalar(name, word) for word in words]
    if len(words) > 1:
        raise ConfigError(f"--{name} takes one value", found=" ".join(words))
    is_inline = key is not None and key.is_list
    return words[0] if is_text and not is_inline and words[0] != "null" else _scalar(name, words[0])


def _without_word(name: str, key: Key | None) -> bool:
    if key is None or key.is_switch:
        return True
    raise ConfigError(
        f"--{name}: its value is missing",
        expected=key.type_name,
        advice="Write [] for an empty list." if key.is_list else None,
    )


def _is_inline(word: str) -> bool:
    """Whether a word is a list as YAML writes it, not a name that begins so."""
    return word.lstrip().startswith("[") and word.rstrip().endswith("]")


def _scalar(name: str, word: str) -> object:
    value: object = yaml_values.read(word, f"--{name}")
    if value is None and word.strip() not in _NULLS:
        raise ConfigError(f"--{name}: its value is missing (is a variable unset?)", found=repr(word))
    return value
