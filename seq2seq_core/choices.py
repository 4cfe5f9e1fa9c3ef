"""A table of configurations in, a field that takes any of them out: the value of one key says which one is meant.

    ENGINES: dict[str, type[EngineConfig]] = by_name("kind", TorchEngineConfig, EchoEngineConfig)
    AnyEngine = Annotated[EngineConfig, OneOf(ENGINES, "kind", "torch")]

The table is looked at whenever a value is read: an entry that is added later is known to every field.
"""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import pydantic
from pydantic import Discriminator, GetCoreSchemaHandler, Tag
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T", bound=pydantic.BaseModel)


def by_name(key: str, *kinds: type[T]) -> dict[str, type[T]]:
    """The table of these configurations, each by the one value that its key has."""
    return {str(kind.model_fields[key].default): kind for kind in kinds}


@dataclass(frozen=True, eq=False)
class OneOf(Generic[T]):
    """Marks a field that takes any configuration of a table.

    Attributes:
        table: The configurations, by what `key` says.
        key: The key that tells them apart.
        default: What it says where it is not given.
        by_name: Whether a name alone stands for the configuration of that name with its defaults, and keys without a
            name for the first that has them all.
    """

    table: Mapping[str, type[T]]
    key: str
    default: str
    by_name: bool = False

    def read(self, values: object, *, strict: bool = False) -> T:
        """Plain values into the configuration they mean; one of the table stays as it is.

        Raises:
            pydantic.ValidationError: The table has no such configuration, or a key or value is none of it.
        """
        if self.by_name and isinstance(values, str):
            values = {self.key: values}
        if not isinstance(values, (Mapping, *self.table.values())):
            raise _refused(PydanticCustomError("model_type", "keys of its own are needed here"), values)
        name = self._name(values)
        if not isinstance(name, str) or name not in self.table:
            raise _refused(self._unknown(name), name, self.key)
        found: T = _reader(tuple(self.table.items()), self._name).validate_python(values, strict=strict)
        return found

    def _name(self, values: object) -> Any:
        if not isinstance(values, Mapping):
            return getattr(values, self.key)
        return values[self.key] if self.key in values else self._fitting(values)

    def _fitting(self, values: Mapping[str, Any]) -> str:
        """The name where none is given."""
        names = (self.default, *self.table) if self.by_name else ()
        fitting = (name for name in names if values.keys() <= self.table[name].model_fields.keys())
        return next(fitting, self.default)

    def _unknown(self, name: object) -> PydanticCustomError:
        close = difflib.get_close_matches(str(name), self.table, n=1)
        advice = {"advice": f"Did you mean {close[0]}?"} if close else {}
        *others, last = map(repr, self.table)
        known = f"{', '.join(others)} or {last}"
        return PydanticCustomError(
            "unknown_choice", "there is none of this name, only {known}", {"known": known, **advice}
        )

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """See pydantic: how values of the field are read."""
        del source, handler
        return core_schema.no_info_plain_validator_function(self.read)


def of(field: FieldInfo) -> OneOf[Any] | None:
    """The choice that a field of a configuration is, if it is one."""
    return next((mark for mark in field.metadata if isinstance(mark, OneOf)), None)


def _refused(error: PydanticCustomError, values: object, *location: str) -> pydantic.ValidationError:
    return pydantic.ValidationError.from_exception_data("choice", [{"type": error, "loc": location, "input": values}])


@functools.lru_cache(maxsize=16)
def _reader(entries: tuple[tuple[str, type[pydantic.BaseModel]], ...], name: Any) -> pydantic.TypeAdapter[Any]:
    """Reads the configurations of a table; in its errors the name of one stands before the keys."""
    arms: list[Any] = [Annotated[kind, Tag(tag)] for tag, kind in entries]
    union: Any = Annotated[functools.reduce(operator.or_, arms), Discriminator(name)]
    return pydantic.TypeAdapter(union)
