"""Growing datasets: what is new is added once, under names that follow from content, whoever was at work before."""

from __future__ import annotations

import io
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.build import build_shard
from seq2seq_core.preparation.claims import claim_url, release, take_rest
from seq2seq_core.preparation.finish import finish
from seq2seq_core.preparation.messages import Job
from seq2seq_core.preparation.sweep import sweep
from seq2seq_core.shards.generations import bring_up_to_date, generation_path, publish_newest
from seq2seq_core.shards.manifest import MANIFEST_NAME, Manifest, load_manifest, publish_manifest
from seq2seq_core.shards.verify import verify
from seq2seq_core.text.reading.corpus import CorpusConfig

Tree = dict[str, str]


@pytest.fixture(params=["local", "memory"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh folder for a dataset."""
    url = str(tmp_path / "out") if request.param == "local" else f"memory://{uuid.uuid4().hex}/out"
    yield url
    storage.remove(url)


class Landing:
    """A folder into which files land, read by one glob into one dataset."""

    def __init__(self, workshop: Any, output: str, name: str = "in", **settings: Any) -> None:
        self._workshop = workshop
        self._output = output
        self._name = name
        self._settings = {"shards": 3, "unit_rows": 40} | settings
        self._others: list[Any] = self._settings.pop("others", [])
        self.folder = Path(workshop.folder, name)

    def land(self, name: str, rows: list[tuple[str, str]]) -> None:
        self._workshop.corpus(f"{self._name}/{name}", rows)

    def rename(self, old: str, new: str) -> None:
        for suffix in (".en", ".de"):
            (self.folder / f"{old}{suffix}").rename(self.folder / f"{new}{suffix}")

    def job(self, run: str = "host-1-aa", **settings: Any) -> Job:
        corpus = CorpusConfig(name="news", source=str(self.folder / "*.en"), target=str(self.folder / "*.de"))
        job: Job = self._workshop.job([("train", corpus), *self._others], **(self._settings | settings))
        return job.model_copy(update={"output": self._output, "run": run})

    def prepare(self, **settings: Any) -> Manifest:
        manifest: Manifest = self._workshop.prepare(self.job(**settings))
        return manifest


@pytest.fixture
def landing(workshop: Any, output: str) -> Landing:
    return Landing(workshop, output)


def tree(output: str) -> Tree:
    """Digests of all files; input URLs in manifests are left as they are."""
    base = storage.filesystem(output)[1]
    urls = storage.expand(output)
    return {storage.filesystem(url)[1].removeprefix(base): storage.digest_file(url) for url in urls}


def rows_of(output: str, manifest: Manifest, split: Any = "train", columns: Any = None) -> list[dict[str, Any]]:
    files = [io.BytesIO(storage.read_bytes(storage.join(output, s.path))) for s in manifest.splits[split].shards]
    tables = [pq.read_table(file, columns=columns) for file in files]
    return [row for table in tables for row in table.to_pylist()]


def ids_of(output: str, manifest: Manifest) -> list[bytes]:
    return [row["id"] for row in rows_of(output, manifest, columns=["id"])]


def rejects_of(output: str, manifest: Manifest, rule: str) -> list[dict[str, Any]]:
    files = [io.BytesIO(storage.read_bytes(storage.join(output, entry.path))) for entry in manifest.rejected]
    return [row for file in files for row in pq.read_table(file).to_pylist() if row["rule"] == rule]


def test_what_is_new_is_added_and_the_rest_stays(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(300)
    landing.land("a", [*rows[:200], *rows[:7]])
    first = landing.prepare()
    before = tree(output)
    landing.land("b", [*rows[150:], ("", "x"), rows[299]])
    second = landing.prepare()
    after = tree(output)
    assert {path: after[path] for path in before if not path.endswith(MANIFEST_NAME)} == {
        path: digest for path, digest in before.items() if not path.endswith(MANIFEST_NAME)
    }
    own = second.generations[1]
    assert (own.ledger.read, own.ledger.kept, own.ledger.duplicates) == (152, {"train": 100}, 51)
    assert own.ledger.rejected == {"empty": 1}
    assert (second.ledger.read, second.ledger.kept, second.ledger.duplicates) == (359, {"train": 300}, 58)
    assert second.generations[0] == first.generations[0]
    folder = f"generation-00001-{second.fingerprint[:8]}"
    shards = second.splits["train"].shards
    assert [shard.generation for shard in shards] == [0] * 3 + [1] * 3
    assert shards[3].path == f"train/{folder}/part-00000-of-00003.parquet"
    assert [(entry.path, entry.generation) for entry in second.rejected] == [
        (f"rejected/{folder}/part-00003-of-00004.parquet", 1)
    ]
    assert [Path(entry.url).name for entry in second.inputs] == ["a.en", "a.de", "b.en", "b.de"]
    assert [entry.origin for entry in own.inputs] == ["b.en"]
    assert second.corpora[0].origins == ("a.en", "b.en")
    assert sum(second.splits["train"].source_lengths) == 300
    assert verify(output).unlisted == ()


@pytest.mark.parametrize("key", ["pair", "target"])
def test_arrivals_one_by_one_hold_the_rows_of_all_at_once(workshop: Any, output: str, key: str) -> None:
    rows = workshop.sentences(240)
    rows += [(source, target) for (source, _), (_, target) in zip(rows[:30], rows[30:60], strict=True)]
    landing = Landing(workshop, output, deduplicate=key)
    for name, part in (("c", rows[:100]), ("a", rows[80:200]), ("b", rows[60:])):
        landing.land(name, part)
        manifest = landing.prepare()
    at_once = Landing(workshop, f"{output}-at-once", deduplicate=key)
    model = {"tokenizer": {"model": storage.join(output, manifest.source_tokenizer.path)}}
    whole = at_once.prepare(**model)
    assert len(manifest.generations) == 3
    assert sorted(ids_of(output, manifest)) == sorted(ids_of(f"{output}-at-once", whole))
    if key == "pair":  # else it depends on the order which of several sources stays
        tokens = [
            Counter((row["id"], *row["source"], None, *row["target"]) for row in rows_of(url, found))
            for url, found in ((output, manifest), (f"{output}-at-once", whole))
        ]
        assert tokens[0] == tokens[1]
    for index in range(3):  # each shard holds its range of ids in every generation
        parts = [shard for shard in manifest.splits["train"].shards if f"part-0000{index}-" in shard.path]
        assert len(parts) == 3
    storage.remove(f"{output}-at-once")


def test_without_deduplication_nothing_is_dropped(workshop: Any, output: str) -> None:
    landing = Landing(workshop, output, deduplicate="none")
    rows = workshop.sentences(60)
    landing.land("a", rows)
    landing.prepare()
    landing.land("b", rows[::-1])
    manifest = landing.prepare()
    assert manifest.ledger.kept == {"train": 120}
    assert set(Counter(ids_of(output, manifest)).values()) == {2}


def test_nothing_new_changes_nothing_whatever_files_are_called(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(80)
    landing.land("a", rows)
    landing.land("b", rows[::-1])
    landing.prepare()
    before = tree(output)
    landing.rename("a", "z")
    for suffix in (".en", ".de"):
        (landing.folder / f"b{suffix}").unlink()
    landing.land("copy", rows)
    plan = workshop.plan(landing.job())
    assert (plan.is_done, plan.units, plan.partitions) == (True, (), ())
    landing.prepare()
    assert tree(output) == before


def test_what_a_run_adds_does_not_depend_on_what_it_has_seen_before(workshop: Any, landing: Landing) -> None:
    rows = workshop.sentences(120)
    landing.land("a", rows[:60])
    landing.prepare()
    landing.land("b", rows[60:])
    usual = workshop.plan(landing.job())
    landing.rename("a", "sub-a")
    assert workshop.plan(landing.job()).fingerprint == usual.fingerprint
    for suffix in (".en", ".de"):
        (landing.folder / f"sub-a{suffix}").unlink()
    assert workshop.plan(landing.job()) == usual


def test_a_name_that_is_taken_gets_a_generation(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(120)
    landing.land("today", rows[:60])
    landing.prepare()
    landing.land("today", rows[60:])
    manifest = landing.prepare()
    assert manifest.corpora[0].origins == ("generation-00001/today.en", "today.en")
    found = Counter(row["origin"] for row in rows_of(output, manifest, columns=["origin"]))
    assert found == {"today.en": 60, "generation-00001/today.en": 60}


def test_shares_that_are_held_out_stay_as_they_are(workshop: Any, output: str) -> None:
    landing = Landing(workshop, output, shares={"valid": 0.1, "test": 0.2})
    rows = workshop.sentences(600)
    landing.land("a", rows[:300])
    first = landing.prepare()
    landing.land("b", rows[250:])
    second = landing.prepare()
    for split in ("valid", "test"):
        assert second.splits[split] == first.splits[split]
    held = rejects_of(output, second, "held_out")
    assert second.ledger.rejected == {"held_out": len(held)}
    assert 60 < len(held) < 150
    assert {row["value"] for row in held} == {"source in the share of validation or test, which stay as they are"}
    of_all = Landing(workshop, f"{output}-all", shares={"valid": 0.1, "test": 0.2})
    model = {"tokenizer": {"model": storage.join(output, second.source_tokenizer.path)}}
    whole = of_all.prepare(**model)
    assert sorted(ids_of(output, second)) == sorted(ids_of(f"{output}-all", whole))
    storage.remove(f"{output}-all")


def test_near_copies_of_shares_are_kept_out_of_later_generations(workshop: Any, output: str) -> None:
    landing = Landing(workshop, output, shares={"test": 0.2}, protection={"ngram_words": 3}, filters={})
    rows = workshop.sentences(200)
    landing.land("a", rows)
    first = landing.prepare()
    held = [row for row in rows_of(output, first, "test") if len(row["source_text"].split()) >= 3]
    landing.land("b", [(f"so {row['source_text']}", "etwas ganz anderes") for row in held])
    second = landing.prepare()
    assert second.generations[1].ledger.kept == {"train": 0}
    assert set(second.generations[1].ledger.rejected) <= {"held_out", "held_out_ngram"}
    assert second.generations[1].ledger.rejected["held_out_ngram"] > len(held) // 2


def test_held_out_files_are_compared_with_and_not_added_again(workshop: Any, output: str) -> None:
    rows = workshop.sentences(160)
    landing = Landing(workshop, output, others=[("test", workshop.corpus("held", rows[:20]))])
    landing.land("a", rows[20:80])
    first = landing.prepare()
    landing.land("b", [*rows[80:], *((source, "anders") for source, _ in rows[:9])])
    second = landing.prepare()
    assert second.splits["test"] == first.splits["test"]
    assert second.generations[1].ledger.read == 89
    assert second.generations[1].ledger.rejected == {"held_out": 9}
    assert [entry.role for entry in second.generations[1].inputs] == ["train"]
    assert verify(output).unlisted == ()


def test_the_number_of_shards_stays(workshop: Any, landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = workshop.sentences(200)
    monkeypatch.setattr("seq2seq_core.preparation.generation._SHARD_BYTES", 2000)
    landing.land("a", rows[:50])
    first = landing.prepare(shards=None)
    landing.land("b", rows[50:])
    second = landing.prepare(shards=None)
    count = len(first.splits["train"].shards)
    assert count > 1
    assert len(second.splits["train"].shards) == 2 * count
    assert workshop.plan(landing.job(shards=count)).is_done  # which is the same configuration, said out loud
    with pytest.raises(DatasetError, match=r"changed: shards"):
        workshop.plan(landing.job(shards=count + 1))


def test_another_configuration_is_refused_with_both_digests(workshop: Any, landing: Landing, output: str) -> None:
    landing.land("a", workshop.sentences(60))
    first = landing.prepare()
    before = tree(output)
    landing.land("b", workshop.sentences(60, seed=1))
    digests = rf"found fingerprint {first.recipe_fingerprint}; expected fingerprint [0-9a-f]{{32}}"
    for settings, changed in (
        ({"deduplicate": "none"}, "deduplicate"),
        ({"filters": {"words": None}}, "filters"),
        ({"tokenizer": {"vocabulary_size": 301, "type": "bpe"}}, "tokenizer.vocabulary_size"),
    ):
        with pytest.raises(DatasetError, match=rf"changed: {changed}\).*{digests}.*Choose a new output folder"):
            workshop.plan(landing.job(**settings))
    other = landing.job().model_copy(update={"tokenizer_digests": ("0" * 32,)})
    tokenizers = rf"another tokenizer; found digest {first.source_tokenizer.digest}; expected digest {'0' * 32}"
    with pytest.raises(DatasetError, match=tokenizers):
        workshop.plan(other)
    assert tree(output) == before


def test_another_held_out_set_is_refused(workshop: Any, output: str) -> None:
    rows = workshop.sentences(90)
    landing = Landing(workshop, output, others=[("test", workshop.corpus("held", rows[:20]))])
    landing.land("a", rows[20:])
    landing.prepare()
    workshop.corpus("held", rows[:21])
    with pytest.raises(DatasetError, match="changed: held-out files"):
        workshop.plan(landing.job())


def test_the_columns_that_are_read_are_part_of_the_configuration(workshop: Any) -> None:
    (workshop.folder / "c.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in workshop.sentences(60)))
    path = str(workshop.folder / "c.tsv")
    workshop.prepare(workshop.job([("train", CorpusConfig(path=path))]))
    swapped = CorpusConfig(path=path, source_field=2, target_field=1)
    with pytest.raises(DatasetError, match="another configuration"):
        workshop.plan(workshop.job([("train", swapped)]))


def test_a_generation_that_was_committed_but_not_shown_is_shown(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(150)
    landing.land("a", rows[:50])
    first = landing.prepare()
    landing.land("b", rows[50:])
    second = landing.prepare()
    whole = tree(output)
    publish_manifest(output, first)
    assert landing.prepare() == second
    assert tree(output) == whole
    storage.remove(storage.join(output, MANIFEST_NAME))
    assert landing.prepare() == second
    assert tree(output) == whole


def test_publishers_at_the_same_time_end_with_the_newest(workshop: Any, landing: Landing, output: str) -> None:
    landing.land("a", workshop.sentences(50))
    first = landing.prepare()
    landing.land("b", workshop.sentences(50, seed=1))
    second = landing.prepare()
    assert publish_newest(output, first) == second
    assert load_manifest(output) == bring_up_to_date(output) == second


def test_a_dataset_copied_without_its_generations_grows_on(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(150)
    landing.land("a", rows[:50])
    landing.prepare()
    storage.remove(storage.join(output, "generations"))
    landing.land("b", rows[40:])
    second = landing.prepare()
    assert [entry.index for entry in second.generations] == [0, 1]
    assert second.ledger.kept == {"train": 150}


def test_a_dataset_without_generations_cannot_grow(workshop: Any, landing: Landing, output: str) -> None:
    landing.land("a", workshop.sentences(50))
    manifest = landing.prepare()
    storage.remove(storage.join(output, "generations"))
    publish_manifest(output, manifest.model_copy(update={"generations": ()}))
    with pytest.raises(DatasetError, match="does not say which inputs it was made of"):
        landing.prepare()


@pytest.mark.parametrize("begun", [0, 1])
def test_what_a_killed_run_began_is_finished_before_what_came_later(
    workshop: Any, landing: Landing, output: str, begun: int
) -> None:
    """With shards left to the program, whose number would follow from all files: it is the killed run's."""
    rows = workshop.sentences(300)
    parts = {"m": rows[:100], "z": rows[80:200], "a": rows[180:]}  # the file that lands last stands first in order
    names = list(parts)
    expected = Landing(workshop, f"{output}-expected", "other", shards=None)
    for name in names[: begun + 2]:
        expected.land(name, parts[name])
        expected.prepare()
    for name in names[: begun + 1]:
        landing.land(name, parts[name])
        if name != names[begun]:
            landing.prepare(shards=None)
    killed = workshop.plan(landing.job("host-2-bb", shards=None))
    units = workshop.stage(killed)[:1]
    landing.rename(names[begun], f"{names[begun]}-renamed")
    landing.land(names[begun + 1], parts[names[begun + 1]])
    finished = landing.prepare(shards=None)
    assert finished.fingerprint == killed.fingerprint
    assert take_rest(output, "host-1-aa")
    assert not take_rest(output, "host-1-aa")
    assert units
    landing.prepare(shards=None)
    assert not take_rest(output, "host-1-aa")
    parquet = [
        {path: d for path, d in tree(url).items() if path.endswith("parquet")} for url in (output, f"{output}-expected")
    ]
    assert parquet[0] == parquet[1]
    assert "_work" not in storage.list_folder(output)
    storage.remove(f"{output}-expected")


def test_other_inputs_are_refused_while_a_run_is_at_work(workshop: Any, landing: Landing, output: str) -> None:
    landing.land("a", workshop.sentences(50))
    landing.prepare()
    landing.land("b", workshop.sentences(50, seed=1))
    plan = workshop.plan(landing.job("host-7-beef"))
    landing.rename("b", "c")
    landing.land("c", workshop.sentences(50, seed=2))
    where = claim_url(output, 1)
    message = rf"other inputs is under way.*{plan.fingerprint}, claimed by host-7-beef since .*with b\.en .*{where}"
    with pytest.raises(DatasetError, match=message):
        workshop.plan(landing.job())
    release(output, {"not": "this"})
    with pytest.raises(DatasetError, match="under way"):
        workshop.plan(landing.job())
    release(output, plan.job.configuration)
    assert landing.prepare().generations[1].inputs[0].origin == "c.en"


def test_only_one_of_two_runs_adds_a_generation(workshop: Any, landing: Landing, output: str) -> None:
    """Even when the claim of one was removed under it."""
    rows = workshop.sentences(150)
    landing.land("a", rows[:50])
    landing.prepare()
    landing.land("b", rows[50:100])
    plan = workshop.plan(landing.job())
    units = workshop.stage(plan)
    decisions = workshop.decide(plan, units)
    shards = [build_shard(plan, partition, units, decisions) for partition in plan.partitions[:-1]]
    storage.remove(claim_url(output, 1))
    landing.rename("b", "c")
    landing.land("c", rows[90:])
    other = workshop.plan(landing.job())
    assert other.fingerprint != plan.fingerprint
    with pytest.raises(DatasetError, match="another run has taken over"):
        build_shard(plan, plan.partitions[-1], units, decisions)
    storage.remove(claim_url(output, 1))
    shards.append(build_shard(plan, plan.partitions[-1], units, decisions))
    manifest = landing.prepare()
    assert verify(output).unlisted == ()
    with pytest.raises(DatasetError, match="another run has added generation 1; found fingerprint"):
        finish(plan, units, [decisions.tokenizers], shards)
    assert load_manifest(output) == manifest
    assert verify(output).rows == 110


def test_a_run_that_was_overtaken_says_so(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(150)
    landing.land("a", rows[:50])
    landing.prepare()
    landing.land("b", rows[50:])
    plan = workshop.plan(landing.job())
    units = workshop.stage(plan)
    decisions = workshop.decide(plan, units)
    shards = [build_shard(plan, partition, units, decisions) for partition in plan.partitions]
    theirs = load_manifest(output)
    entry = theirs.generations[0].model_copy(update={"index": 1, "fingerprint": "f" * 32})
    theirs = theirs.model_copy(update={"fingerprint": "f" * 32, "generations": (*theirs.generations, entry)})
    storage.publish_text(storage.join(output, generation_path(1)), theirs.model_dump_json())
    with pytest.raises(DatasetError, match=r"another run has added generation 1; found fingerprint f+; expected"):
        finish(plan, units, [decisions.tokenizers], shards)


def test_an_equal_run_that_commits_first_is_as_good(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(150)
    landing.land("a", rows[:50])
    landing.prepare()
    landing.land("b", rows[50:])
    plan = workshop.plan(landing.job())
    units = workshop.stage(plan)
    decisions = workshop.decide(plan, units)
    shards = [build_shard(plan, partition, units, decisions) for partition in plan.partitions]
    second = landing.prepare()
    whole = tree(output)
    assert finish(plan, units, [decisions.tokenizers], shards).ledger == second.ledger
    assert tree(output) == whole


def test_a_claim_for_what_stands_already_is_withdrawn(
    workshop: Any, landing: Landing, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run commits and clears up between this one's look at the dataset and its claim."""
    landing.land("a", workshop.sentences(50))
    landing.prepare()
    landing.land("b", workshop.sentences(50, seed=1))
    create = storage.create_exclusively

    def create_late(url: str, data: bytes) -> bool:
        monkeypatch.setattr(storage, "create_exclusively", create)
        landing.prepare()
        return create(url, data)

    monkeypatch.setattr(storage, "create_exclusively", create_late)
    assert workshop.plan(landing.job()).is_done
    assert not storage.exists(claim_url(output, 1))


def test_sweeping_leaves_alone_what_a_later_generation_is_made_of(workshop: Any, landing: Landing, output: str) -> None:
    landing.land("a", workshop.sentences(50))
    first = landing.prepare()
    landing.land("b", workshop.sentences(50, seed=1))
    plan = workshop.plan(landing.job())
    units = workshop.stage(plan)
    decisions = workshop.decide(plan, units)
    build_shard(plan, plan.partitions[0], units, decisions)
    others = [
        "train/generation-00001-0badc0de/part-00000-of-00003.parquet",
        f"generations/.00001.json.{'a' * 32}.tmp",
        "_work/rest-00001-host-9-cc.json",
        "train/notes/mine.txt",
    ]
    for path in others:
        storage.publish_text(storage.join(output, path), "x")
    before = tree(output)
    sweep(output, first)
    assert tree(output) == before
    manifest = landing.prepare()
    left = set(tree(output))
    assert {path.lstrip("/") for path in left} & set(others) == {
        "_work/rest-00001-host-9-cc.json",
        "train/notes/mine.txt",
    }
    sweep(output, manifest.model_copy(update={"generations": (*manifest.generations, manifest.generations[-1])}))
    assert {path.lstrip("/") for path in tree(output)} & set(others) == {"train/notes/mine.txt"}
    if "://" not in output:
        assert not Path(output, "_work").exists()
        assert not Path(output, "train", "generation-00001-0badc0de").exists()
