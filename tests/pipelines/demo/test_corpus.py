"""The demo corpus: reproducible, without overlap, held out by combination, and dirty in exactly the stated numbers."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from random import Random

import pytest

from pipelines.commands import prepare
from pipelines.demo import corpus, dirt
from pipelines.demo.corpus import Sentence, Summary, generate, sentences
from pipelines.demo.phrase import Phrase
from pipelines.demo.templates import Template
from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, ForeignFileError

Pair = tuple[str, str]
Drawn = tuple[list[Pair], dict[Pair, tuple[str, ...]]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return generate(str(tmp_path_factory.mktemp("corpus")), pairs=1000, seed=3, valid=40, test=60)


def lines_of(summary: Summary, name: str) -> list[tuple[bytes, bytes]]:
    sides = [(Path(summary.folder) / f"{name}{suffix}").read_bytes().split(b"\n") for suffix in (".en", ".de")]
    assert all(side.pop() == b"" for side in sides)
    return list(zip(*sides, strict=True))


def pairs_of(summary: Summary, name: str) -> list[Pair]:
    return [(source.decode(), target.decode()) for source, target in lines_of(summary, name)]


def test_the_files_hold_what_the_summary_says(small: Summary) -> None:
    assert len(lines_of(small, "train")) == small.train_lines == 1000 + sum(small.injected.values())
    assert (len(lines_of(small, "valid")), len(lines_of(small, "test"))) == (40, 60)
    stored = json.loads((Path(small.folder) / "corpus.json").read_text())
    assert stored["injected"] == small.injected
    assert set(small.injected) == set(dirt.KINDS)
    assert min(small.injected.values()) >= 1


def test_a_seed_gives_the_same_bytes_and_another_seed_others(small: Summary, tmp_path: Path) -> None:
    again = generate(str(tmp_path / "again"), pairs=1000, seed=3, valid=40, test=60)
    other = generate(str(tmp_path / "other"), pairs=1000, seed=4, valid=40, test=60)
    for name in ("train", "valid", "test"):
        assert lines_of(again, name) == lines_of(small, name)
        assert lines_of(other, name) != lines_of(small, name)


def test_no_clean_sentence_stands_twice_on_either_side(small: Summary, drawn: Drawn) -> None:
    held_out = pairs_of(small, "valid") + pairs_of(small, "test")
    for side in (0, 1):
        texts = [pair[side] for pair in (*drawn[0], *held_out)]
        assert len(set(texts)) == len(texts)


def test_training_shows_no_held_out_combination(small: Summary, drawn: Drawn) -> None:
    clean, combinations = drawn
    shown = {combination for pair in clean for combination in combinations[pair]}
    for pair in pairs_of(small, "valid") + pairs_of(small, "test"):
        new = [combination for combination in combinations[pair] if combination not in shown]
        assert any(map(corpus.is_held_out, new)), pair
    assert not any(map(corpus.is_held_out, shown))


def test_each_held_out_combination_is_asked_once(small: Summary, drawn: Drawn) -> None:
    pairs = pairs_of(small, "valid") + pairs_of(small, "test")
    asked = [c for pair in pairs for c in drawn[1][pair] if corpus.is_held_out(c)]
    assert len(set(asked)) == len(asked) >= len(pairs)


@pytest.fixture(scope="module")
def drawn(small: Summary) -> Drawn:
    return draw(small)


def draw(summary: Summary) -> Drawn:
    """Clean training pairs, and the combinations of every sentence that the seed gives."""
    combinations: dict[Pair, tuple[str, ...]] = {}
    for sentence in itertools.islice(sentences(Random(summary.seed)), 3000):
        combinations.setdefault((sentence.pair.source, sentence.pair.target), sentence.combinations)
    found: list[Pair] = []
    for source, target in lines_of(summary, "train"):
        try:
            found.append((source.decode(), target.decode()))
        except UnicodeDecodeError:
            continue
    held_out = set(pairs_of(summary, "valid") + pairs_of(summary, "test"))
    clean = [pair for pair in dict.fromkeys(found) if pair in combinations and pair not in held_out]
    assert len(clean) == summary.train
    return clean, combinations


def test_cleaning_finds_exactly_the_dirt_that_was_mixed_in(small: Summary, tmp_path: Path) -> None:
    values = {
        "source": f"{small.folder}/train.en",
        "target": f"{small.folder}/train.de",
        "output": str(tmp_path / "dataset"),
        "validation": {"source": f"{small.folder}/valid.en", "target": f"{small.folder}/valid.de"},
        "test": {"source": f"{small.folder}/test.en", "target": f"{small.folder}/test.de"},
        "tokenizer": {"type": "bpe", "vocabulary_size": 500},
    }
    ledger = prepare.run(configuration.build(prepare.PrepareConfig, values)).ledger
    injected = small.injected
    assert {rule: count for rule, count in ledger.rejected.items() if count} == {
        "empty": injected["empty"],
        "words": injected["overlong"],
        "length_ratio": injected["ratio"],
        "identical": injected["identical"],
        "held_out": injected["held_out"],
        "not_utf8": injected["invalid_utf8"],
    }
    # What was garbled is repaired, and then the same as the row it was made of.
    assert ledger.duplicates == injected["duplicate"] + injected["respaced"] + injected["mojibake"]
    assert ledger.kept == {"train": small.train, "valid": small.valid, "test": small.test}


def test_mojibake_is_readable_but_garbled(small: Summary, drawn: Drawn) -> None:
    clean = dict(drawn[0])
    garbled = 0
    for source, target in lines_of(small, "train"):
        text = target.decode(errors="replace")
        if "Ã" in text and source.decode() in clean and text != clean[source.decode()]:
            assert text.encode("cp1252").decode() == clean[source.decode()]
            garbled += 1
    assert garbled == small.injected["mojibake"]


def test_a_sentence_is_held_out_with_any_of_its_combinations() -> None:
    held = next(c for c in map(str, range(1000)) if corpus.is_held_out(c))
    free = next(c for c in map(str, range(1000)) if not corpus.is_held_out(c))
    assert Sentence(Phrase("a", "b"), (free, held)).is_held_out
    assert not Sentence(Phrase("a", "b"), (free, free)).is_held_out


def test_sentences_begin_with_a_capital_and_end_in_one_mark() -> None:
    for sentence in itertools.islice(sentences(Random(0)), 2000):
        for text in (sentence.pair.source, sentence.pair.target):
            assert text[0] == text[0].upper(), text
            assert text.endswith((".", "?")), text
            assert "{" not in text, text
            assert text == " ".join(text.split()), text


@pytest.mark.parametrize("counts", [{"pairs": 0}, {"valid": 0}, {"test": -1}])
def test_counts_must_be_positive(counts: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(counts))} must be at least 1"):
        generate(str(tmp_path), **counts)


def test_too_few_sentences_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "TEMPLATES", (Template("it is {weekday}", "es ist {weekday}"),))
    with pytest.raises(ConfigError, match="do not hold that many sentences"):
        generate(str(tmp_path), pairs=5000)


def test_files_of_others_are_not_overwritten_and_a_killed_demo_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    corpus.generate(str(folder), pairs=1000, seed=1, valid=5, test=5)
    (folder / corpus.SUMMARY_NAME).unlink()  # as after a kill
    whole = (folder / "train.en").read_bytes()
    (folder / "test.de").write_text("mine")
    with pytest.raises(ForeignFileError, match=r"test\.de: a file that this program has not written"):
        corpus.generate(str(folder), pairs=1000, seed=1, valid=5, test=5)
    assert (folder / "test.de").read_text() == "mine"
    (folder / "test.de").unlink()
    corpus.generate(str(folder), pairs=1000, seed=1, valid=5, test=5)
    assert (folder / "train.en").read_bytes() == whole
