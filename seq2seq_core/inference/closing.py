"""The entries of all units in, the manifest of the output folder out: published last, when nothing is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from seq2seq_core import storage
from seq2seq_core.documents.pieces import clear_pieces
from seq2seq_core.documents.ranges import CountedInput
from seq2seq_core.errors import IncompleteError
from seq2seq_core.inference.belongings import stem_of, sweep
from seq2seq_core.inference.commit import Committable, UnitEntry, still_stands
from seq2seq_core.inference.folder import PIECE_FOLDER
from seq2seq_core.inference.manifest import AnyOutput, Output, Provenance, TranslatedInput, publish_output
from seq2seq_core.inference.opening import fingerprint, in_order
from seq2seq_core.inference.unit import units_of

_LOOKS_AT_ONCE = 16


def close_output(
    root: str, inputs: Sequence[CountedInput], provenance: Provenance, finished: Iterable[UnitEntry]
) -> Output:
    """Publish the manifest, and remove what is no part of it; see `reconcile` and `confirm` for the errors."""
    inputs = in_order(inputs)
    output = reconcile(inputs, provenance, finished)
    confirm(root, output)
    publish_output(root, output)
    stems = {(counted.file.name, counted.file.suffix) for counted in inputs}
    kept = {unit.path for unit in output.units}
    sweep(root, lambda path: path in kept or stem_of(path) in stems, kept)
    clear_pieces(storage.join(root, PIECE_FOLDER))
    return output


def reconcile(inputs: Sequence[CountedInput], provenance: Provenance, finished: Iterable[UnitEntry]) -> Output:
    """The manifest of a translation; see `matched` for the errors."""
    entries = list(finished)
    units = {unit.path: unit for counted in inputs for unit in units_of(counted, provenance.fingerprint)}
    by_path = matched(units, entries)
    translated = tuple(
        _translated(counted, [by_path[unit.path] for unit in units_of(counted, provenance.fingerprint)])
        for counted in inputs
    )
    return Output(
        fingerprint=fingerprint(units.values()),
        model=provenance.model,
        given=provenance.given,
        records_in=sum(counted.records for counted in inputs),
        records_out=sum(entry.records for entry in entries),
        failed=sum(entry.failed for entry in entries),
        cut=sum(entry.cut for entry in entries),
        looping=sum(entry.looping for entry in entries),
        flagged=sum(entry.flagged for entry in entries),
        inputs=translated,
        configuration=provenance.configuration,
        software=provenance.software,
    )


def matched(units: Mapping[str, Committable], entries: Sequence[UnitEntry]) -> dict[str, UnitEntry]:
    """The entries by their paths: each planned unit was finished exactly once, with as many records as were counted.

    Raises:
        IncompleteError: A unit is missing, was reported twice or not planned, or has lost records.
    """
    _check_counts(units, entries)
    by_path = {entry.path: entry for entry in entries}
    for path, unit in units.items():
        entry = by_path[path]
        if (entry.fingerprint, entry.records) != (unit.fingerprint, unit.records):
            raise IncompleteError(
                "an output is not what was planned",
                where=path,
                found=f"{entry.records:,} records, fingerprint {entry.fingerprint}",
                expected=f"{unit.records:,} records, {unit.fingerprint}",
            )
    return by_path


def confirm(root: str, output: AnyOutput) -> None:
    """Look at all markers once more: what the manifest will say is what stands there.

    Raises:
        IncompleteError: Another run has replaced an output meanwhile, or somebody has removed it.
    """
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        stands = pool.map(lambda entry: still_stands(root, entry), output.units)
        gone = next((entry for entry, is_there in zip(output.units, stands, strict=True) if not is_there), None)
    if gone is not None:
        raise IncompleteError(
            "an output was replaced or removed while the others were made",
            where=storage.redact(storage.join(root, gone.path)),
            expected=f"fingerprint {gone.fingerprint}",
            advice="Run the same command again, alone in this folder.",
        )


def _check_counts(units: Mapping[str, Committable], entries: Sequence[UnitEntry]) -> None:
    counts = Counter(entry.path for entry in entries)
    wrong = [path for path in sorted(units.keys() | counts.keys()) if counts[path] != 1 or path not in units]
    if wrong:
        planned = "once" if wrong[0] in units else "never"
        raise IncompleteError(
            f"{len(wrong)} outputs were not finished exactly once",
            where=wrong[0],
            found=f"finished {counts[wrong[0]]} times",
            expected=planned,
            advice="Run the same command again.",
        )


def _translated(counted: CountedInput, outputs: Sequence[UnitEntry]) -> TranslatedInput:
    return TranslatedInput(
        url=counted.file.where,
        format=counted.file.format,
        bytes=counted.bytes,
        fingerprint=counted.fingerprint,
        records=counted.records,
        failed=sum(entry.failed for entry in outputs),
        cut=sum(entry.cut for entry in outputs),
        looping=sum(entry.looping for entry in outputs),
        flagged=sum(entry.flagged for entry in outputs),
        outputs=tuple(outputs),
    )
