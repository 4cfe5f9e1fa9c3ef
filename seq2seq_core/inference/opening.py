"""Counted inputs in, units of work out; what can be seen to be wrong is an error here, before any work starts."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence

from seq2seq_core import storage
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.ranges import SAMPLE_RECORDS, CountedInput
from seq2seq_core.errors import InputError
from seq2seq_core.inference.belongings import take_places
from seq2seq_core.inference.commit import Committable
from seq2seq_core.inference.folder import OUTPUT_NAME, UNITS_PATH, marker_path
from seq2seq_core.inference.manifest import load_any
from seq2seq_core.inference.unit import DocumentUnit, units_of

_log = logging.getLogger(__name__)


def open_output(
    root: str, inputs: Sequence[CountedInput], provenance: str, fields: Fields, *, retries: bool = False
) -> list[DocumentUnit]:
    """The units of all inputs, their list published for who watches the work, another run's manifest gone.

    Args:
        root: The output folder.
        inputs: What is translated.
        provenance: The digest of the model and the options.
        fields: Where texts stand.
        retries: Whether records that failed are done again.

    Raises:
        InputError: None of the inputs seems to have a text where it is looked for.
        ForeignFileError: A file that is not ours stands where an output would go.
    """
    _refuse_all_doubtful(inputs, fields)
    units = [unit for counted in in_order(inputs) for unit in units_of(counted, provenance)]
    take_places(root, units)
    withdraw(root, fingerprint(units), with_failures=retries)
    announce(root, [(unit, unit.part.records) for unit in units])
    return units


def announce(root: str, units: Iterable[tuple[Committable, int]]) -> None:
    """Publish the list of units, and how much of the work each is, for who watches the work."""
    rows = [[marker_path(unit.path), unit.fingerprint, amount] for unit, amount in units]
    storage.publish_text(storage.join(root, UNITS_PATH), json.dumps(rows))


def in_order(inputs: Sequence[CountedInput]) -> list[CountedInput]:
    """Inputs in the order of their outputs' names, whatever order they come in."""
    return sorted(inputs, key=lambda counted: (counted.file.name, counted.file.suffix))


def fingerprint(units: Iterable[Committable]) -> str:
    """Names a whole run: every output and all that shapes it."""
    return storage.digest_bytes("\n".join(f"{unit.path}:{unit.fingerprint}" for unit in units).encode())


def withdraw(root: str, planned: str, *, with_failures: bool = False) -> None:
    """Remove the manifest of another run before its outputs are replaced, and say so; that of this run stays.

    Args:
        root: The output folder.
        planned: The fingerprint of this run.
        with_failures: Whether that of this run goes, too, where it tells of failures.
    """
    url = storage.join(root, OUTPUT_NAME)
    if not storage.exists(url):
        return
    found = load_any(root)
    if found.fingerprint != planned:
        _log.info(
            "%s: the %s that stands here is of another model, configuration or input",
            storage.redact(root),
            found.called,
        )
        storage.remove(url)
    elif with_failures and found.failed:
        storage.remove(url)


def _refuse_all_doubtful(inputs: Sequence[CountedInput], fields: Fields) -> None:
    """One odd file among good ones goes to the ledger; if all are odd, the configuration is."""
    doubtful = [counted for counted in in_order(inputs) if counted.doubt]
    if doubtful and len(doubtful) == sum(counted.records > 0 for counted in inputs):
        names = " and ".join(map(repr, fields.read))
        raise InputError(
            f"none of the first {SAMPLE_RECORDS} records has a text in the field {names}",
            where=doubtful[0].file.where,
            found=doubtful[0].doubt,
            advice="Name the field with the text (--text_field NAME; dots reach into objects).",
        )
