"""Input files in, units of work out; what can be seen to be wrong is an error here, before any work starts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from seq2seq_core import storage
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats import plan_input
from seq2seq_core.documents.inputs import MARKER_FOLDER, InputFile
from seq2seq_core.documents.jsonl import doubt_jsonl
from seq2seq_core.documents.lines import read_lines
from seq2seq_core.documents.plan import InputPlan, UnitSize
from seq2seq_core.errors import InputError
from seq2seq_core.inference.belongings import take_places
from seq2seq_core.inference.output import fingerprint, withdraw
from seq2seq_core.inference.unit import Unit, cut_units

PLAN_PATH = f"{MARKER_FOLDER}/plan.json"

_SAMPLE_RECORDS = 100


def plan_and_check(file: InputFile, size: UnitSize, fields: Fields) -> InputPlan:
    """Count and cut an input, and look at its columns or its first records.

    Raises:
        InputError: It is damaged, has no column of text, or has a field that a translation would add.
    """
    plan = plan_input(file, size, fields)
    if file.format != "jsonl":
        return plan
    lines, _ = read_lines(file, plan.ranges[0])
    return dataclasses.replace(plan, doubt=doubt_jsonl(lines[:_SAMPLE_RECORDS], fields, file.where))


def open_output(root: str, plans: Sequence[InputPlan], job: str, fields: Fields) -> list[Unit]:
    """The units of all inputs, the plan published for who watches the progress, another run's manifest gone.

    Raises:
        InputError: None of the inputs seems to have a text where it is looked for.
        DatasetError: A file that is not ours stands where an output would go.
    """
    _refuse_all_doubtful(plans, fields)
    units = [unit for plan in in_order(plans) for unit in cut_units(plan, job)]
    take_places(root, units)
    withdraw(root, fingerprint(units))
    rows = [[unit.marker_path, unit.fingerprint, unit.part.records] for unit in units]
    storage.publish_text(storage.join(root, PLAN_PATH), json.dumps(rows))
    return units


def in_order(plans: Sequence[InputPlan]) -> list[InputPlan]:
    """Plans in the order of their outputs' names, whatever order they come in."""
    return sorted(plans, key=lambda plan: (plan.file.name, plan.file.suffix))


def _refuse_all_doubtful(plans: Sequence[InputPlan], fields: Fields) -> None:
    """One odd file among good ones goes to the ledger; if all are odd, the configuration is."""
    doubtful = [plan for plan in in_order(plans) if plan.doubt]
    if doubtful and len(doubtful) == sum(plan.records > 0 for plan in plans):
        raise InputError(
            f"none of the first {_SAMPLE_RECORDS} records has a text in the field {fields.text!r}",
            where=doubtful[0].file.where,
            found=doubtful[0].doubt,
            advice="Name the field with the text (--text_field NAME; dots reach into objects).",
        )
