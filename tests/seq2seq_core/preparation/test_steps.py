"""The list: what stands in it for which job, and that everything in it can be sent elsewhere and done again."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

from seq2seq_core import storage
from seq2seq_core.preparation.steps import JOB, MERGE_KNOWN, PUBLISH, STEPS, Done, run_inline, steps_of, told
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Job

EVERY_JOB = [
    "index_inputs",
    "plan",
    "stage_training",
    "catalogue",
    "make_tokenizers",
    "build_shards",
    "merge_known",
    "publish",
]


def whole_job(workshop: Any) -> Job:
    """One that asks for every step."""
    rows = workshop.sentences(120)
    capped = workshop.corpus("train", rows[:100]).model_copy(update={"max_rows": 60})
    corpora = [("train", capped), ("valid", workshop.corpus("valid", rows[90:]))]
    job: Job = workshop.job(corpora, shards=2, unit_rows=30, near_duplicates=True)
    return job


def test_every_step_stands_behind_what_it_needs_and_has_a_name_of_its_own() -> None:
    known = {JOB}
    for step in STEPS:
        assert {step.of, *step.needs} <= known
        assert step.name not in known
        known.add(step.name)


def test_what_is_sent_does_not_grow_with_the_square() -> None:
    """Who does one of many elements is never given the reports of many others: a step between makes one of them."""
    spread = {step.name for step in STEPS if step.is_spread}
    assert [step.name for step in STEPS if step.is_spread and spread & {*step.needs}] == []


def test_every_step_can_be_sent_elsewhere() -> None:
    assert pickle.loads(pickle.dumps(STEPS)) == STEPS


def test_a_job_has_the_steps_it_asks_for(workshop: Any) -> None:
    plain = workshop.job([("train", workshop.corpus("c", workshop.sentences(3)))])
    assert [step.name for step in steps_of(plain)] == EVERY_JOB
    assert steps_of(whole_job(workshop)) == STEPS


def test_done_again_or_with_reports_in_another_order_every_step_finds_the_same(workshop: Any) -> None:
    """And writes nothing that stands already: only tokenizers and near-duplicates have no marker of their own."""
    job = whole_job(workshop)
    done = run_inline(job, MERGE_KNOWN)
    files = files_of(job)
    assert {name for name, reports in done.items() if not reports} == {MERGE_KNOWN}  # nothing stands before the first
    for step in itertools.takewhile(lambda step: step.name != PUBLISH, STEPS):
        given: Done = {name: done[name][::-1] for name in step.needs}
        (whole,) = done[step.of]
        again: list[Message] = [step.work(told(whole), element, given) for element in step.each(whole)]
        assert again == done[step.name], step.name
    assert files_of(job) == files


def files_of(job: Job) -> dict[str, str]:
    urls = {path: storage.join(job.output, path) for path in storage.files_below(job.output)}
    return {path: storage.digest_file(url) for path, url in urls.items() if "claim" not in path}


def test_what_is_done_already_is_not_done(workshop: Any) -> None:
    job = whole_job(workshop)
    done = run_inline(job, "stage_held_out")
    assert list(done) == ["job", "index_inputs", "plan", "stage_held_out"]
    assert run_inline(job, "plan", {"plan": ["a plan"]})["plan"] == ["a plan"]
    (outcome,) = run_inline(job)[PUBLISH]
    assert outcome.ledger.kept == {"train": 60, "valid": 30}
