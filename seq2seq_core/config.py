"""YAML files and command-line overrides in, one frozen and validated configuration out."""

from __future__ import annotations

import difflib
import os
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pydantic
import yaml

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, StorageError


class Config(pydantic.BaseModel):
    """The base of every configuration: frozen, and strict about unknown keys."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


C = TypeVar("C", bound=Config)

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@dataclass(frozen=True)
class Key:
    """One leaf of a configuration, as the command line sees it (`optimizer.learning_rate`)."""

    name: str
    type_name: str
    default: str
    description: str
    is_list: bool
    is_text: bool


def load(kind: type[C], path: str | None, overrides: Mapping[str, Any] | None = None) -> C:
    """Read a configuration.

    Args:
        kind: The configuration class.
        path: URL of a YAML file, or None for defaults alone. `${NAME}` and `${NAME:-default}` in its texts stand for
            environment variables.
        overrides: Dotted names and their values; they win over the file.

    Raises:
        ConfigError: The file is missing or not YAML, a key is unknown, a value does not fit.
    """
    values = _read_yaml(path) if path else {}
    for name, value in (overrides or {}).items():
        _set(values, name.split("."), value, name)
    return build(kind, values, where=path)


def build(kind: type[C], values: Mapping[str, Any], where: str | None = None) -> C:
    """Validate plain values into a configuration; see `load` for the errors."""
    try:
        return kind.model_validate(values)
    except pydantic.ValidationError as error:
        raise _explain(kind, error, where) from None


def parse_overrides(kind: type[Config], arguments: Sequence[str]) -> dict[str, Any]:
    """Turn `--a.b 3 --files x y --flag` into `{"a.b": 3, "files": ["x", "y"], "flag": True}`.

    Values are read as YAML, so numbers, booleans, null and inline lists mean what they mean in the file; where the
    key takes text, words stay as they are (`no` is Norwegian).

    Raises:
        ConfigError: An argument is not an option, or names no key of the configuration.
    """
    known = {key.name: key for key in keys(kind)}
    overrides: dict[str, Any] = {}
    for name, words in _options(arguments):
        key = known.get(name)
        if key is None and not any(k.startswith(f"{name}.") for k in known):
            raise ConfigError(f"unknown option --{name}", advice=_neighbour(name, known))
        overrides[name] = _value(name, words, key)
    return overrides


def keys(kind: type[Config], prefix: str = "", defaults: Config | None = None) -> Iterator[Key]:
    """All leaves of a configuration class, its own before inherited ones; of a union, the leaves of every arm.

    Args:
        kind: The configuration class.
        prefix: Stands before every name.
        defaults: An instance whose values are the defaults, rather than those of the class.
    """
    inherited = {name for base in kind.__bases__ for name in getattr(base, "model_fields", ())}
    for name, field in sorted(kind.model_fields.items(), key=lambda item: item[0] in inherited):
        default = getattr(defaults, name) if defaults else field.get_default(call_default_factory=True)
        arms = _inner_configs(field.annotation)
        if arms:
            yield from _union_keys(arms, f"{prefix}{name}.", default)
            continue
        yield Key(
            name=f"{prefix}{name}",
            type_name=_type_name(field.annotation),
            default="required" if field.is_required() and defaults is None else _show(default),
            description=field.description or "",
            is_list=_mentions(field.annotation, tuple, list),
            is_text=_mentions(field.annotation, str),
        )


def _union_keys(arms: Sequence[type[Config]], prefix: str, default: object) -> Iterator[Key]:
    """The leaves of all arms, the default's first; one that several arms have shows the types of all."""
    merged: dict[str, Key] = {}
    for arm in sorted(arms, key=lambda arm: not isinstance(default, arm)):
        for key in keys(arm, prefix, default if isinstance(default, arm) else None):
            known = merged.setdefault(key.name, key)
            types_of_both = dict.fromkeys([*known.type_name.split(" | "), *key.type_name.split(" | ")])
            merged[key.name] = replace(known, type_name=" | ".join(types_of_both))
    yield from merged.values()


def to_yaml(config: Config) -> str:
    """The resolved configuration, as YAML that `load` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, but a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See `yaml.SafeLoader`."""
        names = [key.value for key, _ in node.value]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _read_yaml(path: str) -> dict[str, Any]:
    try:
        values = yaml.load(storage.read_text(path), _Loader)  # noqa: S506 (a SafeLoader)
    except StorageError as error:
        raise ConfigError(f"the configuration cannot be read: {error}") from None
    except yaml.YAMLError as error:
        found = " ".join(str(error).split())
        raise ConfigError("the configuration is not valid YAML", where=path, found=found) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError("wrong kind of configuration", where=path, found=type(values).__name__, expected="a mapping")
    return {key: _fill_variables(value, path) for key, value in values.items()}


