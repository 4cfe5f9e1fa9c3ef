"""Steps for tests of what does steps: functions of a module, as processes and engines import them."""

from __future__ import annotations

from seq2seq_core.errors import InputError
from seq2seq_core.preparation.steps import Done, Step
from seq2seq_core.preparation.terms.messages import Bucket, Message, SlotCounts


def up_to(plan: Bucket) -> list[Bucket]:
    return [Bucket(index=index) for index in range(plan.index)]


def itself(plan: Bucket) -> list[Bucket]:
    return [plan]


def told(plan: Bucket) -> Bucket:
    """What those who do the work are told: another one than the plan."""
    return Bucket(index=-plan.index)


def nothing(plan: Bucket) -> list[Bucket]:
    return []


def square(plan: Bucket, element: Bucket, done: Done) -> Bucket:
    return Bucket(index=element.index**2)


def count(report: Bucket) -> dict[str, int]:
    return {"seen": 1, "sum": report.index}


def add_up(plan: Bucket, element: Bucket, done: Done) -> SlotCounts:
    """What is told of the plan, what an earlier step has found, and how much a step that was not asked for."""
    found = sorted(report.index for report in done["squares"])
    return SlotCounts(slot=element.index, counts=(plan.index, *found, len(done["unasked"])))


def refuse(plan: Bucket, element: Bucket, done: Done) -> Message:
    raise InputError("the row is unreadable", where="corpus.en, line 7", found=element.index)


SQUARES = Step("squares", each=up_to, told=told, work=square, counts=count)
SUMS = Step("sums", each=up_to, told=told, work=add_up, needs=("squares", "unasked"))
REFUSAL = Step("refusal", each=itself, told=told, work=refuse)
