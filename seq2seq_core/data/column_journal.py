"""A file of notes in; the sections that stand in flat files, and how to note more of them, out.

A line holds a section and its own digest. Lines are only ever added: of several about one shard the last counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core import storage
from seq2seq_core.data.column_layout import Key, Section


@dataclass(frozen=True)
class Noted:
    """What the notes say.

    Attributes:
        sections: The sections that were ever written, damaged ones (without digests) too.
        is_whole: Whether every line can be read.
    """

    sections: dict[Key, Section]
    is_whole: bool

    @property
    def sound(self) -> dict[Key, Section]:
        """The sections that were not found damaged."""
        return {key: section for key, section in self.sections.items() if section.digests}


def read_notes(path: Path) -> Noted:
    """All that can be read of a file of notes; nothing where there is none."""
    lines: list[bytes] = []
    with contextlib.suppress(FileNotFoundError):
        lines = [line for line in path.read_bytes().split(b"\n") if line]
    sections = list(_readable(lines))
    return Noted({section.key: section for section in sections}, is_whole=len(sections) == len(lines))


def add_note(path: Path, section: Section) -> None:
    """Note a section; a line that a killed process left unfinished before it is no part of it."""
    text = json.dumps(dataclasses.asdict(section))
    with path.open("a") as out:
        out.write(f"\n{storage.digest_bytes(text.encode())} {text}\n")


def _readable(lines: list[bytes]) -> Iterator[Section]:
    for line in lines:
        digest, _, text = line.partition(b" ")
        if storage.digest_bytes(text) == digest.decode(errors="replace"):
            values: dict[str, Any] = json.loads(text)
            yield Section(**{name: _frozen(value) for name, value in values.items()})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
