from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.errors import InputError
from seq2seq_core.preparation.terms.corpus import Role
from seq2seq_core.preparation.trial.dry_run import QUANTILES, DryRun, try_recipe
from seq2seq_core.report.dry_run import describe_dry_run

SIDES = ("source", "target")


def dirty(workshop: Any, clean: int = 300) -> Any:
    rows = workshop.sentences(clean)
    rows += [*rows[:7], *[("same", "same")] * 3, *[("a b c", "")] * 2, *[("word " * 160, "short " * 150 + "x")] * 4]
    job = workshop.job([("train", workshop.corpus("a", rows))])
    path = workshop.folder / "a.de"
    path.write_bytes(path.read_bytes().replace(rows[5][1].encode(), b"\xff\x1b[2Jbad", 1))
    return job


def trial_of(run: DryRun, rule: str) -> Any:
    return next(trial for trial in (*run.trials, *run.later) if trial.rule == rule)


def with_held_out(workshop: Any, **recipe: Any) -> Any:
    """Known rows stand in a validation set, share seven words with a benchmark, or are long, some of them twice."""
    rows = workshop.sentences(300)
    shared = [(f"shared one two three four five six {i}", f"geteilt {i}") for i in range(3)]
    long = [(f"{'a man in the park ' * 12}{i}", f"{'park ' * 40}{i}") for i in range(2)]
    train = [*rows, *shared, *long, shared[0], long[0], rows[50]]
    held_out = [("a man " + source, target) for source, target in workshop.sentences(20, seed=9)]
    train += [(source, "another text") for source, _ in held_out[:5]]
    benchmark = [("Shared: one, two - three four FIVE six!", "nichts davon"), ("", "")]
    corpora = [
        ("train", workshop.corpus("a", train)),
        ("valid", workshop.corpus("v", held_out)),
        ("benchmark", workshop.corpus("b", benchmark)),
    ]
    settings = {"protection": {"ngram_words": 7}, "filters": {"tokens": {"maximum": 90}}}
    return workshop.job(corpora, **settings, **recipe)


def given_model(workshop: Any) -> dict[str, str]:
    workshop.prepare(workshop.job([("train", workshop.corpus("model", workshop.sentences(200)))], output="model"))
    return {"model": str(workshop.folder / "model" / "tokenizer" / "joint.model")}


def test_a_sample_of_everything_gives_the_ledger_of_the_real_run(workshop: Any) -> None:
    job = dirty(workshop)
    run = try_recipe(job, 10_000)
    real = workshop.prepare(job).ledger
    assert run.ledger == real
    assert real.rejected == {"empty": 2, "identical": 3, "not_utf8": 1, "words": 4}
    assert real.duplicates == 6  # the seventh is unreadable


def test_what_is_held_out_and_what_a_tokenizer_says_is_tried_as_well(workshop: Any) -> None:
    job = with_held_out(workshop, tokenizer=given_model(workshop))
    run = try_recipe(job, 10_000)
    real = workshop.prepare(job).ledger
    assert (run.ledger.rejected, run.ledger.duplicates) == (real.rejected, real.duplicates)
    assert run.ledger.rejected == {"held_out": 5, "held_out_ngram": 3, "tokens": 2}
    assert run.ledger.duplicates == 3
    assert run.ledger.kept["train"] == real.kept["train"] == 300
    assert (run.ledger.balance, run.untried) == (0, ())


def test_rules_asked_after_duplicates_are_told_after_them_and_of_all_rows(workshop: Any) -> None:
    run = try_recipe(with_held_out(workshop, tokenizer=given_model(workshop)), 10_000)
    ngrams, tokens = trial_of(run, "held_out_ngram"), trial_of(run, "tokens")
    assert (ngrams.rejected, ngrams.failed) == (3, 9)  # one of them twice; `held_out` has taken five before
    assert (tokens.rejected, tokens.failed) == (2, 3)
    assert [spread.name for spread in tokens.spreads] == ["source", "target"]
    assert ngrams.examples.column("value").to_pylist() == ["source shared one two three four five six"] * 3
    assert trial_of(run, "held_out").examples.column("value").to_pylist() == ["source in validation or test"] * 5
    text = describe_dry_run(run)
    ledger = [line.split() for line in text.split("ledger of the sample")[1].split("\n\n")[0].splitlines()]
    names = [words[0] for words in ledger if words]
    assert names[-4:] == ["held_out", "duplicates", "held_out_ngram", "tokens"]
    assert ledger[-1][:5] == ["tokens", "2", "0.64%", "300", "3"]
    assert "held_out_ngram: 3 rows (0.96%); what passes: no 7 words in a row" in text


def test_each_side_is_encoded_by_its_own_tokenizer(workshop: Any) -> None:
    """The source's letters are none of the target's, so the other model would cut it into far more pieces."""
    rows = [(source, target.upper()) for source, target in workshop.sentences(200)]
    training = {"tokenizer": {"vocabulary_size": 290, "type": "bpe", "joint": False}}
    workshop.prepare(workshop.job([("train", workshop.corpus("a", rows))], output="models", **training))
    given = {f"{side}_model": str(workshop.folder / "models" / "tokenizer" / f"{side}.model") for side in SIDES}
    job = workshop.job(
        [("train", workshop.corpus("a", rows))], tokenizer=given, filters={"tokens": {"maximum": 12}, "identical": None}
    )
    run = try_recipe(job, 1000)
    assert 0 < run.ledger.rejected["tokens"] < 200
    assert run.ledger == workshop.prepare(job).ledger


