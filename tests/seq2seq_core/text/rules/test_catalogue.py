"""The catalogue as a whole: which rule a row counts under, switching and merging, and what real corpora lose."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.records import Records
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.rules.base import Rows, Rule, Sides
from seq2seq_core.text.rules.catalogue import FiltersConfig, judge_all, merge, only_empty, sift

UNKNOWN = Sides()
ALL_ON = {name: True for name in FiltersConfig.model_fields if name not in ("phrases", "language", "own")}
DIRTY = [
    ("ha ha ha ha ha", "aaaaaaaa bbbbbbb"),
    ("see http://a.example/b", "<b>fett</b> 123 &nbsp;&nbsp;"),
    ("x " * 160, "y " * 40),
    ("The 12 men (and 3 women) of 1990?", "the 12 MEN and 3 women of 1990"),
    ("\u6f22\u5b57" * 30, "| | | a | |"),
    ("a" * 90, "\u0434\u0435\u043d\u044c \u0434\u0435\u043d\u044c"),
    ("", " \u2003"),
    ("A man sleeps in the park.", "Ein Mann schl\u00e4ft im Park."),
]


def records(rows: Sequence[tuple[str, str]]) -> Records:
    source, target = zip(*rows, strict=True) if rows else ((), ())
    return columns(pa.array(source, pa.string()), pa.array(target, pa.string()))


def columns(source: pa.StringArray, target: pa.StringArray) -> Records:
    return Records(pa.array(range(1, len(source) + 1), pa.int64()), source, target)


def judged_as(rows: Records, sides: Sides = UNKNOWN) -> Rows:
    return Rows(TextColumn(rows.source), TextColumn(rows.target), sides)


Rejected = tuple[int, str, str, str]


def judge(
    rows: Records | Sequence[tuple[str, str]], sides: Sides = UNKNOWN, **filters: Any
) -> tuple[list[int], list[Rejected]]:
    """Lines kept, and (line, rule, value, threshold) of every reject."""
    rejected: list[Rejected] = []
    kept = rows if isinstance(rows, Records) else records(rows)
    for step in sift(kept, judged_as(kept, sides), configuration.build(FiltersConfig, filters)):
        assert step.read == len(kept)
        rejected += [(r["line"], r["rule"], r["value"], r["threshold"]) for r in step.rejected.to_pylist()]
        kept = step.kept
    return kept.lines.to_pylist(), rejected


def test_good_rows_stay() -> None:
    assert judge([("A man sleeps.", "Ein Mann schl\u00e4ft."), ("One", "Eins")]) == ([1, 2], [])
    assert judge([]) == ([], [])


def test_rows_with_an_empty_side_are_always_rejected() -> None:
    off = dict.fromkeys(FiltersConfig.model_fields)
    threshold = "text on both sides"
    assert judge([("", "x"), ("x", " \u2003"), ("x", "y")], **off) == (
        [3],
        [(1, "empty", "source empty, target text", threshold), (2, "empty", "source text, target empty", threshold)],
    )


def test_an_empty_source_is_no_reason_where_there_is_none() -> None:
    alone = Sides(has_source=False)
    rows = [("", "one text"), ("", " "), ("", "x " * 151)]
    kept, rejected = judge(rows, alone, **ALL_ON)
    assert kept == [1]
    assert [entry[:3] for entry in rejected] == [(2, "empty", "target empty"), (3, "words", "target 151")]


@pytest.mark.parametrize("off", [None, False])
def test_a_rule_can_be_switched_off(off: object) -> None:
    assert judge([("same", "same")], identical=off) == ([1], [])


def test_a_rule_can_be_switched_on_with_its_defaults() -> None:
    rows = [("in 1990", "neunzehnhundert")]
    assert judge(rows)[0] == [1]
    assert judge(rows, numbers=True)[1][0][1] == "numbers"


def test_a_row_counts_under_the_first_rule_it_fails() -> None:
    kept, rejected = judge([("x " * 200, "x " * 200), ("1", "1")], words={"maximum": 100})
    assert kept == []
    assert [entry[:2] for entry in rejected] == [(1, "words"), (2, "alphabetic")]


def test_given_sets_lose_only_empty_rows() -> None:
    rows = records([("same", "same"), ("a", "b " * 500), ("", "x")])
    steps = list(sift(rows, judged_as(rows), only_empty()))
    assert steps[-1].kept.lines.to_pylist() == [1, 2]


def test_an_unknown_rule_names_its_neighbour() -> None:
    with pytest.raises(ConfigError, match="Did you mean length_ratio"):
        configuration.build(FiltersConfig, {"lenght_ratio": {"maximum": 2}})


def test_what_is_on_by_default() -> None:
    speech = ["seconds", "silence", "clipping", "non_speech", "speech_rate"]
    on = ["words", "characters", "length_ratio", "longest_word", "alphabetic", "identical", "script", "markup"]
    assert [name for name, _ in FiltersConfig().rules()] == [
        "empty",
        *speech,
        *on,
        "repeated_characters",
        "html",
        "urls",
    ]


def test_costly_rules_come_last() -> None:
    filters = configuration.build(FiltersConfig, {**ALL_ON, "language": True, "phrases": {"phrases": ["x"]}})
    costly = [rule.costly for _, rule in filters.rules()]
    assert costly == sorted(costly)


def test_every_threshold_is_described() -> None:
    for field in FiltersConfig.model_fields.values():
        assert field.description
        kinds = [kind for kind in configuration._configs_in(field.annotation) if issubclass(kind, configuration.Config)]
        assert all(inner.description for kind in kinds for inner in kind.model_fields.values())


def test_merge_retunes_key_by_key() -> None:
    base = configuration.build(
        FiltersConfig, {"words": {"minimum": 3, "maximum": 80}, "urls": None, "numbers": {"maximum": 0.1}}
    )
    merged = merge(
        base,
        {"words": {"maximum": 40}, "urls": {"maximum": 0.2}, "identical": False, "numbers": True, "brackets": True},
    )
    assert merged.words is not None
    assert (merged.words.minimum, merged.words.maximum) == (3, 40)
    assert merged.urls is not None
    assert merged.urls.maximum == 0.2
    assert merged.identical is None
    assert merged.numbers is not None
    assert merged.numbers.maximum == 0.1
    assert merged.brackets is not None
    assert merged.characters == base.characters
    assert merge(base, {}) == base


def test_merge_refuses_unknown_keys() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean words\.maximum"):
        merge(FiltersConfig(), {"words": {"maximun": 3}})
    with pytest.raises(ConfigError, match=r"corpora\[1\].*Did you mean longest_word"):
        merge(FiltersConfig(), {"longest_words": None}, where="corpora[1].filters")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.one_of(st.sampled_from(DIRTY), st.tuples(st.text(max_size=9), st.text(max_size=9))), max_size=12))
def test_a_verdict_does_not_depend_on_the_rows_beside_it(rows: list[tuple[str, str]]) -> None:
    sides = Sides("en", "de")
    kept, rejected = judge(rows, sides, **ALL_ON)
    assert sorted([*kept, *(entry[0] for entry in rejected)]) == list(range(1, len(rows) + 1))
    for line, row in enumerate(rows, 1):
        _, alone = judge([row], sides, **ALL_ON)
        assert [entry[1:] for entry in alone] == [entry[1:] for entry in rejected if entry[0] == line]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(DIRTY), max_size=12))
def test_judging_all_agrees_with_sifting(rows: list[tuple[str, str]]) -> None:
    filters = configuration.build(FiltersConfig, ALL_ON)
    judged = judge_all(judged_as(records(rows), Sides("en", "de")), filters)
    _, rejected = judge(rows, Sides("en", "de"), **ALL_ON)
    names = list(judged)
    found = {entry[0]: entry for entry in rejected}
    for i in range(len(rows)):
        failing = [name for name in names if judged[name].failed[i].as_py()]
        assert failing[:1] == ([found[i + 1][1]] if i + 1 in found else [])
    assert all(len(column) == len(rows) for measure in judged.values() for column in measure.values.values())


def test_every_rule_but_those_of_all_text_finds_something_dirty() -> None:
    judged = judge_all(judged_as(records(DIRTY), Sides("en", "de")), configuration.build(FiltersConfig, ALL_ON))
    silent = {name for name, measure in judged.items() if not pc.any(measure.failed).as_py()}
    assert silent == {"brackets", "near_identical"}
    assert not any(measure.failed[len(DIRTY) - 1].as_py() for measure in judged.values())


@pytest.mark.parametrize(
    ("corpus", "names", "languages", "lost"),
    [
        ("multi30k", ("train.en", "train.de"), ("en", "de"), {"length_ratio": 2}),
        ("multi30k", ("train.de", "train.fr"), ("de", "fr"), {"length_ratio": 2}),
        ("multi30k", ("val.en", "val.de"), ("en", "de"), {}),
        ("enja", ("train.en", "train.ja"), ("en", "ja"), {}),
    ],
)
def test_good_corpora_stay(
    multi30k: Path, corpus: str, names: tuple[str, str], languages: tuple[str, str], lost: dict[str, int]
) -> None:
    rows = columns(*(read(multi30k.parent / corpus / f"{name}.gz") for name in names))
    kept, rejected = judge(rows, Sides(*languages))
    assert Counter(entry[1] for entry in rejected) == lost
    assert len(kept) == len(rows) - sum(lost.values())


def test_what_the_rules_off_by_default_take_from_a_good_corpus(multi30k: Path) -> None:
    rows = columns(*(read(multi30k / f"train.{language}.gz") for language in ("en", "de")))
    judged = judge_all(judged_as(rows, Sides("en", "de")), configuration.build(FiltersConfig, ALL_ON))
    lost = {name: pc.sum(measure.failed).as_py() for name, measure in judged.items()}
    assert {name: count for name, count in lost.items() if count} == {
        "length_ratio": 2,
        "alphabetic": 2,  # the same two rows, of one sign alone
        "markup": 2,
        "brackets": 1,
        "terminal_punctuation": 1316,
        "numbers": 12,
        "repeated_ngrams": 2,
    }


def test_the_wrong_language_is_found_by_its_script(multi30k: Path) -> None:
    english, japanese = (read(multi30k.parent / "enja" / f"dev.{language}.gz") for language in ("en", "ja"))
    kept, rejected = judge(columns(english, english.take(pa.array(range(len(english) - 1, -1, -1)))), Sides("en", "ja"))
    assert kept == []
    assert {entry[1] for entry in rejected} == {"script"}
    assert len(judge(columns(japanese, english), Sides("ja", "en"))[0]) == len(english)


def test_rules_are_shown_with_their_keys() -> None:
    keys = {key.name for key in configuration.keys(FiltersConfig)}
    assert {"words.maximum", "language.margin", "phrases.file", "length_ratio.center"} <= keys
    assert all(issubclass(type(rule), Rule) for _, rule in FiltersConfig().rules())


def read(path: Path) -> pa.StringArray:
    if not path.parent.is_dir():
        pytest.skip(f"no such folder: {path.parent} (set SEQ2SEQ_DATA)")
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return pa.array(file.read().split("\n")[:-1], pa.string())
