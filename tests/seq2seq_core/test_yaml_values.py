from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core import yaml_values
from seq2seq_core.errors import ConfigError

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_PLAIN = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(st.text(), _PLAIN, max_size=4))
def test_what_is_written_reads_back(values: dict[str, Any]) -> None:
    read = yaml_values.read(yaml_values.write(values), "w")
    assert yaml_values.fill_variables(read, "w") == values


def read_or_refuse(text: str | bytes) -> None:
    found: object = None
    try:
        found = yaml_values.read(text, "here")
    except ConfigError as error:
        found = str(error)
        assert found.isprintable()
    assert found is None or isinstance(found, bool | int | float | str | list | dict)


@given(st.text() | st.binary())
def test_anything_is_plain_values_or_an_error_in_one_line(text: str | bytes) -> None:
    read_or_refuse(text)


@given(st.text("&*!<>|-?:,[]{}#'\"%@` \n\t=~0a", max_size=30))
def test_so_is_what_looks_like_yaml(text: str) -> None:
    read_or_refuse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-01", "2024-01-01"),
        ("2024-13-45 10:00:00", "2024-13-45 10:00:00"),
        ("1:30", "1:30"),
        ("1:30.5", "1:30.5"),
        ("017", "017"),
        ("0o17", "0o17"),
        ("1_000", 1000),
        ("0x1f", 31),
        ("-3", -3),
        ("1e3", "1e3"),
        ("1.5e+3", 1500.0),
        ("+.5", 0.5),
        (".inf", math.inf),
        ("=", "="),
        ("no", False),
        ("On", True),
        ("n", "n"),
        ("'no'", "no"),
        ("~", None),
        ("", None),
        ("'1': x", {"1": "x"}),
        ("a: &b {x: 1}\nc: {<<: *b, y: 2}", {"a": {"x": 1}, "c": {"x": 1, "y": 2}}),
        ("a: &a {x: 1}\nb: {c: &b {<<: *a, x: 2}}\nd: {<<: *b}", {"a": {"x": 1}, "b": {"c": {"x": 2}}, "d": {"x": 2}}),
    ],
)
def test_values_are_what_they_look_like(text: str, value: object) -> None:
    assert yaml_values.read(text, "w") == value
    assert yaml_values.read(text.encode("utf-16"), "w") == value


_LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
_MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "the key 'a' stands twice at line 3, column 1"),
        ("{a: {b: 1, 'b': 2}}", "the key 'b' stands twice"),
        ("1: x", "the key '1' is no text (put it in quotes)"),
        ("no: x", "the key 'no' is no text (put it in quotes)"),
        ("~: x", "the key '~' is no text"),
        ("? [a]\n: x", "the key 'a list or mapping' is no text"),
        ("&a [*a]", "nested too deeply"),
        ("a: &a {b: *a}", "nested too deeply"),
        ("[" * 500 + "]" * 500, "nested too deeply"),
        ("a: " + "[" * 200 + "]" * 200, "nested too deeply"),
        (_LAUGHS, "too many values"),
        (_MERGES, "too many merged keys"),
        ("a:\n\t- b", "'\\t'"),
        ("a: b: c", "line 1"),
        ("--- a\n--- b", "document"),
        ("!!python/object/apply:os.system [ls]", "tag:yaml.org,2002:python"),
        ("!!timestamp x", "tag:yaml.org,2002:timestamp"),
        ("!!binary x", "tag:yaml.org,2002:binary"),
        ("!!int x", "a value that cannot be read"),
        ("!!int ''", "a value that cannot be read"),
        ("!!bool maybe", "a value that cannot be read"),
        ("9" * 5000, "a value that cannot be read"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ""),
        (b"PAR1\x15\x04\x00", ""),
        (b"a: \xff", ""),
        ("a: \x00", ""),
    ],
)
def test_what_is_no_configuration_is_one_line(text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        yaml_values.read(text, "c.yaml")
    assert str(error.value).startswith("c.yaml: the configuration is not valid YAML; found ")
    assert message in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 300


def test_a_byte_order_mark_is_no_text() -> None:
    assert yaml_values.read("\ufeffa: 1", "w") == yaml_values.read(b"\xef\xbb\xbfa: 1", "w") == {"a": 1}


def test_variables_and_what_only_looks_like_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("A_NAME", "a ${B} $${B}")
    fill = yaml_values.fill_variables
    assert fill({"x": ["${A_NAME}", 3]}, "w") == {"x": ["a ${B} $${B}", 3]}
    assert fill("$${user} ${NO_SUCH_NAME:-$x} $ {x} ${a b} $$$${x}", "w") == "${user} $x $ {x} ${a b} $$${x}"
    with pytest.raises(ConfigError, match="w: the environment variable NO_SUCH_NAME is not set"):
        fill("${NO_SUCH_NAME}", "w")