def test_of_text_alone_the_target_is_measured(workshop: Any) -> None:
    texts = [source for source, _ in workshop.sentences(60)]
    (workshop.folder / "text.en").write_text("".join(f"{text}\n" for text in texts))
    corpus = CorpusConfig(text=str(workshop.folder / "text.en"))
    settings = {"tokenizer": given_model(workshop), "filters": {"tokens": {"maximum": 12}}}
    job = workshop.job([("train", corpus)], output="alone", **settings)
    run = try_recipe(job, 1000)
    assert 0 < run.ledger.rejected["tokens"] < 60
    assert [spread.name for spread in trial_of(run, "tokens").spreads] == ["target"]
    assert run.ledger == workshop.prepare(job).ledger


def test_what_cannot_be_tried_is_told(workshop: Any) -> None:
    capped = workshop.corpus("a", workshop.sentences(30)).model_copy(update={"max_rows": 10})
    settings = {"filters": {"tokens": True}, "near_duplicates": True}
    run = try_recipe(workshop.job([("train", capped)], shares={"valid": 0.1}, **settings), 10_000)
    assert [step.split()[0] for step in run.untried] == ["tokens", "held_out_ngram", "near_duplicates", "max_rows"]
    assert "\n\nnot tried\n  tokens (there is no tokenizer yet)\n" in describe_dry_run(run)


def test_of_duplicates_the_one_that_stays_is_judged(workshop: Any) -> None:
    """Without source in the digest, a long source may win by its score."""
    lines = ["0.1\tgood\tsame", f"0.9\t{'long ' * 100}\tsame", *(f"1\tword {i}\tWort {i}" for i in range(50))]
    (workshop.folder / "s.tsv").write_text("".join(f"{line}\n" for line in lines))
    scored = CorpusConfig(path=str(workshop.folder / "s.tsv"), source_field=2, target_field=3, score_field=1)
    filters = {"tokens": {"maximum": 90}, "length_ratio": False}
    for keep, rejected in (("first", {}), ("best", {"tokens": 1})):
        settings = {"filters": filters, "deduplicate": "target", "keep": keep, "tokenizer": given_model(workshop)}
        job = workshop.job([("train", scored)], output=keep, **settings)
        run = try_recipe(job, 1000)
        assert run.ledger == workshop.prepare(job).ledger
        assert run.ledger.rejected == rejected


def test_without_deduplication_all_rows_stay(workshop: Any) -> None:
    job = dirty(workshop)
    recipe = job.recipe.model_copy(update={"deduplicate": "none"})
    assert try_recipe(job.model_copy(update={"recipe": recipe}), 10_000).ledger.duplicates == 0


def test_what_rules_measure_is_told_of_all_rows(workshop: Any) -> None:
    job = dirty(workshop)
    run = try_recipe(job, 10_000)
    words = trial_of(run, "words")
    assert (words.rejected, words.failed) == (4, 6)  # the rows with an empty side were rejected before
    source, target = words.spreads
    assert (source.name, target.name) == ("source", "target")
    assert (target.values[0], source.values[-1]) == (0, 160)
    assert len(source.values) == len(QUANTILES)
    assert trial_of(run, "identical").spreads == ()
    examples = words.examples.to_pylist()
    assert len(examples) == 4
    assert {row["value"] for row in examples} == {"source 160, target 151"}


@pytest.mark.parametrize("role", ["train", "valid"])
def test_an_empty_file_is_an_error_as_in_the_real_run(workshop: Any, role: Role) -> None:
    corpora = [("train", workshop.corpus("a", workshop.sentences(30))), (role, workshop.corpus("b", []))]
    for run in (lambda job: try_recipe(job, 100), workshop.prepare):
        with pytest.raises(InputError, match=r"b\.en: the file is empty"):
            run(workshop.job(corpora))


def test_nothing_to_read_is_a_ledger_of_nothing(workshop: Any) -> None:
    run = try_recipe(workshop.job([]), 10)
    assert (run.ledger.read, run.ledger.balance) == (0, 0)
    assert "0 of 0 sampled rows" in describe_dry_run(run)


def test_the_page_tells_rules_values_and_examples(workshop: Any) -> None:
    job = dirty(workshop)
    text = describe_dry_run(try_recipe(job, 10_000))
    lines = text.splitlines()
    assert lines[0] == "dry run: 300 of 316 sampled rows would be kept; nothing was written"
    assert any(line.split() == ["a.en", "316", "all", "over", "the", "file"] for line in lines)
    assert any(line.split()[:6] == ["words", "4", "1.27%", "309", "6", "1"] for line in lines)
    assert "words: 4 rows (1.27%); what passes: 1 to 150" in lines
    at = lines.index("not_utf8: 1 rows (0.32%); what passes: UTF-8")
    assert lines[at + 1] == "  a.en:6  target byte 0xff at 1"
    assert lines[at + 3] == "    target  (unreadable)"
    assert any(line.split()[:2] == ["words", "source"] for line in lines)
    assert "(799 characters)" in text  # long texts are cut
    assert "\x1b" not in text
