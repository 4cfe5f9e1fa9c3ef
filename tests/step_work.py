"""Steps for tests of what does steps: functions of a module, as processes and engines import them."""

from __future__ import annotations

from typing import Any

from seq2seq_core.errors import InputError
from seq2seq_core.preparation.steps import Done, Step
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Bucket, Head, Plan, SlotCounts
from seq2seq_core.preparation.terms.recipe import Recipe


def plan_of(units: int) -> Plan:
    """One that is about nothing but a number of units."""
    terms: dict[str, Any] = {"output": "out", "recipe": Recipe(), "corpora": (), "shares": {}, "tokenizer_digests": ()}
    head = Head(**terms, generation=0, fingerprint="f", work="out/_work", units=units, dealt={})
    return Plan(head=head, recipe_fingerprint="r", configuration={}, sources=(), units=())


def up_to(plan: Plan) -> list[Bucket]:
    return [Bucket(index=index) for index in range(plan.head.units)]


def number(plan: Plan) -> list[Bucket]:
    return [Bucket(index=plan.head.units)]


def nothing(plan: Plan) -> list[Bucket]:
    return []


def square(head: Head, element: Bucket, done: Done) -> Bucket:
    return Bucket(index=element.index**2)


def count(report: Bucket) -> dict[str, int]:
    return {"seen": 1, "sum": report.index}


def add_up(head: Head, element: Bucket, done: Done) -> SlotCounts:
    """The number of the plan, what an earlier step has found, and how much a step that was not asked for."""
    found = sorted(report.index for report in done["squares"])
    return SlotCounts(slot=element.index, counts=(head.units, *found, len(done["unasked"])))


def refuse(head: Head, element: Bucket, done: Done) -> Message:
    raise InputError("the row is unreadable", where="corpus.en, line 7", found=element.index)


SQUARES = Step("squares", each=up_to, work=square, counts=count)
SUMS = Step("sums", each=up_to, work=add_up, needs=("squares", "unasked"))
REFUSAL = Step("refusal", each=number, work=refuse)
