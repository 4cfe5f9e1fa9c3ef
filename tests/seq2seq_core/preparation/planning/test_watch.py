from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from seq2seq_core import storage
from seq2seq_core.preparation.building.build import build_shard
from seq2seq_core.preparation.planning.watch import PreparationWatch, clear_totals
from seq2seq_core.preparation.publishing.publish import finish
from seq2seq_core.preparation.shuffle.catalogue import catalogue
from seq2seq_core.preparation.staging.stage import stage_unit
from seq2seq_core.preparation.terms.messages import NO_SOURCES
from seq2seq_core.progress import Progress


def reading(units: int, rows: int, *, before: int = 0, seconds: float, total: int = 120) -> Progress:
    return Progress("reading and cleaning", "units", units, 3, "rows", rows, total, before, seconds)


def building(shards: int, rows: int, seconds: float) -> Progress:
    return Progress("building shards", "shards", shards, 2, "rows", rows, 117, 0, seconds)


def test_every_phase_is_told_from_the_work_folder_alone(workshop: Any) -> None:
    rows = workshop.sentences(115)
    rows += [*rows[:2], *[("same", "same")] * 3]
    job = workshop.job([("train", workshop.corpus("a", rows))], unit_rows=50, shards=2)
    watch = PreparationWatch(job.output)
    assert watch.look(0.0) is None
    plan = workshop.plan(job)
    assert watch.look(1.0) == reading(0, 0, seconds=0.0)
    units = [stage_unit(plan.head, unit, NO_SOURCES) for unit in plan.units[:2]]
    assert watch.look(5.0) == reading(2, 100, seconds=4.0)
    late = PreparationWatch(job.output)
    assert late.look(50.0) == reading(2, 100, before=100, seconds=0.0)
    units += [stage_unit(plan.head, plan.units[2], NO_SOURCES)]
    assert watch.look(6.0) == Progress("making the tokenizer", "", 0, 0, "rows", 0, 0, 0, 0.0)
    staged = catalogue(plan, units)
    decisions = workshop.decide(plan, staged)
    assert watch.look(9.0) == building(0, 0, 0.0)
    shards = [build_shard(plan.head, plan.head.partitions[0], staged, decisions)]
    done = shards[0].entry.rows + shards[0].duplicates
    assert watch.look(10.0) == building(1, done, 1.0)
    shards += [build_shard(plan.head, plan.head.partitions[1], staged, decisions)]
    assert watch.look(11.0) == building(2, 117, 2.0)
    finish(plan, units, [decisions.tokenizers], shards)
    assert watch.look(12.0) == Progress("prepared", "", 0, 0, "rows", 120, 120, 0, 12.0)


def test_rows_of_compressed_files_are_estimated_by_their_bytes(workshop: Any) -> None:
    plain, packed = workshop.corpus("plain", workshop.sentences(40)), workshop.corpus("packed", workshop.sentences(40))
    for name in (packed.source, packed.target):
        Path(f"{name}.gz").write_bytes(gzip.compress(Path(name).read_bytes()))
    packed = packed.model_copy(update={"source": f"{packed.source}.gz", "target": f"{packed.target}.gz"})
    plan = workshop.plan(workshop.job([("train", plain), ("train", packed)]))
    watch = PreparationWatch(plan.head.output)
    stage_unit(plan.head, plan.units[0], NO_SOURCES)
    progress = watch.look(0.0)
    assert progress is not None
    assert (progress.parts_done, progress.done) == (1, 40)
    assert 60 < progress.total < 100


def test_totals_of_an_earlier_run_are_not_believed(workshop: Any) -> None:
    job = workshop.job([("train", workshop.corpus("a", workshop.sentences(40)))])
    workshop.plan(job)
    clear_totals(job.output)
    watch = PreparationWatch(job.output)
    assert watch.look(0.0) is None
    workshop.plan(job)
    assert watch.look(1.0) is not None


def test_where_no_folder_stands_there_is_nothing_to_clear(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    clear_totals(str(tmp_path / "file"))
    clear_totals(str(tmp_path / "none"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_finished_dataset_has_no_progress(workshop: Any) -> None:
    job = workshop.job([("train", workshop.corpus("a", workshop.sentences(60)))])
    workshop.prepare(job)
    assert not storage.exists(storage.join(job.output, "_work"))
    workshop.plan(job)
    assert PreparationWatch(job.output).look(0.0) is None
    assert not storage.exists(storage.join(job.output, "_work"))
