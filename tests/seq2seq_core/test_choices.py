from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from seq2seq_core import config as configuration
from seq2seq_core.choices import OneOf, by_name
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError


class Shape(Config):
    kind: str


class Circle(Shape):
    kind: Literal["circle"] = Field("circle", description="circle: round")
    radius: int = Field(1, ge=1, description="of the circle")


class Square(Shape):
    kind: Literal["square"] = Field("square", description="square: as wide as high")
    side: int = Field(1, ge=1, description="of the square")


class Star(Shape):
    kind: Literal["star"] = Field("star", description="star: it twinkles")
    points: int = 5


SHAPES: dict[str, type[Shape]] = by_name("kind", Circle, Square)
ONE = OneOf(SHAPES, "kind", "circle")


class Drawing(Config):
    shape: Annotated[Shape, ONE] = Circle()
    title: str = ""


def test_the_key_says_which_entry_is_meant() -> None:
    assert [*SHAPES] == ["circle", "square"]
    assert configuration.build(Drawing, {"shape": {"kind": "square", "side": 3}}).shape == Square(side=3)
    assert configuration.build(Drawing, {"shape": {"radius": "3"}}).shape == Circle(radius=3)
    assert Drawing(shape=Square(side=2)).shape == Square(side=2)


def test_a_drawing_comes_back_from_its_plain_values() -> None:
    drawing = Drawing(shape=Square(side=2))
    values = drawing.model_dump(mode="json")
    assert values == {"shape": {"kind": "square", "side": 2}, "title": ""}
    assert configuration.build(Drawing, values) == drawing
    assert drawing.model_dump(exclude={"shape": {"side"}}) == {"shape": {"kind": "square"}, "title": ""}


def test_an_entry_that_is_added_later_is_known_to_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHAPES, "star", Star)
    assert configuration.build(Drawing, {"shape": {"kind": "star", "points": 7}}).shape == Star(points=7)
    assert "shape.points" in {key.name for key in configuration.keys(Drawing)}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            {"kind": "sqare"},
            "shape.kind: there is none of this name, only 'circle' or 'square'; found 'sqare'. Did you mean square?",
        ),
        ({"kind": "hexagon"}, "shape.kind: there is none of this name, only 'circle' or 'square'; found 'hexagon'"),
        ({"kind": None}, "shape.kind: there is none of this name, only 'circle' or 'square'; found None"),
        ({"kind": 5}, "shape.kind: there is none of this name, only 'circle' or 'square'; found 5"),
        ("square", "shape: keys of its own are needed here, not a plain value; found 'square'"),
        ({"kind": "square", "radius": 3}, "unknown key 'shape.radius'. Did you mean shape.side?"),
        ({"radios": 3}, "unknown key 'shape.radios'. Did you mean shape.radius?"),
        ({"radius": 0}, "shape.radius: Input should be greater than or equal to 1; found 0"),
    ],
)
def test_what_is_in_no_table_is_told_in_one_line(shape: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configuration.build(Drawing, {"shape": shape})
    assert str(caught.value) == message


def test_of_a_strict_reader_numbers_are_no_text() -> None:
    assert ONE.read({"kind": "square", "side": 3}, strict=True) == Square(side=3)
    with pytest.raises(ValidationError, match="side"):
        ONE.read({"kind": "square", "side": "3"}, strict=True)
    with pytest.raises(ValidationError, match="hexagon"):
        ONE.read({"kind": "hexagon"}, strict=True)


def test_the_command_line_knows_the_keys_of_all_entries() -> None:
    found = {key.name: key for key in configuration.keys(Drawing)}
    assert [*found] == ["shape.kind", "shape.radius", "shape.side", "title"]
    kind = found["shape.kind"]
    assert (kind.type_name, kind.default) == ("circle | square", "circle")
    assert kind.description == "circle: round; square: as wide as high"
    assert configuration.parse_overrides(Drawing, ["--shape.kind", "square"]) == {"shape.kind": "square"}
