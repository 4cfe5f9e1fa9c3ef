"""A folder of this project in; that every file holds what its manifest says, or the first difference, out.

dataset       sizes, digests, rows, tokens, histograms, ledger: see `shards.verify`
model         sizes and digests by config.json
run           sizes and digests of every checkpoint by its marker, and the models best/ and last/
translation   sizes and digests of outputs by output.json, markers, counts, and the ledgers of failed and flagged ones
transcription the same
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Annotated, NamedTuple

import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.dataset import verify as datasets
from seq2seq_core.dataset.verify import REPAIR
from seq2seq_core.errors import CheckpointError, DatasetError, Seq2SeqError
from seq2seq_core.inference.commit import UnitEntry, read_marker
from seq2seq_core.inference.folder import OUTPUT_NAME, flags_path, marker_path
from seq2seq_core.inference.manifest import AnyOutput, Output, Transcription, load_output, load_transcription
from seq2seq_core.kinds import Kind
from seq2seq_core.models.card import CONFIG_NAME, verify_model
from seq2seq_core.report.inspection import CHECKPOINT_NAME, CHECKPOINTS, MODELS, kind_at

_NOTES_SHOWN = 5


def verify(path: str) -> str:
    """Read every file of a folder and compare it; a few lines on what was found right.

    Raises:
        StorageError: Nothing is there.
        DatasetError, ModelError, CheckpointError: The first difference: file, what was found, what was expected. Or the
            folder is none of ours, unfinished, or has nothing yet that could be verified.
    """
    return _VERIFIED[kind_at(path)](path)


def _dataset(path: str) -> str:
    return datasets.verify(path).summary()


def _model(path: str) -> str:
    card = verify_model(path)
    listed = {CONFIG_NAME, *card.files}
    return _summary(len(listed), sum(entry.bytes for entry in card.files.values()), "", _unlisted(path, listed))


class _File(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    bytes: Annotated[int, Field(ge=0)]
    digest: str


class _Marker(pydantic.BaseModel):
    """What of a checkpoint's marker names its files; `training.checkpoint` owns it."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    files: Annotated[dict[str, _File], Field(min_length=1)]


def _run(path: str) -> str:
    root = storage.join(path, CHECKPOINTS)
    names = storage.list_folder(root)
    whole = [name for name in names if storage.exists(storage.join(root, name, CHECKPOINT_NAME))]
    checkpoints = [_checkpoint(storage.join(root, name)) for name in whole]
    found = [name for name in MODELS if storage.exists(storage.join(path, name, CONFIG_NAME))]
    models = [verify_model(storage.join(path, name)) for name in found]
    if not checkpoints and not models:
        raise CheckpointError(
            "there is nothing to verify yet",
            where=storage.redact(path),
            found="neither a checkpoint nor a model",
            expected=f"a folder with {CHECKPOINT_NAME} in {CHECKPOINTS}/, or {' or '.join(f'{m}/' for m in MODELS)}",
        )
    entries = [entry for marker in checkpoints for entry in marker.files.values()]
    entries_of_models = [entry for card in models for entry in card.files.values()]
    files = len(entries) + len(checkpoints) + len(entries_of_models) + len(models)
    size = sum(entry.bytes for entry in entries) + sum(entry.bytes for entry in entries_of_models)
    parts = [_count(len(whole), "checkpoint"), *(f"{name}/" for name in found)]
    unfinished = [f"{CHECKPOINTS}/{name}" for name in names if name not in whole]
    return _summary(files, size, ", ".join(parts), unfinished, "unfinished")


def _checkpoint(folder: str) -> _Marker:
    """Compare the files of a checkpoint with its marker."""
    url = storage.join(folder, CHECKPOINT_NAME)
    try:
        marker = _Marker.model_validate_json(storage.read_bytes(url))
    except pydantic.ValidationError as error:
        found = " ".join(str(error).split("\n")[:3])
        where = storage.redact(url)
        raise CheckpointError("the marker is damaged", where=where, found=found, advice=REPAIR) from None
    for name, entry in marker.files.items():
        _check_file(storage.join(folder, name), entry.bytes, entry.digest, CheckpointError)
    return marker


def _translation(path: str) -> str:
    output = load_output(path)
    for entry in output.inputs:
        for unit in entry.outputs:
            _check_file(storage.join(path, unit.path), unit.bytes, unit.digest, DatasetError)
            _check_ledgers(path, {entry.url}, unit)
            _check_marker(path, unit)
    _check_counts(path, output)
    counts = f"{output.records_out:,} records of {output.records_in:,}, {output.failed:,} of them not translated"
    return _summary_of(path, output, counts)


def _transcription(path: str) -> str:
    output = load_transcription(path)
    for unit in output.units:
        _check_file(storage.join(path, unit.path), unit.bytes, unit.digest, DatasetError)
        _check_ledgers(path, {entry.url for entry in output.inputs if unit.path in entry.outputs}, unit)
        _check_marker(path, unit)
    _check_recordings(path, output)
    counts = f"{output.records_out:,} recordings of {output.records_in:,}, {output.failed:,} of them not transcribed"
    return _summary_of(path, output, counts)


def _check_recordings(path: str, output: Transcription) -> None:
    url = storage.join(path, OUTPUT_NAME)
    _expect(url, "records_out", output.records_out, output.records_in)
    _expect(url, "records_in", output.records_in, len(output.inputs))
    _expect(url, "failed", output.failed, sum(entry.failed for entry in output.inputs))
    for unit in output.units:
        shown = sum(unit.path in entry.outputs for entry in output.inputs)
        _expect(url, f"records of {unit.path}", unit.records, shown)


