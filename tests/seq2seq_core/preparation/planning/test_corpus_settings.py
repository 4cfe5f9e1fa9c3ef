"""What a corpus says of itself over what the run says of all, tags before sources, and sets kept out of training."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import pytest

from seq2seq_core.config import build
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ConfigError, TokenizerError
from seq2seq_core.preparation.planning.corpus_settings import resolve
from seq2seq_core.preparation.terms.recipe import Recipe


def config(**values: Any) -> CorpusConfig:
    return build(CorpusConfig, {"source": "a", "target": "b", **values}, where="corpus c")


def test_a_corpus_retunes_rules_and_normalisation_key_by_key() -> None:
    recipe = Recipe.model_validate({"filters": {"words": {"minimum": 2}}})
    own = {"words": {"maximum": 20}, "identical": None}
    corpus = resolve(config(filters=own, normalize={"unicode": "nfc"}), "train", "c", recipe)
    assert corpus.filters.words is not None
    assert (corpus.filters.words.minimum, corpus.filters.words.maximum) == (2, 20)
    assert corpus.filters.identical is None
    assert corpus.filters.length_ratio == recipe.filters.length_ratio
    assert (corpus.normalize.unicode, corpus.normalize.whitespace) == ("nfc", True)
    assert resolve(config(filters=own), "valid", "v", recipe).filters.words is None


def test_an_unknown_rule_of_a_corpus_names_the_corpus_and_its_neighbour() -> None:
    with pytest.raises(ConfigError, match=r"corpus web: filters.*Did you mean words"):
        resolve(config(filters={"word": {}}), "train", "web", Recipe())


@pytest.mark.parametrize("role", ["train", "valid", "benchmark"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"filters": {"words": {"maximum": True}}}, "filters: words.maximum: true and false have no place here"),
        ({"filters": {"length_ratio": {"maximum": float("inf")}}}, "filters.*: the number must be finite"),
        ({"filters": {"words": {"maximum": 1 << 63}}}, "filters.*: the number has more than 64 bits"),
        ({"filters": {"phrases": {"file": ""}}}, r"filters: phrases.file: an empty path"),
        ({"filters": {"phrases": {"phrases": [False]}}}, "filters: phrases.phrases.0: true and false"),
        ({"filters": {"wrods": None}}, "filters: unknown key 'wrods'"),
        ({"normalize": {"unicode": False}}, "normalize: unicode: true and false have no place .* put it in quotes"),
        ({"normalize": {"whitspace": True}}, "normalize: unknown key 'whitspace'"),
    ],
)
def test_what_a_corpus_says_is_looked_at_whatever_it_is_for(role: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(config(**values), role, "c", Recipe())


def test_tags_stand_before_the_sources_of_their_corpus_alone(workshop: Any) -> None:
    rows = workshop.sentences(60)
    german = workshop.corpus("de", rows[:30]).model_copy(update={"tag": True, "target_language": "de"})
    plain = workshop.corpus("fr", rows[30:])
    manifest = workshop.prepare(workshop.job([("train", german), ("train", plain)], shards=2))
    dataset = Dataset.open(str(workshop.folder / "out"))
    tag = dataset.source_tokenizer.control_id(">>de<<")
    tables = [pq.read_table(workshop.folder / "out" / shard.path) for shard in manifest.splits["train"].shards]
    found = [row for table in tables for row in table.to_pylist()]
    assert len(found) == 60
    for row in found:
        tagged = row["origin"] == "de.en"
        assert (row["source"][0] == tag) == tagged
        assert tag not in row["target"]
        assert row["source_length"] == len(row["source"])
        assert (
            dataset.source_tokenizer.encode([rows[row["line"] - 1 + 30 * (not tagged)][0]])[0].tolist()
            == (row["source"][tagged:])
        )
    assert [(entry.tag, entry.origins) for entry in manifest.corpora] == [(">>de<<", ("de.en",)), (None, ("fr.en",))]
    assert dataset.source_tokenizer.encode([">>de<<"])[0].tolist() != [tag]


def test_a_given_tokenizer_without_the_tag_is_refused(workshop: Any) -> None:
    corpus = workshop.corpus("c", workshop.sentences(60))
    workshop.prepare(workshop.job([("train", corpus)], output="o1"))
    given = {"model": str(workshop.folder / "o1" / "tokenizer" / "joint.model")}
    tagged = corpus.model_copy(update={"tag": True, "target_language": "de"})
    with pytest.raises(TokenizerError, match=r"no such control piece; expected >>de<<"):
        workshop.prepare(workshop.job([("train", tagged)], output="o2", tokenizer=given))


def test_rows_of_a_benchmark_are_kept_out_of_training_and_out_of_the_ledger(workshop: Any) -> None:
    rows = workshop.sentences(60)
    job = workshop.job([("train", workshop.corpus("c", rows)), ("benchmark", workshop.corpus("b", rows[:7]))])
    manifest = workshop.prepare(job)
    assert (manifest.ledger.read, manifest.ledger.rejected, manifest.ledger.balance) == (60, {"held_out": 7}, 0)
    assert set(manifest.splits) == {"train"}


def test_weights_of_corpora_reach_the_rows_of_the_training_split(workshop: Any) -> None:
    rows = workshop.sentences(60)
    heavy = workshop.corpus("a", rows[:20]).model_copy(update={"weight": 2.5})
    job = workshop.job([("train", heavy), ("train", workshop.corpus("b", rows[20:]))], shards=3)
    workshop.prepare(job)
    dataset = Dataset.open(job.output)
    weights = dataset.weights("train")
    assert weights is not None
    tables = [dataset.read_shard(shard) for shard in dataset.split("train").shards]
    origins = [origin for table in tables for origin in table.column("origin").to_pylist()]
    assert weights.values[weights.codes].tolist() == [2.5 if origin == "a.en" else 1.0 for origin in origins]
    assert len(set(origins)) == 2
    even = workshop.job([("train", workshop.corpus("c", rows))], output="even")
    workshop.prepare(even)
    assert Dataset.open(even.output).weights("train") is None


def test_a_corpus_with_max_rows_keeps_those_with_its_smallest_ids(workshop: Any) -> None:
    rows = workshop.sentences(300)
    capped = workshop.corpus("a", [*rows[:200], *rows[:10]]).model_copy(update={"max_rows": 70})
    corpora = [("train", capped), ("train", workshop.corpus("b", rows[200:]))]
    manifest = workshop.prepare(workshop.job(corpora, shards=5, shares={"valid": 0.1}))
    whole = workshop.prepare(
        workshop.job([("train", workshop.corpus("a", rows[:200]))], "whole", shares={"valid": 0.1})
    )
    dataset, every = (Dataset.open(str(workshop.folder / name)) for name in ("out", "whole"))
    found = [
        row for s in manifest.splits["train"].shards for row in dataset.read_shard(s, ["id", "origin"]).to_pylist()
    ]
    ids = [row["id"] for row in found if row["origin"] == "a.en"]
    expected = [i for s in whole.splits["train"].shards for i in every.read_shard(s, ["id"]).column("id").to_pylist()]
    assert ids == sorted(expected)[:70]
    assert manifest.ledger.rejected == {"max_rows": len(expected) - 70}
    assert (manifest.ledger.duplicates, manifest.ledger.balance) == (10, 0)


@pytest.mark.parametrize("given_as", ["files", "share", "benchmark"])
def test_training_rows_that_share_a_long_ngram_with_what_is_held_out_are_rejected(workshop: Any, given_as: str) -> None:
    rows = workshop.sentences(200)
    long = "one two three four five six seven eight nine ten"
    held = [(f"{long} held {i}", f"ein langer Text auf Deutsch {i}") for i in range(3)]
    near = [("well " + long, "noch ein langer Text")]
    roles: list[Any] = [("train", workshop.corpus("c", [*rows, *near, *(held if given_as == "share" else [])]))]
    if given_as != "share":
        roles.append(("test" if given_as == "files" else "benchmark", workshop.corpus("h", held)))
    shares = {"test": 0.4} if given_as == "share" else {}
    protection = {"ngram_words": 10}
    manifest = workshop.prepare(workshop.job(roles, shares=shares, shards=3, protection=protection))
    rejected = manifest.ledger.rejected["held_out_ngram"]
    assert manifest.ledger.balance == 0
    if given_as == "share":  # whichever of the four went to the test set keeps the others out of training
        tests = Dataset.open(str(workshop.folder / "out")).texts("test", "source")
        in_test = sum(long in text for text in tests)
        assert 0 < in_test < 4
        assert rejected == 4 - in_test
    else:
        assert rejected == 1
    file = manifest.rejected[-1]
    row = pq.read_table(workshop.folder / "out" / file.path).to_pylist()[0]
    assert (row["rule"], row["value"]) == ("held_out_ngram", f"source {long}")
    assert file.path.startswith("rejected/shards/")
    off = workshop.prepare(workshop.job(roles, "off", shares=shares, protection={"ngram_words": None}))
    assert "held_out_ngram" not in off.ledger.rejected


def test_text_alone_is_split_deduplicated_and_held_out_by_its_text(workshop: Any) -> None:
    rows = workshop.sentences(300)
    for name, texts in (("t", [text for text, _ in [*rows, *rows[:9]]]), ("b", [text for text, _ in rows[:20]])):
        (workshop.folder / f"{name}.txt").write_text("".join(f"{text}\n" for text in texts))
    alone, benchmark = (CorpusConfig(text=str(workshop.folder / f"{name}.txt")) for name in ("t", "b"))
    roles = [("train", alone), ("benchmark", benchmark)]
    manifest = workshop.prepare(workshop.job(roles, shares={"valid": 0.2}, shards=2, deduplicate="source"))
    assert 30 < manifest.ledger.kept["valid"] < 90
    assert manifest.ledger.rejected == {"held_out": 29}
    assert (sum(manifest.ledger.kept.values()), manifest.ledger.balance) == (280, 0)
    dataset = Dataset.open(str(workshop.folder / "out"))
    assert set(dataset.texts("valid", "source")) == {""}
    assert set(dataset.texts("valid", "target")) <= {text for text, _ in rows[20:]}


def test_rows_of_too_many_pieces_are_rejected_by_the_rule_of_their_corpus(workshop: Any) -> None:
    rows = workshop.sentences(120)
    strict = workshop.corpus("a", rows[:60]).model_copy(update={"filters": {"tokens": {"maximum": 12}}})
    corpora = [("train", strict), ("train", workshop.corpus("b", rows[60:]))]
    manifest = workshop.prepare(workshop.job(corpora, shards=2, shares={"valid": 0.2}))
    dataset = Dataset.open(str(workshop.folder / "out"))
    longest: dict[str, int] = {}
    for split in manifest.splits.values():
        for shard in split.shards:
            for row in dataset.read_shard(shard, ["origin", "source_length", "target_length"]).to_pylist():
                length = max(row["source_length"], row["target_length"])
                longest[row["origin"]] = max(longest.get(row["origin"], 0), length)
    assert longest["a.en"] <= 12 < longest["b.en"]
    assert manifest.ledger.rejected["tokens"] > 0
    assert manifest.ledger.balance == 0
    row = dataset.read_shard(manifest.rejected[-1]).to_pylist()[0]
    assert (row["rule"], row["threshold"]) == ("tokens", "1 to 12")
    assert row["source"] in dict(rows)
