"""Every slot a template may name, by name: a function that draws a value."""

from __future__ import annotations

from pipelines.demo import amounts, moments, names
from pipelines.demo.phrase import Slot

SLOTS: dict[str, Slot] = amounts.SLOTS | moments.SLOTS | names.SLOTS
