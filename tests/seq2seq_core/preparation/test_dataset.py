"""The whole preparation: where every row went, in which order, and that the bytes never depend on how it was cut."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import xxhash

from seq2seq_core import storage
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import DatasetError, ForeignFileError, InputError, StorageError, TokenizerError
from seq2seq_core.preparation.building import batches, build, tokenizers
from seq2seq_core.preparation.publishing.publish import KnownReports, make_record
from seq2seq_core.preparation.shuffle.catalogue import catalogue
from seq2seq_core.tokenizer.model import Tokenizer


def rows_of(output: str, split: str) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted(Path(output, split).glob("*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


def text_of(output: str, split: str) -> list[tuple[str, str]]:
    model = Tokenizer.load(f"{output}/tokenizer/joint.model")._processor
    return [(model.decode(row["source"]), model.decode(row["target"])) for row in rows_of(output, split)]


def digests_of(output: str) -> dict[str, str]:
    """Names of known rows are those without the fingerprint of their generation."""
    return {
        re.sub(r"^(known/.+)-[0-9a-f]{8}-", r"\1-", str(path.relative_to(output))): storage.digest_file(str(path))
        for path in sorted(Path(output).rglob("*"))
        if path.is_file() and path.suffix != ".json"
    }


def test_injected_dirt_comes_back_in_the_ledger(workshop: Any) -> None:
    clean = workshop.sentences(400)
    held = workshop.sentences(20, seed=1)
    dirt: list[tuple[str, str]] = [
        *[("", "leer")] * 3,
        *[("only source", "\u2003 ")] * 2,
        *[("x " * 151, "y " * 151)] * 4,
        *[("w" * 1025, "w" * 1024)] * 5,
        *[("tiny", "t" * 40)] * 6,
        *[("same", "same")] * 7,
        *[(source, "anything") for source, _ in held[:8]],
        *clean[:9],
    ]
    corpus = workshop.corpus("c", [*clean[:200], *dirt, *clean[200:]])
    with Path(corpus.source).open("ab") as source, Path(corpus.target).open("ab") as target:
        source.write(b"bad \xff\n" * 10 + b"l" * 3000 + b"\nok\n")
        target.write(b"gut\n" * 10 + b"lang\n\xc3\n")
    job = workshop.job(
        [("train", corpus), ("test", workshop.corpus("t", [*held, ("", "x"), held[0]]))],
        unit_rows=70,
        shards=3,
        max_line_bytes=2500,
    )
    manifest = workshop.prepare(job)
    rejected = {"empty": 6, "words": 4, "characters": 5, "length_ratio": 6, "identical": 7}
    rejected |= {"held_out": 8, "not_utf8": 11, "too_many_bytes": 1}
    assert manifest.ledger.rejected == rejected
    assert manifest.ledger.kept == {"train": 400, "test": 21}
    assert (manifest.ledger.duplicates, manifest.ledger.balance) == (9, 0)
    on_disk = rows_of(job.output, "rejected")
    assert Counter(row["rule"] for row in on_disk) == rejected
    assert {row["origin"] for row in on_disk} == {"c.en", "t.en"}
    by_rule = {row["rule"]: row for row in on_disk}
    assert by_rule["length_ratio"]["value"] == "ratio 10"
    assert by_rule["not_utf8"]["source"] in (None, "ok")
    assert sum(entry.rows for entry in manifest.rejected) == sum(rejected.values())
    assert sorted(text_of(job.output, "train")) == sorted(clean)
    assert text_of(job.output, "test") == [*held, held[0]]
    assert [(row["source_text"], row["line"]) for row in rows_of(job.output, "test")][-2:] == [
        (held[-1][0], 20),
        (held[0][0], 22),
    ]


def test_rows_stand_in_the_order_of_their_ids_and_say_where_they_came_from(workshop: Any) -> None:
    rows = workshop.sentences(100)
    job = workshop.job([("train", workshop.corpus("c", rows))], shards=4)
    workshop.prepare(job)
    found = rows_of(job.output, "train")

    def pair_id(pair: tuple[str, str]) -> bytes:
        return xxhash.xxh3_128_digest(b"".join(xxhash.xxh3_128_digest(side.encode()) for side in pair))

    assert [row["id"] for row in found] == sorted(pair_id(row) for row in rows)
    assert text_of(job.output, "train") == [rows[row["line"] - 1] for row in found]
    assert {row["origin"] for row in found} == {"c.en"}


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ("pair", [("a a a", "x x"), ("a a a", "y y"), ("b b b", "x x")]),
        ("source", [("a a a", "x x"), ("b b b", "x x")]),
        ("target", [("a a a", "x x"), ("a a a", "y y")]),
        ("none", [("a a a", "x x"), ("a a a", "x x"), ("a a a", "y y"), ("b b b", "x x")]),
    ],
)
def test_of_duplicates_the_first_in_corpus_order_stays(workshop: Any, key: str, kept: list[tuple[str, str]]) -> None:
    rows = [("a a a", "x x"), ("a a a", "y y"), ("b b b", "x x"), ("a a a", "x x")]
    job = workshop.job(
        [("train", workshop.corpus("c1", rows[:2])), ("train", workshop.corpus("c2", rows[2:]))],
        deduplicate=key,
        unit_rows=1,
        tokenizer={"vocabulary_size": 266},
    )
    manifest = workshop.prepare(job)
    assert sorted(text_of(job.output, "train")) == sorted(kept)
    assert (manifest.ledger.duplicates, manifest.ledger.balance) == (4 - len(kept), 0)
    first = {(row["origin"], row["line"]) for row in rows_of(job.output, "train")}
    assert ("c1.en", 1) in first


def test_bytes_do_not_depend_on_units_order_or_place(workshop: Any) -> None:
    rows = workshop.sentences(300)
    rows += rows[:20]
    once = workshop.job([("train", workshop.corpus("a/c", rows))], output="o1", shards=3, shares={"valid": 0.1})
    workshop.prepare(once)
    twice = once.model_copy(update={"output": str(workshop.folder / "o2")})
    plan = workshop.plan(twice)
    staged = catalogue(plan, workshop.stage(plan)[::-1])
    made = workshop.decide(plan, staged)
    for partition in plan.head.partitions[::-1]:
        build.build_shard(plan.head, partition, staged, made)
    cut = workshop.job([("train", workshop.corpus("b/c", rows))], output="o3", shards=3, shares={"valid": 0.1})
    cut = cut.model_copy(update={"recipe": cut.recipe.model_copy(update={"unit_rows": 7})})
    workshop.prepare(cut)
    first = digests_of(once.output)
    assert len(first) == 8
    assert {name: digest for name, digest in digests_of(twice.output).items() if "_work" not in name} == first
    assert digests_of(cut.output) == first


def test_shares_split_by_source(workshop: Any) -> None:
    rows = workshop.sentences(600)
    rows += [(source, f"{target} again") for source, target in rows]
    job = workshop.job([("train", workshop.corpus("c", rows))], shares={"valid": 0.1, "test": 0.2}, shards=2)
    manifest = workshop.prepare(job)
    sources = {split: {source for source, _ in text_of(job.output, split)} for split in ("train", "valid", "test")}
    assert sum(map(len, sources.values())) == 600
    assert not sources["train"] & sources["valid"]
    assert not sources["train"] & sources["test"]
    assert 80 < manifest.ledger.kept["valid"] < 160
    assert 180 < manifest.ledger.kept["test"] < 300


def test_the_tokenizer_is_trained_on_the_rows_with_the_smallest_ids(workshop: Any) -> None:
    rows = workshop.sentences(200)
    plan = workshop.plan(workshop.job([("train", workshop.corpus("c", [*rows, *rows[:50]]))], shards=5))
    staged = catalogue(plan, workshop.stage(plan))
    everything = tokenizers.sample_rows(plan.head, staged, 10**6)
    assert everything.num_rows == 200
    ids = everything.column("id").to_pylist()
    assert ids == sorted(ids)
    assert tokenizers.sample_rows(plan.head, staged, 70).equals(everything.slice(0, 70))


def test_given_tokenizers_are_copied(workshop: Any) -> None:
    corpus = workshop.corpus("c", workshop.sentences(80))
    first = workshop.prepare(
        workshop.job([("train", corpus)], output="o1", tokenizer={"vocabulary_size": 280, "joint": False})
    )
    assert not first.is_joint
    models = {
        f"{side}_model": str(workshop.folder / "o1" / "tokenizer" / f"{side}.model") for side in ("source", "target")
    }
    second = workshop.prepare(workshop.job([("train", corpus)], output="o2", tokenizer=models))
    assert (second.source_tokenizer, second.target_tokenizer) == (first.source_tokenizer, first.target_tokenizer)
    assert second.digest == first.digest


def test_an_unreadable_row_ends_the_run_when_told_so(workshop: Any) -> None:
    (workshop.folder / "c.tsv").write_bytes(b"a\tb\nno target\n")
    corpus = CorpusConfig(path=str(workshop.folder / "c.tsv"))
    plan = workshop.plan(workshop.job([("train", corpus)], on_error="fail"))
    with pytest.raises(InputError, match=r"c\.tsv, line 2: the row is unreadable \(missing_column\); found 1 columns"):
        workshop.stage(plan)


def test_nothing_left_names_the_rules(workshop: Any) -> None:
    plan = workshop.plan(workshop.job([("train", workshop.corpus("c", [("same", "same")] * 4))]))
    with pytest.raises(
        InputError, match=r"no training row is left; found 4 rows read, rejected by rule: identical 4\."
    ):
        tokenizers.make_tokenizers(plan.head, catalogue(plan, workshop.stage(plan)))


def test_a_vocabulary_too_large_names_the_largest(workshop: Any) -> None:
    job = workshop.job([("train", workshop.corpus("c", workshop.sentences(30)))], tokenizer={"vocabulary_size": 50_000})
    plan = workshop.plan(job)
    with pytest.raises(TokenizerError, match=r"vocabulary_size 50000; expected at most \d+. Set"):
        tokenizers.make_tokenizers(plan.head, catalogue(plan, workshop.stage(plan)))


def test_what_is_finished_is_not_done_again(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = workshop.job([("train", workshop.corpus("c", workshop.sentences(60)))])
    plan = workshop.plan(job)
    units = workshop.stage(plan)
    staged = catalogue(plan, units)
    made = workshop.decide(plan, staged)
    shard = build.build_shard(plan.head, plan.head.partitions[0], staged, made)
    monkeypatch.setattr("seq2seq_core.preparation.staging.stage.read_part", None)
    monkeypatch.setattr("seq2seq_core.preparation.building.tokenizers.train", None)
    monkeypatch.setattr("seq2seq_core.preparation.building.build.gather", None)
    assert workshop.stage(plan) == units
    assert catalogue(plan, units) == staged
    assert workshop.decide(plan, staged) == made
    assert build.build_shard(plan.head, plan.head.partitions[0], staged, made) == shard


def test_a_lost_or_doubled_report_is_noticed(workshop: Any) -> None:
    plan = workshop.plan(
        workshop.job([("train", workshop.corpus("c", workshop.sentences(60)))], unit_rows=30, shards=2)
    )
    units = workshop.stage(plan)
    staged = catalogue(plan, units)
    decisions = workshop.decide(plan, staged)
    made = decisions.tokenizers
    shards = [build.build_shard(plan.head, partition, staged, decisions) for partition in plan.head.partitions]
    make_record(plan, units, [made], shards, KnownReports())
    for case in (
        (units[1:], [made], shards),
        ([*units, units[0]], [made], shards),
        (units, [], shards),
        (units, [made], shards[1:]),
        (units, [made], [shards[0], shards[0]]),
    ):
        with pytest.raises(DatasetError, match="missing or there twice"):
            make_record(plan, *case, KnownReports())
    for wrong in (units[1:], [*units, units[0]], []):
        with pytest.raises(DatasetError, match="a unit is missing or there twice"):
            catalogue(plan, wrong)
    with pytest.raises(DatasetError, match="does not add up"):
        make_record(plan, [units[0].model_copy(update={"read": 7}), units[1]], [made], shards, KnownReports())
    Path(plan.head.output, shards[0].entry.path).write_bytes(b"of another run")
    with pytest.raises(DatasetError, match="not the one this run wrote"):
        make_record(plan, units, [made], shards, KnownReports())


FOREIGN = ("notes.txt", "train/part-00000-of-00007.parquet", "part-00000-of-00001.parquet", "joint.model", "_work/x")


def test_nothing_of_others_is_ever_swept(workshop: Any) -> None:
    """Raw files have the names that Beam and this program give to theirs."""
    job = workshop.job([("train", workshop.corpus("c", workshop.sentences(60)))], shards=1)
    temporary = f"train/.part-00000-of-00001.parquet.{'a' * 32}.tmp"
    for name in (*FOREIGN, temporary):
        storage.publish_text(storage.join(job.output, name), name)
    workshop.prepare(job)
    workshop.prepare(job)
    for name in FOREIGN:
        assert storage.read_text(storage.join(job.output, name)) == name
    assert not storage.exists(storage.join(job.output, temporary))


@pytest.mark.parametrize(
    "name", ["train/part-00000-of-00001.parquet", "tokenizer/joint.model", "rejected/part-00000-of-00001.parquet"]
)
def test_a_file_of_others_that_stands_in_the_way_is_named_before_any_work(workshop: Any, name: str) -> None:
    job = workshop.job([("train", workshop.corpus("c", workshop.sentences(60)))], shards=1)
    Path(job.output, "_work").mkdir(parents=True)
    storage.publish_text(storage.join(job.output, name), "mine")
    with pytest.raises(ForeignFileError, match=rf"{name}: a file that this program has not written stands where the"):
        workshop.plan(job)
    assert storage.files_below(job.output) == [name]
    assert storage.read_text(storage.join(job.output, name)) == "mine"


def test_a_page_of_others_is_not_overwritten(workshop: Any) -> None:
    job = workshop.job([("train", workshop.corpus("c", workshop.sentences(60)))], shards=1)
    storage.publish_text(storage.join(job.output, "report.html"), "<html>mine</html>")
    with pytest.raises(ForeignFileError, match=r"report\.html: a file that this program has not written"):
        workshop.plan(job)


def test_nothing_left_is_an_error_with_a_given_tokenizer_too(workshop: Any, tmp_path: Path) -> None:
    first = workshop.job([("train", workshop.corpus("a", workshop.sentences(60)))], output="first")
    workshop.prepare(first)
    given = {"model": f"{first.output}/tokenizer/joint.model"}
    blank = workshop.job([("train", workshop.corpus("b", [("same", "same")] * 4))], output="second", tokenizer=given)
    with pytest.raises(InputError, match=r"no training row is left; found 4 rows read, rejected by rule: identical 4"):
        workshop.prepare(blank)
    assert not storage.exists(f"{blank.output}/dataset.json")


def test_a_dataset_on_an_object_store(workshop: Any) -> None:
    job = workshop.job([("train", workshop.corpus("c", workshop.sentences(60)))])
    local = workshop.prepare(job)
    remote = job.model_copy(update={"output": "memory://bucket/prepared"})
    assert workshop.prepare(remote).digest == local.digest
    assert "_work" not in storage.list_folder("memory://bucket/prepared")
    with pytest.raises(StorageError):
        storage.read_bytes("memory://bucket/prepared/_work/claim-00000.json")


def test_of_duplicates_the_one_with_the_best_score_stays(workshop: Any) -> None:
    lines = ["1.5\ta a a\tx x", "9\tb b b\ty y", "-3\tc c c\tz z", "2.5\ta a a\tw w", "2.5\ta a a\tv v", "bad\td\te"]
    (workshop.folder / "s.tsv").write_text("\n".join(lines) + "\n")
    scored = CorpusConfig(path=str(workshop.folder / "s.tsv"), source_field=2, target_field=3, score_field=1)
    plain = workshop.corpus("p", [("c c c", "no score"), ("e e e", "alone here")])
    corpora = [("train", plain), ("train", scored)]
    recipe: dict[str, Any] = {"deduplicate": "source", "tokenizer": {"vocabulary_size": 280, "type": "bpe"}}
    manifest = workshop.prepare(workshop.job(corpora, keep="best", unit_rows=1, **recipe))
    kept = {(row["origin"], row["line"]) for row in rows_of(str(workshop.folder / "out"), "train")}
    assert kept == {("s.tsv", 4), ("s.tsv", 2), ("s.tsv", 3), ("p.en", 2)}
    assert (manifest.ledger.duplicates, manifest.ledger.rejected) == (3, {"bad_score": 1})
    first = workshop.prepare(workshop.job(corpora, "first", unit_rows=1, **recipe))
    assert first.ledger.duplicates == 3
    kept = {(row["origin"], row["line"]) for row in rows_of(str(workshop.folder / "first"), "train")}
    assert kept == {("s.tsv", 1), ("s.tsv", 2), ("p.en", 1), ("p.en", 2)}


def test_scores_are_kept_where_that_is_asked_for(workshop: Any) -> None:
    lines = [f"{number / 4}\t{source}\t{target}" for number, (source, target) in enumerate(workshop.sentences(60))]
    (workshop.folder / "s.tsv").write_text("\n".join(lines) + "\n")
    scored = CorpusConfig(path=str(workshop.folder / "s.tsv"), source_field=2, target_field=3, score_field=1)
    corpora = [("train", workshop.corpus("p", workshop.sentences(20, seed=1))), ("train", scored)]
    recipe: dict[str, Any] = {"shards": 3, "tokenizer": {"vocabulary_size": 280, "type": "bpe"}}
    job = workshop.job(corpora, keep_scores=True, shares={"valid": 0.2}, **recipe)
    manifest = workshop.prepare(job)
    verify(job.output)
    assert manifest.splits["valid"].rows
    assert "score" not in rows_of(job.output, "valid")[0]
    rows = rows_of(job.output, "train")
    expected = [-math.inf if row["origin"] == "p.en" else (row["line"] - 1) / 4 for row in rows]
    assert [row["score"] for row in rows] == expected
    dataset = Dataset.open(job.output)
    assert dataset.scores().tolist() == expected
    assert dataset.scores(5, 41).tolist() == expected[5:41]
    plain = workshop.job(corpora, "plain", shares={"valid": 0.2}, **recipe)
    without = workshop.prepare(plain)
    assert without.recipe_fingerprint != manifest.recipe_fingerprint
    assert [{**row, "score": s} for row, s in zip(rows_of(plain.output, "train"), expected, strict=True)] == rows
    with pytest.raises(DatasetError, match="keeps no scores of its rows"):
        Dataset.open(plain.output).scores()


def test_shards_do_not_depend_on_how_they_are_cut_into_batches(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = workshop.sentences(180)
    corpora = [("train", workshop.corpus("c", rows[:150])), ("test", workshop.corpus("t", rows[150:]))]
    expected = workshop.prepare(workshop.job(corpora, shards=1))
    for name, value in (("_BATCH_ROWS", 7), ("_BATCH_BYTES", 100)):
        monkeypatch.setattr(batches, name, value)
        assert workshop.prepare(workshop.job(corpora, name, shards=1)).splits == expected.splits


def test_near_duplicates_are_rejected_where_they_are_looked_for(workshop: Any) -> None:
    rows = [
        (f"{a} {a[::-1]} and a long tail of words {i}", f"{b} {i}") for i, (a, b) in enumerate(workshop.sentences(80))
    ]
    near = [(source.replace("tail", "tale"), target) for source, target in rows[:10]]
    corpus = workshop.corpus("c", [*rows, *near])
    config: dict[str, Any] = {"bands": 30, "rows": 4, "side": "source"}
    manifest = workshop.prepare(workshop.job([("train", corpus)], shards=3, near_duplicates=config))
    found = manifest.ledger.rejected["near_duplicate"]
    assert found >= 10
    assert manifest.ledger.balance == 0
    kept = {row["id"].hex() for row in rows_of(str(workshop.folder / "out"), "train")}
    gone = [row for row in rows_of(str(workshop.folder / "out"), "rejected/shards") if row["rule"] == "near_duplicate"]
    assert {row["value"].split()[1] for row in gone} <= kept
    assert "near_duplicate" not in workshop.prepare(workshop.job([("train", corpus)], "off", shards=3)).ledger.rejected
