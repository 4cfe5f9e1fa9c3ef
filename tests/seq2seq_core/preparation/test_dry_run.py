from __future__ import annotations

from typing import Any

from seq2seq_core.preparation.dry_run import QUANTILES, DryRun, try_recipe
from seq2seq_core.report.dry_run import describe_dry_run


def dirty(workshop: Any, clean: int = 300) -> Any:
    rows = workshop.sentences(clean)
    rows += [*rows[:7], *[("same", "same")] * 3, *[("a b c", "")] * 2, *[("word " * 160, "short " * 150 + "x")] * 4]
    job = workshop.job([("train", workshop.corpus("a", rows))])
    path = workshop.folder / "a.de"
    path.write_bytes(path.read_bytes().replace(rows[5][1].encode(), b"\xff\x1b[2Jbad", 1))
    return job


def trial_of(run: DryRun, rule: str) -> Any:
    return next(trial for trial in run.trials if trial.rule == rule)


def test_a_sample_of_everything_gives_the_ledger_of_the_real_run(workshop: Any) -> None:
    job = dirty(workshop)
    run = try_recipe(job, 10_000)
    real = workshop.prepare(job).ledger
    assert run.ledger == real
    assert real.rejected == {"empty": 2, "identical": 3, "not_utf8": 1, "words": 4}
    assert real.duplicates == 6  # the seventh is unreadable


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
