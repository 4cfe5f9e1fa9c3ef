"""A function of the user's judges rows as a plain loop over them would, and every mistake in it is told once."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.records import Records
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.rules import own
from seq2seq_core.text.rules.base import Rows, Sides
from seq2seq_core.text.rules.catalogue import FiltersConfig, check, judge_all, merge, only_empty, resolve, sift

MODULE = """
calls = []
NOT_CALLABLE = 3

def too_shouty(text):
    calls.append(text)
    return sum(map(str.isupper, text)) / len(text)

def length(text, *, unit=1):
    return len(text) // unit

def difference(source, target):
    return len(source) - len(target)

def boilerplate(text, words=("cookie", "password")):
    return next((f"says {word}" for word in words if word in text), None)

def copied(source, target):
    return "the same" if source == target else None

def answers(text):
    return {"yes": True, "nan": float("nan"), "text": "x", "much": 10**400, "bytes": b"", "blank": " "}.get(text, 1)

def surrogate(text):
    return chr(0xD800)
"""
Reject = tuple[int, str, str, str]


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module in the folder that commands are run in."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "my_rules_of_tests.py").write_text(MODULE)
    (folder / "broken_rules_of_tests.py").write_text("import nowhere_to_be_found\n")
    with pytest.MonkeyPatch.context() as place:
        place.chdir(folder)
        place.setattr(sys, "path", [*sys.path])
        yield lambda: sys.modules["my_rules_of_tests"]
    for name in ("my_rules_of_tests", "broken_rules_of_tests"):
        sys.modules.pop(name, None)
    own._function.cache_clear()


def filters_with(*rules: dict[str, Any], **others: Any) -> FiltersConfig:
    """These rules and no others."""
    named = [{**rule, "rule": f"my_rules_of_tests.{rule['rule']}"} for rule in rules]
    return configuration.build(FiltersConfig, {**dict.fromkeys(FiltersConfig.model_fields), "own": named, **others})


def rows_of(rows: Sequence[tuple[str, str]], sides: Sides) -> tuple[Records, Rows]:
    source, target = (pa.array([row[side] for row in rows], pa.string()) for side in (0, 1))
    lines = pa.array(range(11, 11 + len(rows)), pa.int64())
    return Records(lines, source, target), Rows(
        TextColumn(source), TextColumn(target), sides, lines=lines, origin="news.en"
    )


def judge(filters: FiltersConfig, rows: Sequence[tuple[str, str]], sides: Sides = Sides()) -> list[Reject]:  # noqa: B008
    """Position, rule, value and threshold of every reject."""
    records, judged = rows_of(rows, sides)
    steps = [step.rejected.to_pylist() for step in sift(records, judged, filters)]
    return sorted((r["line"] - 11, r["rule"], r["value"], r["threshold"]) for step in steps for r in step)


def test_numbers_and_reasons_stand_in_the_ledger_like_those_of_any_rule() -> None:
    filters = filters_with(
        {"rule": "too_shouty", "maximum": 0.3},
        {"rule": "boilerplate", "name": "web-page"},
        {"rule": "difference", "side": "pair", "minimum": -3, "maximum": 3},
        {"rule": "copied", "side": "pair"},
    )
    rows = [("One two", "ONE two"), ("a cookie", "no"), ("a", "bcdef"), ("same", "same"), ("fine", "gut")]
    assert judge(filters, rows) == [
        (0, "too_shouty", "source 0.143, target 0.429", "at most 0.3"),
        (1, "web-page", "source says cookie, target none", "no reason given by my_rules_of_tests.boilerplate"),
        (2, "difference", "pair -4", "-3 to 3"),
        (3, "copied", "pair the same", "no reason given by my_rules_of_tests.copied"),
    ]


@pytest.mark.parametrize(
    ("side", "found"), [("source", "source 9"), ("target", "target 8"), ("both", "source 9, target 8")]
)
def test_a_side_by_itself(side: str, found: str) -> None:
    filters = filters_with({"rule": "length", "side": side, "maximum": 7})
    assert judge(filters, [("123456789", "12345678"), ("1", "1")]) == [(0, "length", found, "at most 7")]


def test_options_are_given_by_name() -> None:
    filters = filters_with(
        {"rule": "length", "side": "source", "options": {"unit": 10}, "minimum": 1},
        {"rule": "boilerplate", "options": {"words": ["xyz"]}},
    )
    assert judge(filters, [("x" * 10, "y"), ("x" * 9, "y"), ("a cookie!!", "x xyz")]) == [
        (1, "length", "source 0", "at least 1"),
        (2, "boilerplate", "source none, target says xyz", "no reason given by my_rules_of_tests.boilerplate"),
    ]


def test_only_rows_that_all_other_rules_keep_are_asked_about(module: Callable[[], Any]) -> None:
    filters = filters_with({"rule": "too_shouty", "side": "source", "maximum": 0.3}, words={"maximum": 2})
    assert judge(filters, [("a", "b")]) == []
    module().calls.clear()
    found = judge(filters, [("one two three", "x"), ("", "x"), ("kept", "x"), ("LOUD", "x")])
    assert [reject[1] for reject in found] == ["words", "empty", "too_shouty"]
    assert module().calls == ["kept", "LOUD"]


def test_without_a_source_the_target_alone_is_given() -> None:
    alone = Sides(has_source=False)
    filters = filters_with(
        {"rule": "length", "maximum": 3},
        {"rule": "difference", "side": "pair", "maximum": -100},
        {"rule": "length", "name": "of_source", "side": "source", "maximum": -100},
    )
    check(filters, alone)
    assert judge(filters, [("", "abc"), ("", "abcd")], alone) == [(1, "length", "target 4", "at most 3")]


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(st.text("aB c\u00e9", max_size=6), st.text("aB c\u00e9", max_size=6)), max_size=8),
    bounds=st.tuples(st.none() | st.integers(-3, 2), st.none() | st.integers(2, 5)).filter(any),
    side=st.sampled_from(["source", "target", "both", "pair"]),
)
def test_a_rule_does_what_a_plain_loop_does(
    rows: list[tuple[str, str]], bounds: tuple[int | None, int | None], side: str
) -> None:
    minimum, maximum = bounds
    function = "difference" if side == "pair" else "length"
    filters = filters_with({"rule": function, "side": side, "minimum": minimum, "maximum": maximum})
    expected = []
    for place, (source, target) in enumerate(rows):
        if not (source.strip() and target.strip()):
            continue
        given = {"source": len(source), "target": len(target), "pair": len(source) - len(target)}
        names = ("source", "target") if side == "both" else (side,)
        if any(
            (minimum is not None and given[name] < minimum) or (maximum is not None and given[name] > maximum)
            for name in names
        ):
            expected.append((place, function, ", ".join(f"{name} {given[name]}" for name in names)))
    assert [found[:3] for found in judge(filters, rows) if found[1] != "empty"] == expected
    judged = judge_all(rows_of(rows, Sides())[1], filters)[function]  # asks about all rows with text
    assert [place for place, failed in enumerate(judged.failed.to_pylist()) if failed] == [e[0] for e in expected]


# Mistakes


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"maximum": 1}, "rule is missing"),
        ({"rule": "shouty"}, "the import path of a function is needed"),
        ({"rule": "__main__.shouty"}, "the import path of a function is needed"),
        ({"rule": "my rules.x"}, "the import path of a function is needed"),
        ({"rule": "a.b", "minimum": 3, "maximum": 1}, "minimum 3 is above maximum 1"),
        ({"rule": "a.b", "name": "two words"}, "pattern"),
        ({"rule": "a.b", "name": "words"}, "two rules 'words'"),
        ({"rule": "a.empty"}, "two rules 'empty'"),
        ({"rule": "a.b", "options": {"x": {1, 2}}}, "options are texts, numbers"),
        ({"rule": "a.b", "maximun": 3}, r"Did you mean own\.0\.maximum|Did you mean.*maximum"),
    ],
)
def test_what_cannot_be_meant_is_told_when_the_configuration_is_read(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configuration.build(FiltersConfig, {"own": [rule]})


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"two rules 'b'.*another `name`"):
        configuration.build(FiltersConfig, {"own": [{"rule": "a.b"}, {"rule": "c.b", "maximum": 1}]})
    configuration.build(FiltersConfig, {"own": [{"rule": "a.b"}, {"rule": "c.b", "name": "b2", "maximum": 1}]})


@pytest.mark.parametrize(
    ("path", "more", "message"),
    [
        ("no_such_module_of_tests.f", {}, "module of the rule no_such_module_of_tests.f cannot be imported; found Mod"),
        ("broken_rules_of_tests.f", {}, r"No module named 'nowhere_to_be_found' \(.*broken_rules_of_tests.py, line 1"),
        ("my_rules_of_tests.too_shouti", {}, "no such function; found .*Did you mean too_shouty"),
        ("my_rules_of_tests.NOT_CALLABLE", {}, "no such function; found 3"),
        ("my_rules_of_tests.difference", {}, r"missing a required argument: 'target'.*difference\(source, target\)"),
        ("my_rules_of_tests.length", {"side": "pair"}, "too many positional arguments.*expected source and target"),
        ("my_rules_of_tests.length", {"options": {"units": 3}}, "unexpected keyword argument 'units'"),
        ("my_rules_of_tests.length", {"digest": "0" * 32}, "not the function that was asked for; found digest .*; exp"),
    ],
)
def test_a_function_that_cannot_be_asked_is_told_before_work_begins(
    path: str, more: dict[str, Any], message: str
) -> None:
    filters = configuration.build(FiltersConfig, {"own": [{"rule": path, "maximum": 1, **more}]})
    with pytest.raises(ConfigError, match=message):
        check(filters, Sides())


def test_what_is_written_in_c_is_asked_as_it_comes() -> None:
    filters = configuration.build(FiltersConfig, {"own": [{"rule": "builtins.len", "maximum": 3}]})
    check(filters, Sides())
    assert resolve(filters).own[0].digest is None
    assert judge(filters_with({"rule": "length", "maximum": 3}), [("abcd", "e")])[0][2] == "source 4, target 1"


@pytest.mark.parametrize(
    ("rule", "good", "bad", "message"),
    [
        ("answers", "one", "yes", "news.en, line 12: .*found True; expected a number"),
        ("answers", "one", "nan", "found nan; expected a number"),
        ("answers", "one", "text", "found 'x'; expected a number.*none of them where it gives reasons"),
        ("answers", "one", "much", "line 12: .*found 1000.*expected a number"),
    ],
)
def test_a_number_that_is_none_is_told_with_its_place(rule: str, good: str, bad: str, message: str) -> None:
    filters = filters_with({"rule": rule, "side": "source", "maximum": 1})
    with pytest.raises(InputError, match=message):
        judge(filters, [(good, "x"), (bad, "x"), (bad, "x")])


@pytest.mark.parametrize(
    ("rule", "bad", "message"),
    [
        ("answers", "number", "line 12: .*found 1; expected None, or a reason to reject the row.*Give minimum or max"),
        ("answers", "bytes", "line 12: .*found b''; expected None"),
        ("answers", "blank", "line 12: .*found ' '; expected None"),
    ],
)
def test_a_reason_that_is_none_is_told_with_its_place(rule: str, bad: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge(filters_with({"rule": rule, "side": "source"}), [("text", "x"), (bad, "x"), (bad, "x")])


def test_a_reason_is_text_that_can_be_written() -> None:
    with pytest.raises(InputError, match=r"line 11: .*found '\\ud800'; expected None"):
        judge(filters_with({"rule": "surrogate"}), [("x", "y")])


def test_an_error_names_the_line_of_the_users_code() -> None:
    with pytest.raises(InputError, match=r"line 11: .*ZeroDivisionError.*my_rules_of_tests.py, line 10\)"):
        judge(filters_with({"rule": "length", "options": {"unit": 0}, "maximum": 1}), [("x", "y")])


# What it is, and where it stands


def test_a_corpus_has_rules_of_its_own_or_none() -> None:
    run = filters_with({"rule": "length", "maximum": 3})
    assert merge(run, {}) == run
    assert merge(run, {"words": True}).own == run.own
    other = {"rule": "my_rules_of_tests.copied", "side": "pair"}
    assert [rule.label for rule in merge(run, {"own": [other]}).own] == ["copied"]
    for off in (None, False, []):
        assert merge(run, {"own": off}).own == ()
    assert only_empty().own == ()


def test_the_configuration_says_which_code_it_was_and_nothing_where_there_is_none() -> None:
    filters = resolve(filters_with({"rule": "length", "maximum": 3}, {"rule": "copied", "side": "pair"}))
    digests = [rule.digest for rule in filters.own]
    assert len({*digests}) == 2
    assert all(digest is not None and len(digest) == 32 for digest in digests)
    assert FiltersConfig.model_validate_json(filters.model_dump_json()) == filters
    assert "own" not in FiltersConfig().model_dump()  # as before there was such a key
    assert [name for name, _ in filters.rules()][-2:] == ["length", "copied"]


def test_reading_a_configuration_imports_nothing() -> None:
    values = {"own": [{"rule": "broken_rules_of_tests.f", "maximum": 1}]}
    before = {*sys.modules}
    filters = configuration.build(FiltersConfig, values)
    assert [rule.threshold for _, rule in itertools.islice(filters.rules(), 17, None)] == ["at most 1"]
    assert "broken_rules_of_tests" not in {*sys.modules} - before


def test_the_folder_a_command_is_run_in_is_looked_in_last(module: Callable[[], Any]) -> None:
    assert Path(module().__file__).parent == Path.cwd()
    assert sys.path[-1] == str(Path.cwd())