def _summary_of(path: str, output: AnyOutput, counts: str) -> str:
    units = output.units
    ledgers = {ledger.path for unit in units for ledger in _ledgers(unit) if ledger.path is not None}
    listed = {OUTPUT_NAME, *ledgers, *(unit.path for unit in units)}
    return _summary(len(listed), sum(unit.bytes for unit in units), counts, _unlisted(path, listed))


class _LedgerRow(pydantic.BaseModel):
    """What of a line of a ledger tells which record it is about."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)

    input: str
    record: int
    reason: str


class _Ledger(NamedTuple):
    """What is told of a ledger of a unit: where it stands (None: there is none), how many lines it has of what, and
    its digest, where that was noted.
    """

    path: str | None
    lines: int
    called: str
    digest: str | None


def _ledgers(unit: UnitEntry) -> list[_Ledger]:
    return [
        _Ledger(unit.failures, unit.failed, "failures", unit.failures_digest),
        _Ledger(flags_path(unit.path) if unit.flagged else None, unit.flagged, "flagged records", unit.flags_digest),
    ]


def _check_ledgers(path: str, inputs: Collection[str], unit: UnitEntry) -> None:
    for ledger in _ledgers(unit):
        _check_ledger(path, inputs, unit, ledger)


def _check_ledger(path: str, inputs: Collection[str], unit: UnitEntry, ledger: _Ledger) -> None:
    """It has a line for each of the unit's records that it is about, and for no other."""
    if ledger.path is None:
        _expect(storage.join(path, unit.path), f"number of {ledger.called} without a ledger", ledger.lines, 0)
        return
    url = storage.join(path, ledger.path)
    if not storage.exists(url):
        where, expected = storage.redact(url), f"{ledger.lines} {ledger.called}"
        raise DatasetError("a file is missing", where=where, expected=expected, advice=REPAIR)
    data = storage.read_bytes(url)
    lines = data.splitlines(keepends=True)
    _expect(url, f"number of {ledger.called}", sum(line.endswith(b"\n") for line in lines), ledger.lines)
    last = unit.first_record - 1
    for number, line in enumerate(lines, start=1):
        where = f"{url}:{number}"
        try:
            row = _LedgerRow.model_validate_json(line)
        except pydantic.ValidationError as error:
            found = " ".join(str(error).split("\n")[:3])
            where = storage.redact(where)
            raise DatasetError("a line of the ledger is damaged", where=where, found=found, advice=REPAIR) from None
        if row.input not in inputs:
            _expect(where, "input", row.input, " or ".join(sorted(inputs)))
        if not last < row.record < unit.first_record + unit.records:
            end = unit.first_record + unit.records
            _expect(where, "record", row.record, f"one of the unit's, after {last} and before {end}")
        last = row.record
    if ledger.digest is not None:
        _expect(url, "digest", storage.digest_bytes(data), ledger.digest)


def _check_marker(path: str, unit: UnitEntry) -> None:
    """Where the marker still stands, by which a rerun knows that the unit is finished, it says the same."""
    url = storage.join(path, marker_path(unit.path))
    marker = read_marker(url)
    for key in UnitEntry.model_fields if marker else ():
        _expect(url, key, getattr(marker, key), getattr(unit, key))


def _check_counts(path: str, output: Output) -> None:
    url = storage.join(path, OUTPUT_NAME)
    _expect(url, "records_out", output.records_out, output.records_in)
    for entry in output.inputs:
        for what in ("records", "failed"):
            found = sum(getattr(unit, what) for unit in entry.outputs)
            _expect(url, f"{what} of {entry.url}", getattr(entry, what), found)
    for name, what in (("records_in", "records"), ("failed", "failed")):
        _expect(url, name, getattr(output, name), sum(getattr(entry, what) for entry in output.inputs))


def _check_file(url: str, size: int, digest: str, error: type[Seq2SeqError]) -> None:
    if not storage.exists(url):
        expected = f"{size} bytes, xxh3-128 {digest}"
        raise error("a file is missing", where=storage.redact(url), expected=expected, advice=REPAIR)
    found = (storage.size(url), storage.digest_file(url))
    if found != (size, digest):
        raise error(
            "a file is damaged",
            where=storage.redact(url),
            found=f"{found[0]} bytes, xxh3-128 {found[1]}",
            expected=f"{size} bytes, {digest}",
            advice=REPAIR,
        )


def _expect(url: str, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise DatasetError(f"wrong {what}", where=storage.redact(url), found=found, expected=expected, advice=REPAIR)


def _unlisted(root: str, listed: Iterable[str]) -> list[str]:
    """Files below a folder that its manifest does not name, hidden ones aside: marks of how the work went."""
    named = set(listed)
    return [path for path in storage.files_below(root) if path not in named and not path.startswith(".")]


def _summary(files: int, size: int, counts: str, others: list[str], called: str = "not named by the manifest") -> str:
    lines = [f"verified: {_count(files, 'file')}, {size:,} bytes" + (f"; {counts}" if counts else "")]
    if others:
        more = f" and {len(others) - _NOTES_SHOWN:,} more" if len(others) > _NOTES_SHOWN else ""
        lines.append(f"note: {called}: {', '.join(others[:_NOTES_SHOWN])}{more}")
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


_VERIFIED: dict[Kind, Callable[[str], str]] = {
    "dataset": _dataset,
    "model": _model,
    "run": _run,
    "translation": _translation,
    "transcription": _transcription,
}
