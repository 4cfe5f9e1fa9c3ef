"""A workshop with small corpora of known dirt, and the steps of a preparation, done in line."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.dataset.schema import Split
from seq2seq_core.preparation.building.build import Decisions
from seq2seq_core.preparation.planning.inputs import make_job
from seq2seq_core.preparation.steps import (
    CATALOGUE,
    COLLECT_SOURCES,
    CONNECT,
    INDEX_INPUTS,
    PLAN,
    STAGE_HELD_OUT,
    STAGE_TRAINING,
    Done,
    decisions_of,
    run_inline,
)
from seq2seq_core.preparation.terms.corpus import Role
from seq2seq_core.preparation.terms.messages import Job, Plan, Staged, UnitReport
from seq2seq_core.preparation.terms.recipe import Recipe
from tests.growing import Landing

WORDS = (
    "a man",
    "the woman",
    "dog",
    "runs",
    "sleeps",
    "in",
    "on",
    "park",
    "street",
    "red",
    "green",
    "small",
    "and",
    "bridge",
)
Rows = list[tuple[str, str]]


class Workshop:
    """Makes corpora, jobs and datasets below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def sentences(count: int, seed: int = 0) -> Rows:
        """Distinct pairs that every rule lets through."""
        draw = random.Random(seed)
        rows: dict[str, str] = {}
        while len(rows) < count:
            words = draw.choices(WORDS, k=draw.randint(3, 9))
            rows[" ".join(words)] = " ".join(word[::-1] for word in words)
        return list(rows.items())

    def corpus(self, name: str, rows: Rows) -> CorpusConfig:
        """A Moses pair."""
        for suffix, side in (("en", 0), ("de", 1)):
            path = self.folder / f"{name}.{suffix}"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text("".join(f"{row[side]}\n" for row in rows), encoding="utf-8")
        return CorpusConfig(source=str(self.folder / f"{name}.en"), target=str(self.folder / f"{name}.de"))

    def job(
        self,
        corpora: list[tuple[Role, CorpusConfig]],
        output: str = "out",
        shares: dict[Split, float] | None = None,
        **recipe: Any,
    ) -> Job:
        settings = {"tokenizer": {"vocabulary_size": 300, "type": "bpe"}} | recipe
        whole = Recipe.model_validate(settings)
        where = output if "://" in output else str(self.folder / output)
        return make_job(where, whole, corpora, shares or {}, settings)

    @staticmethod
    def plan(job: Job) -> Plan:
        plan: Plan = run_inline(job, PLAN)[PLAN][0]
        return plan

    @staticmethod
    def stage(plan: Plan) -> list[UnitReport]:
        done = run_inline(plan.head, STAGE_TRAINING, {INDEX_INPUTS: [], PLAN: [plan]})
        return [*done.get(STAGE_HELD_OUT, []), *done[STAGE_TRAINING]]

    @staticmethod
    def decide(plan: Plan, staged: Staged) -> Decisions:
        """What has to be known of the whole corpus before shards are built."""
        before: Done = dict.fromkeys((INDEX_INPUTS, STAGE_HELD_OUT, COLLECT_SOURCES, STAGE_TRAINING), ())
        return decisions_of(run_inline(plan.head, CONNECT, {**before, PLAN: [plan], CATALOGUE: [staged]}))

    @staticmethod
    def prepare(job: Job) -> Manifest:
        """All steps in their order, in this process."""
        run_inline(job)
        return load_manifest(job.output)


@pytest.fixture(params=["local", "memory"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh folder for a dataset."""
    url = str(tmp_path / "out") if request.param == "local" else f"memory://{uuid.uuid4().hex}/out"
    yield url
    storage.remove(url)


@pytest.fixture
def landing(workshop: Workshop, output: str) -> Landing:
    """A folder into which files land."""
    return Landing(workshop, output)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)
