"""YAML in, plain values out: text, numbers, booleans, null, lists, and mappings with keys of text; nothing else.

What YAML 1.1 makes of a date (a day), of `1:30` (90) and of `017` (15) is seldom meant: here they stay the text they
are. A bare no, yes, on or off is a boolean, as everywhere; whoever takes the values says where none has a place.
"""

from __future__ import annotations

import os
import re
from typing import Any

import yaml

from seq2seq_core.errors import ConfigError

_MOST_VALUES, _MOST_LEVELS = 1_000_000, 100
_TAG = "tag:yaml.org,2002:"
_LINE_END = re.compile("[\r\x85\u2028\u2029\ufeff]")
_VARIABLE = re.compile(r"\$\$\{|\$\{(\w+)(?::-([^}]*))?\}")

# What is no text, by its look: the tag's name, the expression, and the characters it can begin with.
_LOOKS = (
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+|0b[01]+)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
)


class _Loader(yaml.SafeLoader):
    """YAML's safe loader with fewer kinds of values; a key that stands twice, or is no text, is an error."""

    yaml_implicit_resolvers = {}
    yaml_constructors = {
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (*(_TAG + name for name in ("null", "bool", "int", "float", "str", "seq", "map")), None)
    }

    def compose_mapping_node(self, anchor: Any) -> Any:
        """See `yaml.composer.Composer`."""
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag not in (f"{_TAG}str", f"{_TAG}merge"):
                found = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {found!r} is no text (put it in quotes)", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """See `yaml.constructor.SafeConstructor`; merges of merges grow fast."""
        super().flatten_mapping(node)
        if len(node.value) > _MOST_VALUES:
            raise yaml.constructor.ConstructorError(None, None, "too many merged keys", node.start_mark)


class _Dumper(yaml.SafeDumper):
    """YAML's safe dumper, but characters that YAML takes for a line end are escaped."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """See `yaml.representer.SafeRepresenter`."""
        return self.represent_scalar(f"{_TAG}str", data, style='"' if _LINE_END.search(data) else None)


_Dumper.add_representer(str, _Dumper.represent_str)

for _name, _look, _first in _LOOKS:
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"^(?:{_look})$"), list(_first))


def read(text: str | bytes, where: str) -> Any:
    """The value that a YAML document holds; bytes may be UTF-8 or, with their mark, UTF-16.

    Args:
        text: The document.
        where: What an error names as its place.

    Raises:
        ConfigError: It is no YAML, or holds something that is no plain value, too much or too deep.
    """
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
        return _checked(value)
    except yaml.MarkedYAMLError as error:
        found = f"{error.problem or error.context}{_place(error.problem_mark or error.context_mark)}"
    except yaml.YAMLError as error:
        found = " ".join(str(error).split())
    except RecursionError:
        found = "nested too deeply"
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        found = f"a value that cannot be read: {error}"
    raise ConfigError("the configuration is not valid YAML", where=where, found=found) from None


def fill_variables(value: Any, where: str) -> Any:
    """The value with `${NAME}` and `${NAME:-default}` in its texts replaced by environment variables; `$${` is `${`.

    Raises:
        ConfigError: A variable is not set.
    """
    if isinstance(value, dict):
        return {key: fill_variables(inner, where) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill_variables(inner, where) for inner in value]
    return _VARIABLE.sub(lambda match: _variable(match, where), value) if isinstance(value, str) else value


def write(values: Any) -> str:
    """YAML that `read` and `fill_variables` read back."""
    return yaml.dump(_escaped(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(inner) for inner in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def _variable(match: re.Match[str], where: str) -> str:
    name, default = match.groups()
    if name is None:
        return "${"
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigError(f"the environment variable {name} is not set", where=where, advice=f"export {name}=...")
    return value


def _checked(value: Any) -> Any:
    """The same value, unless aliases make it endless or huge."""
    left, to_see = _MOST_VALUES, [(value, 0)]
    while to_see:
        inner, level = to_see.pop()
        left -= 1
        if left < 0 or level > _MOST_LEVELS:
            raise yaml.YAMLError("too many values, or nested too deeply")
        if isinstance(inner, dict | list):
            items = inner.values() if isinstance(inner, dict) else inner
            to_see += [(item, level + 1) for item in items]
    return value


def _place(mark: yaml.Mark | None) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
