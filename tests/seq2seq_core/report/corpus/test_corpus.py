"""What the report says of a dataset's text: exact on small ones, even on large ones, and nothing makes it stumble."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.report.corpus.corpus import Corpus, look_at_corpus
from seq2seq_core.report.corpus.sample import sample_rows
from seq2seq_core.report.data import ReportData
from seq2seq_core.report.page import render

PLAIN = [("a dog runs", "ein Hund rennt"), ("a cat sleeps", "eine Katze schläft")]


def page_of(dataset: Dataset, corpus: Corpus | None = None) -> str:
    return render(ReportData("x", manifest=dataset.manifest, corpus=corpus or look_at_corpus(dataset)))


def test_figures_of_a_side_are_exact(press: Any) -> None:
    rows = [*PLAIN, ("a dog runs", "東")]
    corpus = look_at_corpus(press.publish([[press.table(rows)]], duplicates=4))
    source, target = corpus.sides
    encoded = [press.tokenizer.encode([row[side] for row in rows]) for side in (0, 1)]
    assert (source.characters, source.words) == (len("a dog runs") * 2 + len("a cat sleeps"), 9)
    assert source.tokens == sum(map(len, encoded[0]))
    assert source.tokens_per_character == pytest.approx(source.tokens / source.characters)
    assert source.fertility == pytest.approx(source.tokens / 9)
    assert source.pieces_used == len({int(i) for row in encoded[0] for i in row})
    assert 0 < source.pieces < press.tokenizer.vocabulary_size - 256
    assert (source.unknown, source.byte_pieces, source.byte_share) == (0, 0, 0.0)
    assert target.byte_pieces == 3  # of the one Japanese character
    assert {share.name for share in target.scripts} == {"Latin", "Han"}
    assert sum(share.part for share in target.scripts) == pytest.approx(1)
    assert (source.shared_texts, target.shared_texts) == (2, 0)
    assert [(item.text, item.rows) for item in source.repeated] == [("a dog runs", 2)]
    assert sum(corpus.rates[0]) == sum(corpus.lengths.ratios) == 3


def test_long_and_uneven_rows_are_found_in_every_shard_of_every_generation(press: Any) -> None:
    long, short = ("a dog runs " * 6, "ein Hund rennt " * 6), ("a cat sleeps a dog runs", "K")
    wide = ("K", "eine Katze schläft ein Hund")
    generations = [
        [press.table(PLAIN * 30), press.table([*PLAIN, short, *PLAIN], 100)],
        [press.table([*PLAIN * 4, long, wide], 200)],
    ]
    corpus = look_at_corpus(press.publish(generations), sample_size=6)
    assert (corpus.longest[0].line, corpus.longest[0].source) == (208, long[0].strip())
    reasons = {row.line: row.reason for row in corpus.odd}
    assert reasons[102] == "target shortest for its source"
    assert reasons[209] == "target longest for its source"
    assert corpus.rows < 12


def test_odd_rows_are_found_in_the_sample(press: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)
    odd = [("a dog runs", "東京東京 Hund"), ("dgrnsxyz", "ein Hund"), ("a cat", "Дом Hund Дом Hund")]
    corpus = look_at_corpus(press.publish([[press.table([*PLAIN * 40, *odd])]]))
    found = {(row.line, row.reason) for row in corpus.odd}
    assert (83, "target: letters of a rare script") in found
    assert (82, "source: outside the vocabulary") in found
    assert len({row.line for row in corpus.odd if ":" in row.reason}) == len(
        [row for row in corpus.odd if ":" in row.reason]
    )


def test_a_sample_is_the_head_of_each_generation_in_its_share(press: Any) -> None:
    first, second = [press.table(PLAIN * 20), press.table(PLAIN * 20, 41)], [press.table(PLAIN * 10, 1001)]
    dataset = press.publish([first, second])
    assert sample_rows(dataset, 50).lines == [*range(1, 41), *range(1001, 1011)]
    assert sample_rows(dataset, 10_000).lines == [*range(1, 81), *range(1001, 1021)]
    assert sample_rows(dataset, 10).source.texts == [source for source, _ in PLAIN * 5]


def test_language_tags_and_empty_sources_are_no_text(press: Any) -> None:
    tagged = look_at_corpus(press.publish([[press.table(PLAIN, tagged=True)]]))
    plain = look_at_corpus(press.publish([[press.table(PLAIN)]]))
    assert tagged.sides == plain.sides
    assert tagged.rates == plain.rates
    for is_tagged in (True, False):
        dataset = press.publish([[press.table([("", target) for _, target in PLAIN], tagged=is_tagged)]])
        corpus = look_at_corpus(dataset)
        assert [side.name for side in corpus.sides] == ["target"]
        assert corpus.longest[0].source == ""
        assert "ein Hund rennt" in page_of(dataset, corpus)


def test_a_dataset_without_rows_has_a_page(press: Any) -> None:
    dataset = press.publish([[press.table([])]])
    corpus = look_at_corpus(dataset)
    assert (corpus.rows, corpus.sides, corpus.longest, corpus.odd, corpus.rejects) == (0, (), (), (), ())
    assert 'id="text"' not in page_of(dataset, corpus)


def test_rows_of_random_tokens_have_the_same_page_each_time(random_dataset: Any) -> None:
    dataset = random_dataset()
    page = page_of(dataset)
    assert page == page_of(dataset)
    assert 'id="rejected"' in page


def reject(line: int, rule: str, **values: Any) -> dict[str, Any]:
    row = {"origin": "corpus.en", "line": line, "rule": rule, "value": f"{line} words", "threshold": "1 to 9"}
    return row | {"source": "s", "target": "t"} | values


def test_rejects_are_drawn_from_all_files_and_rare_rules_are_found(press: Any) -> None:
    many = [[reject(1000 * i + line, "words") for line in range(50)] for i in range(20)]
    many[13].append(reject(5, "not_utf8", source=None, value="byte 0xff"))
    dataset = press.publish([[press.table(PLAIN)]], many)
    words, rare = look_at_corpus(dataset).rejects
    assert (words.rule, words.count, len(words.examples)) == ("words", 1000, 10)
    assert len({example.line // 1000 for example in words.examples}) > 3
    assert all(example.value == f"{example.line} words" for example in words.examples)
    assert [(example.line, example.source, example.target) for example in rare.examples] == [(5, None, "t")]
    page = page_of(dataset)
    assert "<em>unreadable</em>" in page
    assert "1,000 rows; passes: 1 to 9" in page


def test_hostile_text_is_shown_and_does_nothing(press: Any) -> None:
    rows = [reject(1, "<b>", source="<script>alert(1)</script>\x00", target="x" * 500_000, value="<i>")]
    page = page_of(press.publish([[press.table(PLAIN)]], [rows]))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+0000⟩" in page
    assert "(500,000 characters)" in page
    assert "<script" not in page
    assert "\x00" not in page
    assert len(page) < 150_000


def test_languages_are_told_where_a_package_can(press: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)
    dataset = press.publish([[press.table(PLAIN)]])
    corpus = look_at_corpus(dataset)
    assert corpus.language_rows == 0
    assert all(side.languages is None for side in corpus.sides)
    assert "where the package py3langid is installed" in page_of(dataset, corpus)


def test_a_language_that_is_not_the_sides_own_is_odd(press: Any) -> None:
    pytest.importorskip("py3langid")
    english = [
        ("the dog runs through the park with its owner", f"der Hund rennt mit seinem Herrn durch den Park {i}")
        for i in range(9)
    ]
    french = ("the dog sleeps", "le chien dort dans la maison de ses parents pendant la nuit")
    corpus = look_at_corpus(press.publish([[press.table([*english, french])]]))
    assert corpus.language_rows == 10
    assert corpus.sides[1].languages is not None
    assert [(share.name, share.part) for share in corpus.sides[1].languages] == [("de", 0.9), ("fr", 0.1)]
    assert ("target: another language", "fr", 10) in {(row.reason, row.value, row.line) for row in corpus.odd}
