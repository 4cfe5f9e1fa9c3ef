"""A workshop with small corpora of known dirt, and the whole preparation as plain calls, without Beam."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.corpora.config import CorpusConfig, corpus_names
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.dataset.schema import Split
from seq2seq_core.preparation.building.build import build_shard
from seq2seq_core.preparation.building.tokenizers import make_tokenizers
from seq2seq_core.preparation.planning.corpus_settings import resolve
from seq2seq_core.preparation.planning.generation import origins
from seq2seq_core.preparation.planning.planner import index_input, make_plan
from seq2seq_core.preparation.publishing.publish import finish
from seq2seq_core.preparation.shuffle.catalogue import catalogue
from seq2seq_core.preparation.sieves.caps import add_up, count_rows
from seq2seq_core.preparation.sieves.held_out import index_held_out
from seq2seq_core.preparation.sieves.near.bands import write_bands
from seq2seq_core.preparation.sieves.near.rows import near_plans, rows_to_compare
from seq2seq_core.preparation.sieves.near.search import find_buckets, find_edges, write_drops
from seq2seq_core.preparation.staging.held_out_sources import collect_sources
from seq2seq_core.preparation.staging.stage import stage_unit
from seq2seq_core.preparation.terms.messages import NO_SOURCES, Decisions, Input, Job, Plan, Role, Staged, UnitReport
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
        sources = [(c, role, source) for c, (role, config) in enumerate(corpora) for source in config.sources()]
        origin = origins([source.urls[0] for _, _, source in sources])
        settings = {"tokenizer": {"vocabulary_size": 300, "type": "bpe"}} | recipe
        whole = Recipe.model_validate(settings)
        names = corpus_names([config for _, config in corpora])
        return Job(
            output=str(self.folder / output),
            recipe=whole,
            corpora=tuple(
                resolve(corpus, role, name, whole) for (role, corpus), name in zip(corpora, names, strict=True)
            ),
            shares=shares or {},
            inputs=tuple(
                Input(index=i, corpus=c, role=role, origin=origin[i], source=source)
                for i, (c, role, source) in enumerate(sources)
            ),
            configuration=settings,
            tokenizer_digests=(),
        )

    @staticmethod
    def plan(job: Job) -> Plan:
        return make_plan(job, [index_input(job.recipe, input_) for input_ in job.inputs])

    @staticmethod
    def stage(plan: Plan) -> list[UnitReport]:
        held_out = [stage_unit(plan.head, unit, NO_SOURCES) for unit in plan.units if unit.role != "train"]
        sources = collect_sources(plan, held_out)
        return held_out + [stage_unit(plan.head, unit, sources) for unit in plan.units if unit.role == "train"]

    def prepare(self, job: Job) -> Manifest:
        """All steps in their order, in this process."""
        plan = self.plan(job)
        units = self.stage(plan)
        if plan.head.is_done:
            finish(plan, units, [], [])
        else:
            staged = catalogue(plan, units)
            decisions = self.decide(plan, staged)
            shards = [build_shard(plan.head, part, staged, decisions) for part in plan.head.partitions]
            finish(plan, units, [decisions.tokenizers], shards)
        return load_manifest(job.output)

    @staticmethod
    def decide(plan: Plan, staged: Staged) -> Decisions:
        """What has to be known of the whole corpus before shards are built."""
        head = plan.head
        counts = [count_rows(head, partition, staged) for partition in head.training if head.has_caps]
        before = add_up(head, counts) if head.has_caps else None
        drops = None
        for near in near_plans(head):
            bands = [write_bands(near, k, rows_to_compare(k, head, staged, before)) for k in range(near.shards)]
            places = find_buckets(near, bands)
            drops = write_drops(near, [find_edges(near, k, places) for k in range(near.buckets)])
        return Decisions(
            tokenizers=make_tokenizers(head, staged, before),
            held_out=index_held_out(head, staged),
            before=before,
            near=drops,
        )


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
