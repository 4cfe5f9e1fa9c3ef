"""YAML files and command-line overrides in, one frozen and validated configuration out."""

from __future__ import annotations

import functools
import inspect
import itertools
import types
import typing
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self, TypeVar

import pydantic
from pydantic.fields import FieldInfo

from seq2seq_core import choices, storage, strict, yaml_values
from seq2seq_core.errors import ConfigError, StorageError
from seq2seq_core.options import Key, neighbour, read_options

Location = Annotated[str, pydantic.AfterValidator(strict.check_location)]
"""The type of every field that holds a path or URL."""

_TOLD_FIRST = ("extra_forbidden", "value_error")
_ADVICE = {
    strict.BOOLEAN: "YAML reads no, yes, on, off as true and false.",
    strict.BOOLEAN_FOR_TEXT: "YAML reads no, yes, on, off as true and false: put it in quotes.",
    strict.NOT_UTF8: "Write it as UTF-8; a file that is named so must be renamed.",
}


class Config(pydantic.BaseModel):
    """The base of every configuration: frozen, and strict about keys and values.

    Booleans are no numbers and no text. Numbers are finite, integers have at most 64 bits, text is UTF-8. What stands
    in quotes, or comes from an environment variable, is text, and may stand for a number.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _given_as_meant(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            _check_fields(cls, values)
        return values

    @pydantic.model_validator(mode="after")
    def _come_out_as_meant(self) -> Self:
        """Text that stands for a number is one by now."""
        _check_fields(type(self), self.__dict__)
        return self


class Grown(Config):
    """A configuration some of whose keys are younger than what was written of it: they are told where they are set.

    So what does not use them keeps its bytes and its name, and what was begun before there were any goes on.
    """

    younger: ClassVar[frozenset[str]] = frozenset()

    @pydantic.model_serializer(mode="wrap")
    def _as_before(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = dump(self)
        usual = {
            name: field.get_default(call_default_factory=True)
            for name, field in type(self).model_fields.items()
            if name in self.younger
        }
        return {
            name: value for name, value in values.items() if name not in usual or getattr(self, name) != usual[name]
        }


C = TypeVar("C", bound=Config)


def load(kind: type[C], path: str | None, overrides: Mapping[str, Any] | None = None) -> C:
    """Read a configuration.

    Args:
        kind: The configuration class.
        path: URL of a YAML file, or None for defaults alone. `${NAME}` and `${NAME:-default}` in its texts stand for
            environment variables, `$${` for `${`.
        overrides: Dotted names and their values; they win over the file.

    Raises:
        ConfigError: The file is missing or not YAML, a key is unknown, a value does not fit.
    """
    values = {} if path is None else _read_yaml(path)
    for name, value in sorted((overrides or {}).items(), key=lambda item: _place(item[0])):
        _set(kind, values, name.split("."), value, name)
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
    key takes text, words stay as they are (`no` is Norwegian). A key that takes true and false needs no value.

    Raises:
        ConfigError: An argument is not an option, names no key of the configuration, or lacks its value; an option
            stands twice, or beside one that sets a part of it.
    """
    return read_options(arguments, {key.name: key for key in keys(kind)})


def keys(kind: type[Config], prefix: str = "", defaults: Config | None = None) -> Iterator[Key]:
    """All leaves of a configuration class, its own before inherited ones; of a union, the leaves of every arm.

    Args:
        kind: The configuration class.
        prefix: Stands before every name.
        defaults: An instance whose values are the defaults, rather than those of the class.
    """
    own = inspect.get_annotations(kind)
    for name, field in sorted(kind.model_fields.items(), key=lambda item: item[0] not in own):
        default = getattr(defaults, name) if defaults else field.get_default(call_default_factory=True)
        arms, choice = _arms(field), choices.of(field)
        if arms and not (choice and choice.by_name):
            yield from _union_keys(arms, f"{prefix}{name}.", default, choice.key if choice else None)
            continue
        if choice and arms:
            yield _name_key(choice, f"{prefix}{name}", field, default)
            yield from _union_keys(arms, f"{prefix}{name}.", default, None)
            continue
        yield Key(
            name=f"{prefix}{name}",
            type_name=_type_name(field.annotation),
            default="required" if field.is_required() and defaults is None else _show(default),
            description=field.description or "",
            is_list=strict.mentions(field.annotation, tuple, list),
            is_text=strict.mentions(field.annotation, str),
            is_switch=strict.takes_booleans(field.annotation),
            inside={key.name: key for kind in _items(field.annotation) for key in keys(kind)},
        )


