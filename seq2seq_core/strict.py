"""The type of a configuration's field and a value for it in; a complaint out where pydantic would believe too much.

In pydantic's lax mode true is 1, also for a field that takes a name or a number; an integer may have any size, and the
halves of surrogate pairs, which stand for bytes that are no UTF-8, pass for text. All of it would break later, or not
at all.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from typing import Any, Final, Literal, LiteralString, NamedTuple

from pydantic_core import PydanticCustomError

BOOLEAN: Final = "boolean"
BOOLEAN_FOR_TEXT: Final = "boolean_for_text"
NOT_UTF8: Final = "not_utf8"

_LONGEST_SHOWN = 200
_BITS = 64


class Takes(NamedTuple):
    """What a field may hold beside numbers."""

    booleans: bool
    text: bool


def takes(annotation: object) -> Takes:
    """What the type of a field says of it."""
    return Takes(takes_booleans(annotation), mentions(annotation, str, Literal))


def takes_booleans(annotation: object) -> bool:
    """Whether true or false is a value of this type; what `Any` holds is for others to look at."""
    arms = typing.get_args(annotation)
    if typing.get_origin(annotation) is Literal:
        return any(isinstance(arm, bool) for arm in arms)
    return annotation in (bool, Any) or any(map(takes_booleans, arms))


def mentions(annotation: object, *kinds: object) -> bool:
    """Whether a type is one of these types, or holds one."""
    if annotation in kinds or typing.get_origin(annotation) in kinds:
        return True
    return any(mentions(arm, *kinds) for arm in typing.get_args(annotation))


def check(value: object, field: Takes, *place: str | int) -> None:
    """Refuse, at any depth, booleans without a place, numbers without bounds and text that is no UTF-8.

    Args:
        value: What is given for a field, or what it has become.
        field: What the field may hold.
        place: The field's name.

    Raises:
        PydanticCustomError: Of the types above, or of pydantic's own; its context has the place within the model
            (`field`) and what stands there (`found`).
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            check(key, field, *place, key)
            check(inner, field, *place, key)
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            check(inner, field, *place, position)
    else:
        found = _complaint(value, field)
        if found is not None:
            raise PydanticCustomError(*found, {"field": place, "found": written(value)})


def check_location(path: str) -> str:
    """The path or URL itself; a ValueError for one that can name nothing."""
    if not path.strip():
        raise ValueError("an empty path (is a variable unset?)")
    if "\0" in path:
        raise ValueError("a path holds no NUL character")
    return path


def written(value: object) -> str:
    """A value as Python writes it, cut where it is long."""
    if isinstance(value, int) and value.bit_length() > _BITS * _LONGEST_SHOWN:
        return f"an integer of {value.bit_length():,} bits"  # Python refuses to write it
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _complaint(value: object, field: Takes) -> tuple[LiteralString, LiteralString] | None:
    """The type of an error and what it says; None for a value that may stand."""
    if isinstance(value, bool):
        kind = BOOLEAN_FOR_TEXT if field.text else BOOLEAN
        return None if field.booleans else (kind, "true and false have no place here")
    if isinstance(value, int) and value.bit_length() >= _BITS:
        return "too_large", "the number has more than 64 bits"
    if isinstance(value, float) and not math.isfinite(value):
        return "finite_number", "the number must be finite"
    if isinstance(value, str) and not _is_utf8(value):
        return NOT_UTF8, "the text is not UTF-8"
    return None


def _is_utf8(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False
