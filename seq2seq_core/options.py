"""Words of the command line in; the configuration file they name, and dotted names with their values, out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq_core import yaml_values
from seq2seq_core.errors import ConfigError
from seq2seq_core.strict import check_location

_FILE = "--config"
_NULLS = ("null", "Null", "NULL", "~")
_IN_LIST = re.compile(r"(.+?)\.([0-9]{1,6})\.(.+)")
_FIRST = "0"
_CLOSE, _VERY_CLOSE = 0.6, 0.85
_MOST_NAMES = 12


@dataclass(frozen=True)
class Key:
    """One leaf of a configuration, as the command line sees it (`optimizer.learning_rate`).

    `has_keys` says of one that takes the name of a configuration that keys of that may stand beside it; `inside` has
    the keys of what a list is made of, which stand behind its place there (`corpora.0.path`).
    """

    name: str
    type_name: str
    default: str
    description: str
    is_list: bool
    is_text: bool
    is_switch: bool
    has_keys: bool = False
    inside: Mapping[str, Key] = field(default_factory=dict, compare=False)


def take_option(words: Sequence[str], name: str, what: str = "value") -> tuple[str | None, list[str]]:
    """The word of `NAME WORD` or `NAME=WORD`, and the other words: of what says how to start, and is no key.

    Args:
        words: Of a call.
        name: The option, `--log-format`; `--log_format` is the same.
        what: What its word is, for messages.

    Raises:
        ConfigError: It stands twice, or without its word.
    """
    rest: list[str] = []
    found: list[str] = []
    pending = iter(words)
    for word in pending:
        option, is_joined, value = word.partition("=")
        if option.startswith("--") and option.replace("_", "-") == name:
            found.append(value if is_joined else next(pending, "--"))
        else:
            rest.append(word)
    if len(found) > 1:
        raise ConfigError(f"{name} stands twice", found=" and ".join(found), expected=f"one {what}")
    if found and found[0].startswith("--"):
        raise ConfigError(f"{name} needs a {what}", found="nothing" if found[0] == "--" else found[0])
    return (found[0] if found else None), rest


def take_config_file(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The file of `--config FILE` or `--config=FILE`, and the other words.

    Raises:
        ConfigError: It stands twice, or without a file.
    """
    file, rest = take_option(words, _FILE, "file")
    try:
        return (None if file is None else check_location(file)), rest
    except ValueError as error:
        raise ConfigError(f"{_FILE}: {error}", found=repr(file)) from None


def read_options(arguments: Sequence[str], known: Mapping[str, Key]) -> dict[str, Any]:
    """The value of every option; see `config.parse_overrides`."""
    given: dict[str, list[str]] = {}
    for name, words in _options(arguments):
        key = find_key(name, known)
        if key is None and not any(k.startswith(f"{name}.") for k in known):
            raise ConfigError(f"unknown option --{name}", advice=neighbour(name, _names_near(name, known)))
        if name in given:
            found = " and ".join(" ".join(some) or "no value" for some in (given[name], words))
            is_list = key is not None and key.is_list
            advice = "Give all words of a list behind one option." if is_list else "Leave one out."
            raise ConfigError(f"--{name} stands twice", found=found, advice=advice)
        given[name] = words
    _check_apart(given, known)
    return {name: _value(name, words, find_key(name, known)) for name, words in given.items()}


def find_key(name: str, known: Mapping[str, Key]) -> Key | None:
    """The key of a name, also of one in a list; None where there is none."""
    found = _IN_LIST.fullmatch(name)
    if name in known or found is None:
        return known.get(name)
    outer = known.get(found[1])
    return find_key(found[3], outer.inside) if outer is not None else None


def neighbour(name: str, known: Iterable[str], rest: str = "--help lists all keys.") -> str:
    """What to try in the place of an unknown name.

    That is a name of the same level that is nearly the same. A name that lacks what stands before it is told all its
    places: one of several alone would be a key of another meaning.

    Args:
        name: What was given, dotted.
        known: The valid names, dotted.
        rest: What to say after the first of many names, where none is close.
    """
    names = list(known)
    close = _of_level(name, names) if "." in name else _places_of(name, names, 1.0) or _of_level(name, names)
    close = close or _places_of(name, names, _CLOSE)
    if close:
        *others, last = close
        return f"Did you mean {', '.join(others)} or {last}?" if others else f"Did you mean {last}?"
    if len(names) > _MOST_NAMES:
        return rest
    return f"Valid keys: {', '.join(sorted(names))}."


def _of_level(name: str, names: Sequence[str]) -> list[str]:
    """The closest name with as many dots, or another that is nearly the same with dots in other places."""
    level = [other for other in names if other.count(".") == name.count(".")]
    return difflib.get_close_matches(name, level, n=1, cutoff=_CLOSE) or difflib.get_close_matches(
        name, names, n=1, cutoff=_VERY_CLOSE
    )


def _places_of(name: str, names: Sequence[str], cutoff: float) -> list[str]:
    """All names whose last part is the one closest to that of a name."""
    tails = dict.fromkeys(_last(other) for other in names)
    close = difflib.get_close_matches(_last(name), list(tails), n=1, cutoff=cutoff)
    return [other for other in names if _last(other) in close]


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _names_near(name: str, known: Mapping[str, Key]) -> list[str]:
    """All names that an option may have; of lists those of the place that is asked for, or of the first."""
    found = _IN_LIST.fullmatch(name)
    names = []
    for outer, key in known.items():
        place = found[2] if found is not None and found[1] == outer else _FIRST
        names += [outer, *(f"{outer}.{place}.{inner}" for inner in key.inside)]
    return names


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
