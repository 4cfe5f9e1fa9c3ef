"""The name of a nested field in, the steps to it out, and the values it reaches in records and columns of any nesting.

Dots reach into objects (`translation.en`), a number picks from a list, counted from 0 (`summaries.0`), and a star at
the end joins a list of texts with single spaces (`sentences.*`). A dot may also be part of a name: where a record has
a key of the whole name, or of more of it, that wins, at every level. This is the one meaning of a name, in every format
that is prepared or translated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

ALL = "*"
_MOST_DIGITS = 9
_BEYOND = 10**_MOST_DIGITS


class Missing:
    """What a name reaches where there is nothing: not even a null."""


MISSING = Missing()


def parts_of(field: str) -> tuple[str, ...]:
    """The parts of a name between its dots; neighbours may belong together."""
    return tuple(field.split("."))


def dotted_keys(parts: tuple[str, ...]) -> Iterator[str]:
    """All keys with dots that a name may hold."""
    for begin in range(len(parts)):
        for end in range(begin + 2, len(parts) + 1):
            yield ".".join(parts[begin:end])


def longest_steps(parts: tuple[str, ...], present: Collection[str]) -> tuple[str, ...]:
    """The steps a name stands for where these keys with dots are known: the longest that are, one after the other."""
    if not parts:
        return ()
    lengths = (n for n in range(len(parts), 0, -1) if n == 1 or ".".join(parts[:n]) in present)
    length = next(lengths)
    return (".".join(parts[:length]), *longest_steps(parts[length:], present))


def picks_from_list(step: str) -> bool:
    """Whether a step goes into a list, rather than an object."""
    return step == ALL or (step.isascii() and step.isdigit())


def position_of(step: str) -> int:
    """The number of a step that picks from a list; of one beyond any list, some other that is, too."""
    digits = step.lstrip("0")
    return int(digits or "0") if len(digits) <= _MOST_DIGITS else _BEYOND


def overlap(first: str, second: str) -> bool:
    """Whether one of two fields is the other, or holds it; the number of an element may be written with zeros."""
    one, other = (".".join(map(_plain, parts_of(field))) + "." for field in (first, second))
    return one.startswith(other) or other.startswith(one)


def lookup(value: object, parts: tuple[str, ...]) -> object:
    """What a name reaches in plain values; MISSING where there is nothing."""
    if not parts:
        return value
    if isinstance(value, dict):
        for length in range(len(parts), 0, -1):
            key = ".".join(parts[:length])
            if key in value:
                found = lookup(value[key], parts[length:])
                if found is not MISSING:
                    return found
        return MISSING
    if isinstance(value, list) and parts == (ALL,):
        odd = [item for item in value if not isinstance(item, str)]
        return odd[0] if odd else " ".join(value)
    if isinstance(value, list) and picks_from_list(parts[0]) and parts[0] != ALL:
        position = position_of(parts[0])
        return lookup(value[position], parts[1:]) if position < len(value) else MISSING
    return MISSING


def resolve(kind: pa.DataType, parts: tuple[str, ...]) -> tuple[tuple[str, ...], pa.DataType] | None:
    """The steps that a name stands for in values of a type, and the type they lead to; None where they lead nowhere.

    A name that stands twice in a struct leads nowhere.
    """
    if not parts:
        return (), kind
    if pa.types.is_struct(kind):
        names = [kind.field(position).name for position in range(kind.num_fields)]
        for length in range(len(parts), 0, -1):
            key = ".".join(parts[:length])
            if names.count(key) == 1:
                found = resolve(kind.field(key).type, parts[length:])
                if found is not None:
                    return (key, *found[0]), found[1]
        return None
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not is_list or not picks_from_list(parts[0]) or (parts[0] == ALL and len(parts) > 1):
        return None
    found = resolve(kind.value_type, parts[1:])
    return None if found is None else ((parts[0], *found[0]), found[1])


def ambiguous_key(kind: pa.DataType, parts: tuple[str, ...]) -> str | None:
    """A key on the way of a name that stands more than once in its struct; None when all are unique."""
    if not parts or not pa.types.is_struct(kind):
        return None
    names = [kind.field(position).name for position in range(kind.num_fields)]
    for length in range(len(parts), 0, -1):
        key = ".".join(parts[:length])
        if names.count(key) > 1:
            return key
        below = ambiguous_key(kind.field(key).type, parts[length:]) if key in names else None
        if below is not None:
            return below
    return None


def reach(column: pa.Array, steps: tuple[str, ...]) -> pa.Array:
    """What the steps reach in every row; null where there is nothing.

    Args:
        column: Structs and lists as the steps have it; a list of strings or bytes before a star.
        steps: Those below the column.
    """
    for step in steps:
        if pa.types.is_struct(column.type):
            column = pc.struct_field(column, column.type.get_field_index(step))  # a name may look like a path
        elif step == ALL:
            column = pc.binary_join(column, pa.scalar(" ", column.type.value_type))
        else:
            column = _element(column, position_of(step))
    return column


def _plain(step: str) -> str:
    return (step.lstrip("0") or "0") if picks_from_list(step) and step != ALL else step


def _element(column: pa.Array, position: int) -> pa.Array:
    """The element of each list; null where the list is too short."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    starts = column.offsets.to_numpy()[: len(column)]
    return column.values.take(pa.array(starts + position, mask=lengths <= position))
