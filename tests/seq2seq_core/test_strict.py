from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field

from seq2seq_core.config import Config, Location, build
from seq2seq_core.errors import ConfigError
from seq2seq_core.strict import written


class Small(Config):
    depth: int = 3


class Every(Config):
    whole: int = 1
    real: float = 1.0
    limit: int | None = None
    field: str | int | None = None
    name: str = "x"
    kind: Literal["none", "all"] = "none"
    numbers: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    bounds: dict[str, int] = Field(default_factory=dict)
    flag: bool = False
    flags: tuple[bool, ...] = ()
    always: Literal[True] = True
    anything: dict[str, Any] = Field(default_factory=dict)
    one: Small = Small()
    many: tuple[Small, ...] = ()
    path: Location | None = None
    paths: Location | tuple[Location, ...] = ()
    odd: Annotated[int, AfterValidator(lambda value: value)] = 1


NUMBERS = ("whole", "real", "limit", "odd")
TEXTS = ("field", "name", "kind", "path", "paths")
HINT = "YAML reads no, yes, on, off as true and false: put it in quotes."


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number(name: str, value: bool) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: true and false have no place here; found {value}. YAML reads"):
        build(Every, {name: value})


@pytest.mark.parametrize("name", TEXTS)
def test_a_boolean_is_no_text(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(Every, {name: False})
    assert str(error.value) == f"{name}: true and false have no place here; found False. {HINT}"


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"numbers": [1, True]}, "numbers.1"),
        ({"names": ["a", "b", False]}, "names.2"),
        ({"bounds": {"a": True}}, "bounds.a"),
        ({"paths": ["a", True]}, "paths.1"),
        ({"one": {"depth": True}}, "one.depth"),
        ({"many": [{}, {"depth": False}]}, "many.1.depth"),
    ],
)
def test_nor_is_one_that_lies_deeper(values: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError, match=f"^{place}: true and false have no place here"):
        build(Every, values)


def test_booleans_stand_where_they_are_meant() -> None:
    values = {"flag": True, "flags": [True, False], "always": True, "anything": {"a": [True]}}
    found = build(Every, values)
    assert (found.flag, found.flags, found.always, found.anything) == (True, (True, False), True, {"a": [True]})
    assert build(Every, {"flag": "no"}).flag is False  # as from an environment variable


@pytest.mark.parametrize("name", [*NUMBERS, "field", "anything", "bounds", "numbers"])
@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, 10**400, str(1 << 63), float("inf"), float("nan"), "1e999"])
def test_numbers_are_finite_and_of_64_bits(name: str, value: Any) -> None:
    if name in ("field", "anything") and isinstance(value, str):
        pytest.skip("text is text there")
    wrapped = {"anything": {"a": [value]}, "bounds": {"a": value}, "numbers": [1.0, value]}.get(name, value)
    if isinstance(value, str) and name in ("real", "numbers") and value != "1e999":
        pytest.skip("a real number takes it")
    with pytest.raises(ConfigError, match=f"^{name}.*found ") as error:
        build(Every, {name: wrapped})
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("whole", "3", 3),
        ("whole", 3.0, 3),
        ("whole", (1 << 63) - 1, (1 << 63) - 1),
        ("real", 3, 3.0),
        ("real", "1e-3", 0.001),
        ("real", "1e308", 1e308),
        ("field", 1, 1),
        ("field", "1", "1"),
        ("field", "no", "no"),
    ],
)
def test_text_may_stand_for_a_number_and_numbers_name_columns(name: str, value: object, expected: object) -> None:
    assert getattr(build(Every, {name: value}), name) == expected


@pytest.mark.parametrize("value", ["²", "٣", "3.5", 3.5, "", "many"])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"whole: .*integer"):
        build(Every, {"whole": value})


@pytest.mark.parametrize("value", [1.5, 2024])
def test_a_number_for_a_name_asks_for_quotes(value: float) -> None:
    with pytest.raises(ConfigError, match=rf"name: Input should be a valid string; found {value}. Put it in quotes"):
        build(Every, {"name": value})


@pytest.mark.parametrize("name", ["name", "field", "path", "names", "anything"])
def test_text_that_is_not_utf8_is_shown_and_refused(name: str) -> None:
    value: Any = "caf\udce9"
    wrapped = {"names": [value], "anything": {value: 1}}.get(name, value)
    with pytest.raises(ConfigError, match=rf"{name}.*: the text is not UTF-8; found 'caf\\udce9'"):
        build(Every, {name: wrapped})


@pytest.mark.parametrize("value", ["", " ", "\t\n", "\u00a0"])
def test_a_path_is_not_empty(value: str) -> None:
    for values, place in (({"path": value}, "path"), ({"paths": value}, "paths"), ({"paths": ["a", value]}, "paths.1")):
        with pytest.raises(ConfigError, match=rf"^{place}: an empty path \(is a variable unset\?\); found "):
            build(Every, values)


def test_a_path_holds_no_nul() -> None:
    with pytest.raises(ConfigError, match=r"path: a path holds no NUL character; found 'a\\x00b'"):
        build(Every, {"path": "a\0b"})
    assert build(Every, {"path": "a\nb"}).path == "a\nb"


def test_long_values_are_cut_in_messages() -> None:
    assert len(written("x" * 10_000)) < 300
    assert written(10**5000) == "an integer of 16,610 bits"
