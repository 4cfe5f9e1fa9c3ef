"""A finished unit in, committed files out: the output, its failures, and last the marker that makes them count."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

import pydantic

from seq2seq_core import storage
from seq2seq_core.documents.content import RecordFailure, excerpt
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.outputs.table import rendered
from seq2seq_core.errors import InputError
from seq2seq_core.inference.folder import failures_path, flags_path, marker_path
from seq2seq_core.inference.retrying import forget, keep
from seq2seq_core.inference.unit import UnitTranslation

OnError = Literal["keep", "fail"]


class Committable(Protocol):
    """What is made and committed as a whole: a range of documents, some audio, a transcript."""

    @property
    def path(self) -> str:
        """Its output, relative to the output folder."""

    @property
    def fingerprint(self) -> str:
        """Names the content of the input, the model, and all options that shape the output."""

    @property
    def first_record(self) -> int:
        """Its first record in the input, from 0."""

    @property
    def records(self) -> int:
        """How many records it has."""

    def ledger_row(self, failure: RecordFailure) -> dict[str, Any]:
        """What the ledger says of a record that failed."""


class UnitEntry(pydantic.BaseModel):
    """A finished unit, as its marker and the manifest keep it.

    Attributes:
        path: The output, relative to the output folder.
        first_record: Its first record in the input, from 0.
        records: Records read and written.
        failed: Those of them that were not translated.
        cut: Those whose output ended at the length limit, rather than by itself.
        looping: Those whose output says the same over and over, as the source does not.
        digest: xxh3-128 of the output's bytes.
        failures: The ledger of the failed records, relative to the output folder; None without any.
        failures_digest: xxh3-128 of its bytes.
        flagged: Records that a rule finds doubtful; they stand in a file below `flagged/`.
        flags_digest: xxh3-128 of its bytes.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    path: str
    fingerprint: str
    first_record: int
    records: int
    failed: int
    bytes: int
    digest: str
    failures: str | None
    cut: int = 0
    looping: int = 0
    failures_digest: str | None = None
    flagged: int = 0
    flags_digest: str | None = None


def find_finished(root: str, unit: Committable, *, without_failures: bool = False) -> UnitEntry | None:
    """The entry of a unit whose output is committed with this fingerprint and still there; None for any other.

    Args:
        root: The output folder.
        unit: The unit.
        without_failures: Whether one in which records failed is not finished.
    """
    entry = read_marker(storage.join(root, marker_path(unit.path)))
    if entry is None or entry.fingerprint != unit.fingerprint or not _is_there(root, entry):
        return None
    return None if without_failures and entry.failed else entry


def still_stands(root: str, entry: UnitEntry) -> bool:
    """Whether a finished unit is what its marker says, and its files are there."""
    marker = storage.join(root, marker_path(entry.path))
    return read_marker(marker) == entry and _is_there(root, entry)


def _is_there(root: str, entry: UnitEntry) -> bool:
    output = storage.join(root, entry.path)
    if not storage.exists(output) or storage.size(output) != entry.bytes:
        return False
    return entry.failures is None or storage.exists(storage.join(root, entry.failures))


def commit_unit(translated: UnitTranslation, root: str, fields: Fields, on_error: OnError) -> UnitEntry:
    """Write a unit's output and make it count.

    Raises:
        InputError: A record failed, and `on_error` says that this ends the run.
    """
    unit = translated.unit
    if translated.failures and on_error == "fail":
        first = translated.failures[0]
        record = unit.part.first + first.record
        place = f"line {record + 1:,}" if format_of(unit.file).has_lines else f"record {record:,}, from 0"
        raise InputError(
            f"a record cannot be translated: {first.reason}",
            where=f"{unit.file.where}, {place}",
            found=repr(first.excerpt),
            advice="Repair it, or keep its place and go on (--on_error keep).",
        )
    data = rendered(unit.file, unit.part, translated.content, translated.predictions, fields)
    outputs = [prediction for prediction in translated.predictions if prediction is not None]
    if translated.failures:
        keep(root, unit.path, unit.fingerprint, translated.predictions)
    flags = _flag_rows(translated)
    entry = commit(
        root,
        unit,
        data,
        translated.failures,
        cut=sum(output.cut for output in outputs),
        looping=sum(output.looping for output in outputs),
        flags=flags,
    )
    if not translated.failures:
        forget(root, unit.path)
    return entry


def commit(
    root: str,
    unit: Committable,
    data: bytes,
    failures: Sequence[RecordFailure],
    *,
    cut: int = 0,
    looping: int = 0,
    flags: Sequence[dict[str, Any]] = (),
) -> UnitEntry:
    """Publish a unit. Killed at any moment, it is finished or to be done again; done twice, it is the same."""
    marker = storage.join(root, marker_path(unit.path))
    lines, doubts = ledger_lines(unit, failures), _lines(flags)
    entry = UnitEntry(
        path=unit.path,
        fingerprint=unit.fingerprint,
        first_record=unit.first_record,
        records=unit.records,
        failed=len(failures),
        bytes=len(data),
        digest=storage.digest_bytes(data),
        failures=failures_path(unit.path) if failures else None,
        cut=cut,
        looping=looping,
        flagged=len(flags),
        failures_digest=storage.digest_bytes(lines) if failures else None,
        flags_digest=storage.digest_bytes(doubts) if flags else None,
    )
    earlier = read_marker(marker)
    # An earlier marker must not stand beside an output it does not describe.
    if earlier is not None and earlier != entry:
        storage.remove(marker)
    storage.publish_bytes(storage.join(root, unit.path), data)
    _publish_or_remove(storage.join(root, failures_path(unit.path)), lines)
    _publish_or_remove(storage.join(root, flags_path(unit.path)), doubts)
    storage.publish_text(marker, entry.model_dump_json(indent=1) + "\n")
    return entry


def _publish_or_remove(url: str, lines: bytes) -> None:
    if lines:
        storage.publish_bytes(url, lines)
    elif storage.exists(url):
        storage.remove(url)


def _flag_rows(translated: UnitTranslation) -> list[dict[str, Any]]:
    """Which records are doubtful, and why."""
    rows, content = [], translated.content
    for record, (text, found) in enumerate(zip(content.texts, translated.predictions, strict=True)):
        if found is not None and found.flags:
            shown = [excerpt(content.shown(record, one)) for one in (text or "", found.text)]
            place = RecordFailure(record, ", ".join(found.flags), shown[0])
            told = {"output": shown[1], "score": found.score, "second": found.second}
            rows.append(translated.unit.ledger_row(place) | told)
    return rows


def read_marker(url: str) -> UnitEntry | None:
    """A marker; None where none stands, or one this version cannot read."""
    data = storage.read_if_there(url)
    try:
        return None if data is None else UnitEntry.model_validate_json(data)
    except pydantic.ValidationError:
        return None


def ledger_lines(unit: Committable, failures: Sequence[RecordFailure]) -> bytes:
    """A JSON object a failed record, on a line of its own."""
    return _lines(map(unit.ledger_row, failures))


def _lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """A JSON object a line."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n" for row in rows)
