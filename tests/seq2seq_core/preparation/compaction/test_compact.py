"""A dataset before and after its generations are folded: the same rows in the same places, at any moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_core import claims, storage
from seq2seq_core.claims import Claim, Place
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.loader import Loader, LoaderConfig
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.dataset import generations
from seq2seq_core.dataset.manifest import MANIFEST_NAME, Manifest, load_manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import ClaimError, DatasetError, ForeignFileError
from seq2seq_core.preparation.compaction import compact as compaction
from seq2seq_core.preparation.compaction.compact import compact, keep_few
from seq2seq_core.preparation.compaction.config import CompactionConfig
from seq2seq_core.preparation.terms import layout
from tests.growing import Landing, rows_of, tree

SHARES = {"valid": 0.1}
PARTS = ((0, 150), (130, 170), (160, 200), (190, 240), (0, 5), (240, 260))


@pytest.fixture
def grown(workshop: Any, output: str) -> Landing:
    """A dataset of six generations: of the fifth no row is new."""
    landing = Landing(workshop, output, shards=None, shares=SHARES)
    rows = workshop.sentences(260)
    for number, (begin, end) in enumerate(PARTS):
        landing.land(f"part-{number}", [*rows[begin:end] * (1 if number else 3), ("", "no source")])
        landing.prepare()
    return landing


def everything(output: str) -> dict[str, Any]:
    """All that readers get, in order: rows of splits, and rejected ones as the files have them."""
    manifest = load_manifest(output)
    rejected = [Dataset.open(output).read_shard(entry).to_pylist() for entry in manifest.rejected]
    return {
        "train": rows_of(output, manifest),
        "valid": rows_of(output, manifest, "valid"),
        "rejected": [row for rows in rejected for row in rows],
        "ledger": manifest.ledger,
        "digest": manifest.digest,
        "lengths": {name: (s.source_lengths, s.target_lengths) for name, s in manifest.splits.items()},
    }


def test_the_same_rows_stand_in_the_same_places(workshop: Any, grown: Landing, output: str) -> None:
    before, files = everything(output), set(tree(output))
    manifest = compact(output, grace_seconds=1e6)
    assert everything(output) == before
    assert (manifest.spans, manifest.newest) == ([(0, 5)], 5)
    assert [len(manifest.splits[name].shards) for name in ("train", "valid")] == [1, 1]
    assert len(manifest.rejected) == 1
    assert verify(output).unlisted == ()
    assert files <= set(tree(output))  # readers of before have all their files
    compact(output, grace_seconds=0)
    assert everything(output) == before
    assert len(tree(output)) < 20
    assert verify(output).unlisted == ()
    assert workshop.plan(grown.job()).head.is_done
    assert not storage.exists(layout.notes(output)) or storage.list_folder(layout.notes(output)) == []


def test_it_grows_on_as_if_nothing_had_been_folded(workshop: Any, grown: Landing, output: str) -> None:
    rows = workshop.sentences(300)
    keep_few(output, CompactionConfig(beyond=3, grace_seconds=0))
    compact(output, grace_seconds=0)
    grown.land("again", rows[100:280])
    grown.land("part-1", rows[280:])  # a name that is taken, by a generation that is folded
    manifest = grown.prepare()
    origins = {source.origin for source in manifest.generations[-1].inputs}
    assert origins == {"again.en", "generation-00006/part-1.en"}
    assert manifest.spans == [(0, 5), (6, 6)]
    assert verify(output).unlisted == ()
    at_once = Landing(workshop, f"{output}-at-once", shards=None, shares=SHARES)
    whole = at_once.prepare(tokenizer={"model": storage.join(output, next(iter(manifest.tokenizers.values())).path)})
    found = {row["id"] for row in rows_of(output, manifest)}
    assert len(found) == manifest.ledger.kept["train"]
    assert found == {row["id"] for row in rows_of(f"{output}-at-once", whole)} - {
        row["id"] for row in rows_of(f"{output}-at-once", whole, "valid")
    }
    storage.remove(f"{output}-at-once")


def test_training_positions_keep_their_meaning(grown: Landing, output: str, tmp_path: Path) -> None:
    del grown

    def batches() -> list[Any]:
        columns = Columns.open(Dataset.open(output), "train", tmp_path / "cache")
        config = StreamConfig(batch_tokens=264, max_source_tokens=32, max_target_tokens=32)
        stream = BatchStream(columns.lengths, config, seed=3)
        loader = Loader(columns, stream, LoaderConfig(), rank=0, world=1)
        steps = [loader.step(position) for position in (0, 3, 11)]
        return [loader.fingerprint, *(batch.source_BS.tolist() for step in steps for batch in step.micro_batches)]

    before = batches()
    compact(output, grace_seconds=0)
    assert batches() == before


def test_only_beyond_a_number_of_generations_and_only_the_newest(grown: Landing, output: str) -> None:
    del grown
    before = everything(output)
    assert keep_few(output, CompactionConfig(beyond=6)) is None
    assert keep_few(output, CompactionConfig(beyond=None)) is None
    manifest = keep_few(output, CompactionConfig(beyond=4, grace_seconds=1e6))
    assert manifest is not None
    assert manifest.spans == [(0, 0), (1, 5)]  # 451 rows were read for the first, 160 for the others
    assert everything(output) == before
    assert keep_few(output, CompactionConfig(beyond=4, grace_seconds=1e6)) is None


def test_a_lost_manifest_is_made_again_from_the_journal(grown: Landing, output: str) -> None:
    del grown
    keep_few(output, CompactionConfig(beyond=4, grace_seconds=0))
    text = storage.read_text(storage.join(output, MANIFEST_NAME))
    storage.remove(storage.join(output, MANIFEST_NAME))
    generations.bring_up_to_date(output)
    assert json.loads(storage.read_text(storage.join(output, MANIFEST_NAME))) == json.loads(text)


@pytest.mark.parametrize("moment", ["announced", "written", "committed", "shown"])
def test_killed_at_any_moment_the_next_run_ends_in_the_same_files(
    grown: Landing, output: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del grown
    before = everything(output)

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> Any:
        raise Killed

    place: tuple[Any, str] = {
        "announced": (compaction.folding, "write"),
        "written": (generations, "commit"),
        "committed": (generations, "publish_newest"),
        "shown": (compaction, "remove_superseded"),
    }[moment]
    with monkeypatch.context() as patched:
        patched.setattr(*place, kill)
        with pytest.raises(Killed):
            compact(output, grace_seconds=0)
    assert everything(output) == before
    compact(output, grace_seconds=0)
    assert everything(output) == before
    assert load_manifest(output).spans == [(0, 5)]
    assert verify(output).unlisted == ()
    assert len(tree(output)) < 20


def test_an_abandoned_fold_of_others_leaves_nothing(
    workshop: Any, grown: Landing, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> bool:
        raise DatasetError("stop")

    with monkeypatch.context() as patched:
        patched.setattr(generations, "commit", stop)
        with pytest.raises(DatasetError, match="stop"):
            compact(output, grace_seconds=0)
    grown.land("late", workshop.sentences(280)[260:])
    grown.prepare()
    compact(output, grace_seconds=0)
    assert load_manifest(output).spans == [(0, 6)]
    assert verify(output).unlisted == ()


def test_one_run_folds_at_a_time_and_nobody_elses_file_is_replaced(grown: Landing, output: str) -> None:
    del grown
    holder = claims.this_process()
    place = Place(layout.notes(output), layout.COMPACTION_CLAIM)
    claim = Claim(work="compaction", fingerprint="f" * 32)
    claims.take(output, place, claim, holder)
    with pytest.raises(ClaimError, match="another compaction is under way here"):
        compact(output, grace_seconds=0)
    assert keep_few(output, CompactionConfig(beyond=2)) is None
    place.leave(holder.run)
    manifest: Manifest = load_manifest(output)
    name = layout.folded_name(0, 5, manifest.fingerprint)
    storage.publish_text(storage.join(output, layout.folded_shard(name, 0, 1)), "mine")
    with pytest.raises(ForeignFileError):
        compact(output, grace_seconds=0)


def test_weights_of_folded_inputs_are_found(workshop: Any, output: str) -> None:
    landing = Landing(workshop, output)
    rows = workshop.sentences(60)
    for name, part in (("a", rows[:30]), ("b", rows[30:])):
        landing.land(name, part)
        job = landing.job()
        heavy = job.corpora[0].model_copy(update={"weight": 2.0})
        workshop.prepare(job.model_copy(update={"corpora": (heavy,)}))
    compact(output, grace_seconds=0)
    weights = Dataset.open(output).weights("train")
    assert weights is not None
    assert np.unique(weights.of(np.arange(60))).tolist() == [2.0]
