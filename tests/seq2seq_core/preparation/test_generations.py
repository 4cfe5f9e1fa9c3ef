"""Growing datasets: what is new is added once, under names that follow from content, and the rest stays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.dataset.generations import generation_path
from seq2seq_core.dataset.manifest import MANIFEST_NAME, Manifest, manifest_text, publish_manifest
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import DatasetError
from tests.growing import Landing, ids_of, rejects_of, rows_of, tree


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
    assert (plan.head.is_done, plan.units, plan.head.partitions) == (True, (), ())
    landing.prepare()
    assert tree(output) == before


def test_what_a_run_adds_does_not_depend_on_what_it_has_seen_before(workshop: Any, landing: Landing) -> None:
    rows = workshop.sentences(120)
    landing.land("a", rows[:60])
    landing.prepare()
    landing.land("b", rows[60:])
    usual = workshop.plan(landing.job())
    landing.rename("a", "sub-a")
    assert workshop.plan(landing.job()).head.fingerprint == usual.head.fingerprint
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


def test_the_number_of_shards_follows_from_what_is_added(
    workshop: Any, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = workshop.sentences(260)
    monkeypatch.setattr("seq2seq_core.preparation.planning.sizes._SHARD_BYTES", 2000)
    landing.land("a", rows[:50])
    count = len(landing.prepare(shards=None).splits["train"].shards)
    assert count > 1
    assert count % 2 == 0
    landing.land("b", rows[50:60])
    assert len(landing.prepare(shards=None).splits["train"].shards) == count + 1
    landing.land("c", [*rows[40:], rows[3]])
    third = landing.prepare(shards=None)
    assert len(third.splits["train"].shards) > 2 * count + 1
    assert third.ledger.kept == {"train": 260}  # whatever the shards, rows of earlier generations are found
    assert workshop.plan(landing.job(shards=count)).head.is_done  # which is the same configuration, said out loud
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


def test_verification_looks_at_each_generation(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(90)
    landing.land("a", [*rows[:50], ("", "x")])
    first = landing.prepare()
    landing.land("b", [*rows[40:], ("", "x")])
    manifest = landing.prepare()
    mine, other = manifest.generations

    def with_ledgers(*changes: dict[str, Any]) -> Manifest:
        entries = [
            entry.model_copy(update={"ledger": entry.ledger.model_copy(update=change)})
            for entry, change in zip((mine, other), changes, strict=True)
        ]
        return manifest.model_copy(update={"generations": tuple(entries)})

    for changed, message in (
        (with_ledgers({"read": 50}, {"read": 52}), "wrong rows read that were neither .* in generation 0"),
        (with_ledgers({"kept": {"train": 51}}, {"kept": {"train": 39}}), "rows kept in split train in generation 0"),
        (with_ledgers({"rejected": {}}, {"rejected": {"empty": 2}}), "rows rejected by empty in generation 0"),
        (with_ledgers({}, {"read": 52, "duplicates": 11}), "all generations together: read"),
    ):
        publish_manifest(output, changed)
        with pytest.raises(DatasetError, match=message):
            verify(output)
    publish_manifest(output, manifest)
    assert verify(output).unlisted == ()
    storage.publish_text(storage.join(output, generation_path(1)), manifest_text(first))
    with pytest.raises(DatasetError, match=r"generations/00001\.json: the record of other generations"):
        verify(output)
    storage.remove(storage.join(output, generation_path(1)))
    assert verify(output).rows == 90
