"""The sizes of two vocabularies in, a dataset's two sides of text out."""

from __future__ import annotations

from seq2seq_core.dataset.sides import Sides, sides_of


def text_sides(source: int, target: int | None = None) -> Sides:
    """One vocabulary for both where one is given."""
    vocabularies = {"source": source, "target": source if target is None else target}
    return sides_of({"source": "text", "target": "text"}, vocabularies)
