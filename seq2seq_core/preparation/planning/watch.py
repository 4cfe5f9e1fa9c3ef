"""The totals of a plan and the markers of its work folder in, how far a preparation is out: on any runner.

`make_plan` publishes the totals; whoever watches needs nothing but the output folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from seq2seq_core import storage
from seq2seq_core.corpora.terms.index import FileIndex
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.errors import DatasetError
from seq2seq_core.files.compression import text_bytes
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.layout import Name
from seq2seq_core.preparation.terms.markers import read_marker
from seq2seq_core.preparation.terms.messages import Plan, ShardReport, UnitReport
from seq2seq_core.progress import Progress

M = TypeVar("M", UnitReport, ShardReport)


class Totals(Message):
    """What a preparation has to do.

    Attributes:
        work: Name of its folder of unfinished work.
        rows: Rows of all inputs; None when some are compressed.
        weights: About how many bytes of text each unit has.
        shards: Number of shards.
    """

    work: str
    rows: int | None
    weights: tuple[int, ...]
    shards: int


def publish_totals(plan: Plan, files: Sequence[FileIndex]) -> None:
    """Write down the totals of a plan, and of the files that it reads, for who watches the progress."""
    by_url = {file.url: file for file in files}
    parts: Counter[tuple[str, ...]] = Counter()
    for unit in plan.units:
        parts[unit.parts[0].source.urls] += len(unit.parts)
    sizes = {urls: sum(text_bytes(url, by_url[url].bytes) for url in urls) / n for urls, n in parts.items()}
    lines = [by_url[urls[0]].lines for urls in parts]
    head = plan.head
    totals = Totals(
        work=storage.name_of(head.work),
        rows=None if None in lines else sum(count or 0 for count in lines),
        weights=tuple(max(1, int(sizes[unit.parts[0].source.urls] * len(unit.parts))) for unit in plan.units),
        shards=head.slots + len(head.given),
    )
    url = layout.note(head.output, layout.TOTALS.of(generation=head.generation))
    storage.publish_text(url, totals.model_dump_json())


def clear_totals(output: str) -> None:
    """Remove the totals of earlier runs, where there are any, so that a watch waits for the new ones."""
    for url in _totals_urls(output):
        storage.remove(url)


class PreparationWatch:
    """Looks at an output folder again and again; a marker that was seen is not read twice."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._totals: Totals | None = None
        self._units: dict[str, UnitReport] = {}
        self._shards: dict[str, ShardReport] = {}
        self._started: float | None = None
        self._begun: dict[str, tuple[float, int]] = {}

    def look(self, now: float) -> Progress | None:
        """See `progress.Watch`. The phases are reading, training the tokenizer, building shards, and the end."""
        self._started = now if self._started is None else self._started
        planned = _totals_urls(self._output)
        if not planned:
            return self._end(now) if self._totals else None
        if self._totals is None:
            self._totals = Totals.model_validate_json(storage.read_bytes(planned[-1]))
        work = layout.note(self._output, self._totals.work)
        self._read_markers(work)
        if len(self._units) < len(self._totals.weights):
            return self._reading(self._totals, now)
        if layout.TOKENIZERS_MARKER not in storage.list_folder(work):
            _, seconds = self._since("tokenizer", 0, now)
            return Progress("making the tokenizer", "", 0, 0, "rows", 0, 0, 0, seconds)
        return self._building(self._totals, now)

    def _read_markers(self, work: str) -> None:
        _read_new(layout.staged_folder(work), layout.UNIT_MARKER, UnitReport, self._units)
        _read_new(layout.shard_markers(work), layout.SHARD_MARKER, ShardReport, self._shards)

    def _reading(self, totals: Totals, now: float) -> Progress:
        done = sum(unit.read for unit in self._units.values())
        seen = sum(totals.weights[unit.index] for unit in self._units.values())
        estimated = done * sum(totals.weights) // seen if seen else 0
        total = estimated if totals.rows is None else totals.rows
        before, seconds = self._since("reading", done, now)
        parts = (len(self._units), len(totals.weights))
        return Progress("reading and cleaning", "units", *parts, "rows", done, max(done, total), before, seconds)

    def _building(self, totals: Totals, now: float) -> Progress:
        done = sum(shard.entry.rows + shard.duplicates for shard in self._shards.values())
        total = sum(unit.staged for unit in self._units.values())
        before, seconds = self._since("building", done, now)
        parts = (len(self._shards), totals.shards)
        return Progress("building shards", "shards", *parts, "rows", done, max(done, total), before, seconds)

    def _end(self, now: float) -> Progress | None:
        """The totals are gone: the manifest stands there, and says how many rows there were."""
        try:
            read = load_manifest(self._output).ledger.read
        except DatasetError:
            return None
        began = now if self._started is None else self._started
        return Progress("prepared", "", 0, 0, "rows", read, read, 0, now - began)

    def _since(self, phase: str, done: int, now: float) -> tuple[int, float]:
        began, before = self._begun.setdefault(phase, (now, done))
        return before, now - began


def _totals_urls(output: str) -> list[str]:
    """Of every generation that is being made, in their order."""
    names = storage.list_folder(layout.notes(output))
    return [layout.note(output, name) for name in names if layout.TOTALS.parse(name)]


def _read_new(folder: str, markers: Name, kind: type[M], known: dict[str, M]) -> None:
    """Read the markers of a folder that are not known yet."""
    for name in storage.list_folder(folder):
        if name not in known and markers.parse(name):
            report = read_marker(kind, storage.join(folder, name))
            if report is not None:
                known[name] = report