def _name_key(choice: choices.OneOf[Any], name: str, field: FieldInfo, default: object) -> Key:
    """The key that takes the name of a configuration, beside those of its settings."""
    return Key(
        name=name,
        type_name=" | ".join(choice.table),
        default=str(getattr(default, choice.key, choice.default)),
        description=field.description or "",
        is_list=False,
        is_text=False,
        is_switch=False,
        has_keys=True,
    )


def _union_keys(arms: Sequence[type[Config]], prefix: str, default: object, tells_apart: str | None) -> Iterator[Key]:
    """The leaves of all arms, the default's first; one that several arms have shows the types of all, and the one that
    tells them apart what each of them is.
    """
    merged: dict[str, Key] = {}
    for arm in sorted(arms, key=lambda arm: not isinstance(default, arm)):
        for key in keys(arm, prefix, default if isinstance(default, arm) else None):
            known = merged.setdefault(key.name, key)
            types_of_both = dict.fromkeys([*known.type_name.split(" | "), *key.type_name.split(" | ")])
            both = [known.description, key.description] if key.name == f"{prefix}{tells_apart}" else [known.description]
            merged[key.name] = replace(
                known, type_name=" | ".join(types_of_both), description="; ".join(dict.fromkeys(both))
            )
    yield from merged.values()


def redacted(config: Config, without: Set[str]) -> dict[str, Any]:
    """The configuration as JSON values fit for a manifest: no password, and not the keys that change no result.

    So the same work gives the same manifest anywhere.
    """
    values: dict[str, Any] = _redacted(config.model_dump(mode="json", exclude=set(without)))
    return values


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return storage.redact(value) if isinstance(value, str) else value


def to_yaml(config: Config) -> str:
    """The resolved configuration, as YAML that `load` reads back."""
    return yaml_values.write(config.model_dump(mode="json"))


