"""Rows of words and numbers in, aligned plain text for a terminal out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Cell = str | int | float | None

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1000


def table(rows: Sequence[Sequence[Cell]], header: Sequence[str] = ()) -> list[str]:
    """Lines of two-space separated columns, numbers to the right; indented by two spaces. None without rows."""
    if not rows:
        return []
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*([list(header)] if header else []), *texts, strict=True)]
    numeric = [all(isinstance(cell, int | float | None) for cell in column) for column in zip(*rows, strict=True)]
    lines = [[name.rjust(w) if n else name.ljust(w) for name, w, n in zip(header, widths, numeric, strict=False)]]
    lines += [
        [text.rjust(w) if n else text.ljust(w) for text, w, n in zip(row, widths, numeric, strict=True)]
        for row in texts
    ]
    return [("  " + "  ".join(line)).rstrip() for line in (lines if header else lines[1:])]


def section(title: str, lines: Iterable[str]) -> list[str]:
    """The lines under a title; nothing where there are none."""
    body = list(lines)
    return ["", title, *body] if body else []


def size(count: int) -> str:
    """Bytes in a unit that leaves at most three digits before the point."""
    value = float(count)
    for unit in _UNITS:
        if value < _STEP or unit == _UNITS[-1]:
            return f"{count:,} {unit}" if unit == _UNITS[0] else f"{value:.1f} {unit}"
        value /= _STEP
    return ""


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:,.2f}" if isinstance(cell, float) else cell
