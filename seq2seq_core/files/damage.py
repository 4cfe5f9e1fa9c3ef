"""What went wrong in reading a file of columns in, an error that names the file and how far it was readable out."""

from __future__ import annotations

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.errors import InputError

FAILURES = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError)
"""What Arrow raises on damaged files."""


def check_names(schema: pa.Schema) -> None:
    """A UnicodeDecodeError when the name of a column, or of a field inside one, is not UTF-8."""
    for field in schema:
        _check_names_in(field)


def damaged(kind: str, url: str, error: Exception, place: str) -> InputError:
    """The error of a truncated or corrupt file.

    Args:
        kind: Of file.
        url: The file.
        error: One of `FAILURES`; it is raised as it is when it comes from the disk or the network.
        place: How far the file was readable.
    """
    if getattr(error, "errno", None) is not None:
        raise error
    if isinstance(error, NotImplementedError):
        problem, advice = f"the {kind} file holds something that cannot be read", "Write it with plainer types."
    else:
        problem, advice = f"the {kind} file is truncated or corrupt", "Fetch or write the file again."
    return InputError(
        problem,
        where=storage.redact(url),
        found=f"{' '.join(str(error).split()):.300}, {place}",
        advice=advice,
    )


def _check_names_in(field: pa.Field) -> None:
    field.name.encode()
    for position in range(field.type.num_fields):
        _check_names_in(field.type.field(position))