def _fill_variables(value: Any, path: str) -> Any:
    """Replace environment variables in every text of the file."""
    if isinstance(value, dict):
        return {key: _fill_variables(inner, path) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill_variables(inner, path) for inner in value]
    return _VARIABLE.sub(lambda match: _variable(match, path), value) if isinstance(value, str) else value


def _variable(match: re.Match[str], path: str) -> str:
    name, default = match.groups()
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigError(f"the environment variable {name} is not set", where=path, advice=f"export {name}=...")
    return value


def _set(values: dict[str, Any], path: list[str], value: object, name: str) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--{name} reaches into {part!r}, which is a plain value")
    values[path[-1]] = value


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
    is_text = key is not None and key.is_text
    if key is not None and key.is_list and (len(words) != 1 or not words[0].lstrip().startswith("[")):
        return [word if is_text else _scalar(name, word) for word in words]
    if len(words) > 1:
        raise ConfigError(f"--{name} takes one value", found=" ".join(words))
    if not words:
        return True
    is_inline = key is not None and key.is_list
    return words[0] if is_text and not is_inline and words[0] != "null" else _scalar(name, words[0])


def _scalar(name: str, word: str) -> object:
    try:
        return yaml.safe_load(word)
    except yaml.YAMLError:
        raise ConfigError(f"--{name} is not readable as YAML", found=word, advice="Put it in quotes.") from None


def _inner_configs(annotation: object) -> list[type[Config]]:
    """The configuration classes an annotation holds directly (not in a list)."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) in (typing.Union, typing.Annotated):
        return [found for arm in typing.get_args(annotation) for found in _inner_configs(arm)]
    return []


def _mentions(annotation: object, *kinds: type) -> bool:
    """Whether an annotation is one of these types, or holds one."""
    if annotation in kinds or typing.get_origin(annotation) in kinds:
        return True
    return any(_mentions(arm, *kinds) for arm in typing.get_args(annotation))


def _type_name(annotation: object) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(str(value) for value in typing.get_args(annotation))
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return " | ".join(_type_name(arm) for arm in typing.get_args(annotation))
    if typing.get_origin(annotation) in (list, tuple):
        inner = [arm for arm in typing.get_args(annotation) if arm is not Ellipsis]
        return f"list of {_type_name(inner[0])}" if inner else "list"
    if annotation is type(None):
        return "null"
    return getattr(annotation, "__name__", str(annotation))


def _show(default: object) -> str:
    return "null" if default is None else str(list(default) if isinstance(default, tuple) else default)


def _explain(kind: type[Config], error: pydantic.ValidationError, where: str | None) -> ConfigError:
    """The first complaint of pydantic in this project's words."""
    # A misspelt key is why another one is missing, so it is told first.
    first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return ConfigError(
            f"unknown key {name!r}", where=where, advice=_neighbour(name, _names_beside(kind, first["loc"]))
        )
    if first["type"] == "missing":
        return ConfigError(f"{name} is missing", where=where, advice=f"Set {name} in the YAML file or by --{name}.")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "model_type":
        message = "keys of its own are needed here, not a plain value"
    return ConfigError(
        f"{name}: {message}" if name else message, where=where, found=repr(first["input"]) if name else None
    )


def _names_beside(kind: type[Config], location: Sequence[int | str]) -> dict[str, object]:
    """The valid dotted names at the level where an unknown key stands.

    A location names fields, positions in lists and, in unions, the tag of the arm.
    """
    prefix: list[str] = []
    arms = [kind]
    for part in map(str, location[:-1]):
        field = next((arm.model_fields[part] for arm in arms if part in arm.model_fields), None)
        tagged = [arm for arm in arms if _has_tag(arm, part)]
        prefix += [part] if field or not tagged else []
        arms = list(_configs_in(field.annotation)) if field else (tagged or arms)
    return {".".join([*prefix, name]): None for arm in arms for name in arm.model_fields}


def _has_tag(kind: type[Config], tag: str) -> bool:
    """Whether one of the fields is a Literal of just this tag: the discriminator of a union."""
    return any(
        typing.get_origin(field.annotation) is typing.Literal and typing.get_args(field.annotation) == (tag,)
        for field in kind.model_fields.values()
    )


def _configs_in(annotation: object) -> Iterator[type[Config]]:
    """Every configuration class an annotation mentions, in lists and mappings too."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for arm in typing.get_args(annotation):
        yield from _configs_in(arm)


def _neighbour(name: str, known: Mapping[str, object]) -> str:
    """The closest valid names, compared whole and by their last part."""
    tails: dict[str, str] = {known_name.rsplit(".", 1)[-1]: known_name for known_name in known}
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    close = close or [
        tails[tail] for tail in difflib.get_close_matches(name.rsplit(".", 1)[-1], list(tails), n=1, cutoff=0.6)
    ]
    return f"Did you mean {close[0]}?" if close else f"Valid keys: {', '.join(sorted(known))}."
