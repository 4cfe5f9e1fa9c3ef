"""The name of a nested field in, the steps to it out, and the values it reaches in a column of any nesting.

Dots reach into objects (`translation.en`), a number picks from a list, counted from 0 (`summaries.0`), and a star at
the end joins a list of texts with single spaces (`sentences.*`).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

ALL = "*"


def steps_of(field: str) -> tuple[str, ...]:
    """The steps from a record to a value."""
    return tuple(field.split("."))


def picks_from_list(step: str) -> bool:
    """Whether a step goes into a list, rather than an object."""
    return step == ALL or (step.isascii() and step.isdigit())


def overlap(first: str, second: str) -> bool:
    """Whether one of two fields is the other, or holds it."""
    return f"{first}.".startswith(f"{second}.") or f"{second}.".startswith(f"{first}.")


def descend(value: object, steps: tuple[str, ...]) -> object:
    """What the steps reach in plain values; None where there is nothing."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step == ALL:
            odd = [item for item in value if not isinstance(item, str)]
            value = odd[0] if odd else " ".join(value)
        elif isinstance(value, list) and picks_from_list(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def reach(column: pa.Array, steps: tuple[str, ...]) -> pa.Array:
    """What the steps reach in every row; null where there is nothing.

    Args:
        column: Structs and lists as the steps have it; a list of strings or bytes before a star.
        steps: Those below the column.
    """
    for step in steps:
        if pa.types.is_struct(column.type):
            column = pc.struct_field(column, step)
        elif step == ALL:
            column = pc.binary_join(column, pa.scalar(" ", column.type.value_type))
        else:
            column = _element(column, int(step))
    return column


def _element(column: pa.Array, position: int) -> pa.Array:
    """The element of each list; null where the list is too short."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    starts = column.offsets.to_numpy()[: len(column)]
    return column.values.take(pa.array(starts + position, mask=lengths <= position))
