"""The output folder of a translation: plans and finished units in, `output.json` out, and back."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pydantic

from seq2seq_core import storage
from seq2seq_core.documents.inputs import RecordFormat
from seq2seq_core.documents.plan import InputPlan
from seq2seq_core.errors import DatasetError, IncompleteError
from seq2seq_core.inference.commit import UnitEntry, still_stands
from seq2seq_core.inference.unit import Unit, cut_units

OUTPUT_NAME = "output.json"
FORMAT_VERSION = 1

_LOOKS_AT_ONCE = 16

_log = logging.getLogger(__name__)


class _Entry(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class ModelEntry(_Entry):
    """The model that translated, and where it comes from (its `lineage.json`: run, step, dataset digest)."""

    url: str
    digest: str
    lineage: dict[str, Any] | None


class InputEntry(_Entry):
    """An input as it was read (`fingerprint` is xxh3-128 of its bytes) and its outputs in order."""

    url: str
    format: RecordFormat
    bytes: int
    fingerprint: str
    records: int
    failed: int
    cut: int = 0
    looping: int = 0
    outputs: tuple[UnitEntry, ...]


class Job(_Entry):
    """What is the same for all units: the model and the resolved configuration.

    `fingerprint` names the model and those options that shape the output.
    """

    fingerprint: str
    model: ModelEntry
    configuration: dict[str, Any]
    software: dict[str, str]


class Output(_Entry):
    """All of an output folder: `records_out = records_in`, of which `failed` were not translated.

    The outputs of `cut` records ended at the length limit, those of `looping` ones repeat themselves.
    """

    format_version: int = FORMAT_VERSION
    fingerprint: str
    model: ModelEntry
    records_in: int
    records_out: int
    failed: int
    cut: int = 0
    looping: int = 0
    inputs: tuple[InputEntry, ...]
    configuration: dict[str, Any]
    software: dict[str, str]

    @property
    def units(self) -> list[UnitEntry]:
        """The outputs of all inputs, in order."""
        return [unit for entry in self.inputs for unit in entry.outputs]


def load_output(root: str) -> Output:
    """Read the manifest of an output folder.

    Raises:
        DatasetError: There is none (the translation did not finish), or it is not one of ours.
    """
    url = storage.join(root, OUTPUT_NAME)
    if not storage.exists(url):
        raise DatasetError(
            "no finished translation stands here",
            where=storage.redact(root),
            expected=f"a file {OUTPUT_NAME}",
            advice="Run the same `seq2seq translate` again: it carries on from what is finished.",
        )
    try:
        return Output.model_validate_json(storage.read_bytes(url))
    except pydantic.ValidationError as error:
        raise DatasetError(
            "the manifest is damaged", where=storage.redact(url), found=str(error).splitlines()[0]
        ) from None


def fingerprint(units: Iterable[Unit]) -> str:
    """Names a whole run: every output and all that shapes it."""
    return storage.digest_bytes("\n".join(f"{unit.path}:{unit.fingerprint}" for unit in units).encode())


def withdraw(root: str, planned: str) -> None:
    """Remove the manifest of another run before its outputs are replaced, and say so; that of this run stays."""
    url = storage.join(root, OUTPUT_NAME)
    if not storage.exists(url):
        return
    found = load_output(root)
    if found.fingerprint != planned:
        _log.info(
            "%s: the translation that stands here is of another model, configuration or input", storage.redact(root)
        )
        storage.remove(url)


def reconcile(plans: Sequence[InputPlan], job: Job, finished: Iterable[UnitEntry]) -> Output:
    """Check that each planned unit was finished exactly once, with as many records as were counted.

    Raises:
        IncompleteError: A unit is missing, was reported twice or not planned, or has lost records.
    """
    entries = list(finished)
    units = {unit.path: unit for plan in plans for unit in cut_units(plan, job.fingerprint)}
    _check_counts(units, entries)
    by_path = {entry.path: entry for entry in entries}
    for path, unit in units.items():
        entry = by_path[path]
        if (entry.fingerprint, entry.records) != (unit.fingerprint, unit.part.records):
            raise IncompleteError(
                "an output is not what was planned",
                where=path,
                found=f"{entry.records:,} records, fingerprint {entry.fingerprint}",
                expected=f"{unit.part.records:,} records, {unit.fingerprint}",
            )
    inputs = tuple(
        _input_entry(plan, [by_path[unit.path] for unit in cut_units(plan, job.fingerprint)]) for plan in plans
    )
    return Output(
        fingerprint=fingerprint(units.values()),
        model=job.model,
        records_in=sum(plan.records for plan in plans),
        records_out=sum(entry.records for entry in entries),
        failed=sum(entry.failed for entry in entries),
        cut=sum(entry.cut for entry in entries),
        looping=sum(entry.looping for entry in entries),
        inputs=inputs,
        configuration=job.configuration,
        software=job.software,
    )


def confirm(root: str, output: Output) -> None:
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


def publish_output(root: str, output: Output) -> None:
    """Make a translation visible as finished: the last step of all."""
    text = json.dumps(output.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True)
    storage.publish_text(storage.join(root, OUTPUT_NAME), text + "\n")


def _check_counts(units: dict[str, Unit], entries: Sequence[UnitEntry]) -> None:
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


def _input_entry(plan: InputPlan, outputs: Sequence[UnitEntry]) -> InputEntry:
    return InputEntry(
        url=plan.file.where,
        format=plan.file.format,
        bytes=plan.bytes,
        fingerprint=plan.fingerprint,
        records=plan.records,
        failed=sum(entry.failed for entry in outputs),
        cut=sum(entry.cut for entry in outputs),
        looping=sum(entry.looping for entry in outputs),
        outputs=tuple(outputs),
    )
