"""An output folder of a translation in; what came of it, file by file, and rows to look at, out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seq2seq_core import storage
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.ranges import InputFile, UnitSize
from seq2seq_core.errors import InputError
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.folder import flags_path, marker_path
from seq2seq_core.inference.manifest import Output, TranslatedInput, load_output
from seq2seq_core.looks import looks_of

_DETAIL = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d,.]*")
_MOST_FILES = 20
_MOST_UNITS = 1 << 30
_LONGEST = 1 << 12


class Reason(NamedTuple):
    """Why records failed, without what is special to each of them; how many, and one of them."""

    name: str
    records: int
    example: dict[str, Any]


class Flagged(NamedTuple):
    """A rule, how many records it flags, and some of them."""

    rule: str
    records: int
    examples: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Translation:
    """What came of a translation.

    Attributes:
        output: Its manifest.
        failures: The reasons, the most frequent first.
        flagged: The rules, the busiest first.
        lengths: How many outputs of a sample have 0, 1, 2 ... characters.
        finished: Seconds since the first unit was finished, and the records that were finished by then.
    """

    output: Output
    failures: tuple[Reason, ...]
    flagged: tuple[Flagged, ...]
    lengths: tuple[int, ...]
    finished: tuple[tuple[float, int], ...]

    @property
    def files(self) -> tuple[TranslatedInput, ...]:
        """The inputs that most of all need a look: with the largest share of failed and doubtful records."""
        return tuple(sorted(self.output.inputs, key=lambda entry: (-_doubtful(entry), entry.url)))


def look_at_output(root: str, examples: int) -> Translation:
    """Read what a translation has left.

    Args:
        root: The output folder.
        examples: So many records of each rule that flags some.

    Raises:
        DatasetError: There is no finished translation.
    """
    output = load_output(root)
    return Translation(
        output=output,
        failures=tuple(_failures(root, output.units)),
        flagged=tuple(_flagged(root, output.units, examples)),
        lengths=_lengths(root, output),
        finished=tuple(_finished(root, output.units)),
    )


def _doubtful(entry: TranslatedInput) -> float:
    return (entry.failed + entry.flagged + entry.cut + entry.looping) / max(1, entry.records)


def _failures(root: str, units: Sequence[UnitEntry]) -> Iterator[Reason]:
    counts, first = Counter[str](), dict[str, dict[str, Any]]()
    for unit in units:
        for row in _rows(root, unit.failures) if unit.failures else ():
            name = _DETAIL.sub("\u2026", row["reason"])
            counts[name] += 1
            first.setdefault(name, row)
    return (Reason(name, count, first[name]) for name, count in counts.most_common())


def _flagged(root: str, units: Sequence[UnitEntry], examples: int) -> Iterator[Flagged]:
    counts, shown = Counter[str](), dict[str, list[dict[str, Any]]]()
    for unit in units:
        for row in _rows(root, flags_path(unit.path)) if unit.flagged else ():
            for rule in row["reason"].split(", "):
                counts[rule] += 1
                if counts[rule] <= examples:
                    shown.setdefault(rule, []).append(row)
    return (Flagged(rule, count, tuple(shown.get(rule, ()))) for rule, count in counts.most_common())


def _rows(root: str, path: str) -> list[dict[str, Any]]:
    data = storage.read_if_there(storage.join(root, path)) or b""
    return [json.loads(line) for line in data.splitlines()]


def _lengths(root: str, output: Output) -> tuple[int, ...]:
    """Of the outputs of files that are evenly spread over all."""
    pairs = [(entry, unit) for entry in output.inputs for unit in entry.outputs]
    places = np.linspace(0, len(pairs) - 1, min(_MOST_FILES, len(pairs))).round().astype(int).tolist()
    counts = np.zeros(_LONGEST + 1, np.int64)
    for place in places:
        entry, unit = pairs[place]
        for text in _texts(root, entry, unit, str(output.configuration.get("output_field", "translation"))):
            counts[min(len(text), _LONGEST)] += bool(text)
    return tuple(counts.tolist())


def _texts(root: str, entry: TranslatedInput, unit: UnitEntry, field: str) -> list[str]:
    file = InputFile(storage.join(root, unit.path), unit.path, "", entry.format)
    fields = Fields(field, f"{field} of this page")
    try:
        counted = format_of(file).count(file, UnitSize(_MOST_UNITS, _MOST_UNITS), fields)
        parts = [format_of(file).read(file, part, fields) for part in counted.ranges]
    except InputError:  # no record has an answer
        return []
    return [text for part in parts for text in part.texts if text is not None]


def _finished(root: str, units: Sequence[UnitEntry]) -> Iterator[tuple[float, int]]:
    """When units were finished, by their markers, where the store tells when these were written."""
    looks = looks_of([storage.join(root, marker_path(unit.path)) for unit in units])
    told = [(looks.get(storage.join(root, marker_path(unit.path))), unit.records) for unit in units]
    written = sorted((look.written, records) for look, records in told if look and look.written is not None)
    total = 0
    for when, records in written:
        total += records
        yield when - written[0][0], total