def _read_yaml(path: str) -> dict[str, Any]:
    try:
        with storage.open_input(strict.check_location(path)) as file:  # it may be a pipe, as the shell's <(...)
            data = file.read()
    except ValueError as error:
        raise ConfigError(f"the configuration cannot be read: {error}", where="--config") from None
    except StorageError as error:
        raise ConfigError(f"the configuration cannot be read: {error}") from None
    values = yaml_values.read(data, path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError("wrong kind of configuration", where=path, found=type(values).__name__, expected="a mapping")
    return {key: yaml_values.fill_variables(value, path) for key, value in values.items()}


def _set(kind: type[Config], values: dict[str, Any], path: list[str], value: object, name: str) -> None:
    if path[0] in kind.model_fields and len(path) > 1:
        _write_out(kind.model_fields[path[0]], values, path[0])
    inner: Any = values
    for part, following in itertools.pairwise(path):
        if isinstance(inner, list):
            inner = _in_list(inner, int(part), name)
        else:
            inner = inner.setdefault(part, [] if following.isdecimal() else {})
        if not isinstance(inner, list if following.isdecimal() else dict):
            raise ConfigError(f"--{name} reaches into {part!r}, which is a plain value")
    inner[path[-1]] = value


def _in_list(values: list[Any], position: int, name: str) -> Any:
    """What stands at a place of a list, or is to stand behind its end."""
    if position > len(values):
        raise ConfigError(f"--{name} leaves a gap", found=f"{len(values)} before it", expected="places counted from 0")
    if position == len(values):
        values.append({})
    return values[position]


def _place(name: str) -> tuple[int, list[int]]:
    """Whole before parts, and lists from their front to their end."""
    return name.count("."), [int(part) for part in name.split(".") if part.isdecimal()]


def _write_out(field: FieldInfo, values: dict[str, Any], name: str) -> None:
    """Where a name alone stands for a configuration, make room for settings beside it."""
    choice = choices.of(field)
    if choice is not None and choice.by_name and isinstance(values.get(name), str):
        values[name] = {choice.key: values[name]}


def _check_fields(kind: type[Config], values: Mapping[str, Any]) -> None:
    for name, takes in _plain_fields(kind).items():
        if name in values:
            strict.check(values[name], takes, name)


@functools.cache
def _plain_fields(kind: type[Config]) -> dict[str, strict.Takes]:
    """What the fields of plain values take; those with configurations look after themselves."""
    annotations = {name: field.annotation for name, field in kind.model_fields.items()}
    return {name: strict.takes(type_) for name, type_ in annotations.items() if not any(_configs_in(type_))}


def _arms(field: FieldInfo) -> list[type[Config]]:
    """The configuration classes that a field holds directly (not in a list)."""
    choice = choices.of(field)
    return [*choice.table.values()] if choice else _inner_configs(field.annotation)


def _inner_configs(annotation: object) -> list[type[Config]]:
    """The configuration classes an annotation holds directly (not in a list)."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) in (typing.Union, typing.Annotated):
        return [found for arm in typing.get_args(annotation) for found in _inner_configs(arm)]
    return []


def _items(annotation: object) -> list[type[Config]]:
    """The configuration class that a list is made of, where that is one."""
    if typing.get_origin(annotation) not in (tuple, list):
        return []
    return [kind for kind in typing.get_args(annotation) if isinstance(kind, type) and issubclass(kind, Config)]


def _type_name(annotation: object) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(str(value) for value in typing.get_args(annotation))
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return " | ".join(_type_name(arm) for arm in typing.get_args(annotation))
    if typing.get_origin(annotation) is Annotated:
        return _type_name(typing.get_args(annotation)[0])
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
    # A misspelt key is why another one is missing, so it is told first. In a union, the arm that says why knows most.
    order = {kind: place for place, kind in enumerate(_TOLD_FIRST)}
    first = min(error.errors(include_url=False), key=lambda found: order.get(found["type"], len(order)))
    context = first.get("ctx", {})
    name = ".".join([*_dotted(kind, first["loc"]), *map(str, context.get("field", ()))])
    if first["type"] == "extra_forbidden":
        return ConfigError(
            f"unknown key {name!r}", where=where, advice=neighbour(name, _names_beside(kind, first["loc"]))
        )
    if first["type"] == "missing":
        return ConfigError(f"{name} is missing", where=where, advice=f"Set {name} in the YAML file or by --{name}.")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "model_type":
        message = "keys of its own are needed here, not a plain value"
    found = context.get("found") or strict.written(first["input"])
    advice = context.get("advice") or _ADVICE.get(first["type"])
    if first["type"] == "string_type" and isinstance(first["input"], int | float):
        advice = "Put it in quotes."
    return ConfigError(
        f"{name}: {message}" if name else message, where=where, found=found if name else None, advice=advice
    )


def _dotted(kind: type[Config], location: Sequence[int | str]) -> list[str]:
    """The parts of a location that the user knows: without pydantic's names for the arms of unions."""
    parts: list[str] = []
    arms = [kind]
    for part in location:
        field = next((arm.model_fields[str(part)] for arm in arms if str(part) in arm.model_fields), None)
        if field is not None:
            arms = _arms(field) or list(_configs_in(field.annotation))
        elif isinstance(part, str) and (not arms or any(_has_tag(arm, part) for arm in arms)):
            continue
        parts.append(str(part))
    return parts


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
        arms = (_arms(field) or list(_configs_in(field.annotation))) if field else (tagged or arms)
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
