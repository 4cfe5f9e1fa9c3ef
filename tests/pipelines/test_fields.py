"""Every key of every command: what is no value for it is refused before any work, whatever the key."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from pipelines.commands.filter_lines import FilterConfig
from pipelines.commands.prepare import DryRunConfig
from pipelines.commands.table import COMMANDS
from seq2seq_core import strict
from seq2seq_core.config import Config, build
from seq2seq_core.errors import ConfigError

# Text that is no path: names of fields, languages, devices, tokenizations; words for another command.
NO_PATHS = {
    "to",
    *("name", "split", "source_field", "target_field", "text_field", "score_field", "alignment_field", "output_field"),
    *("prefix", "prefix_field"),
    *(
        "source_language",
        "target_language",
        "language",
        "source_script",
        "phrases",
        "tokenization",
        "bleu_tokenization",
        "transcript",
        "languages",
        "html_attributes",
    ),
    *("weights", "freeze", "also", "summary_field", "reference_field"),
    *("project", "entity"),
    *("device", "title", "train_options", "rule", "digest", "kind", "family", "source_modality"),
}
SCRIPTS = ("filters.script.source", "filters.script.target")
OUT_OF_RANGE = [
    -1,
    1 << 64,
    10**400,
    float("inf"),
    float("-inf"),
    float("nan"),
    1e308,
    "²",
    True,
    "many",
    [1],
    {"a": 1},
]
# -1, the first of those, is in their range.
OF_ANY_SIGN = ("filters.own.minimum", "filters.own.maximum", "flag.min_score", "optimizer.beta2_decay")
ON_THE_EDGE = [0, 1, 1e-320, (1 << 31) - 1, 1 << 31, (1 << 63) - 1, 1e300]
FREE_NUMBERS = {"minimum", "maximum", "maximum_entities", "seed"}  # bounds of what is counted, and seeds, may be large


class Place(NamedTuple):
    """A key, and the class that its path ends in."""

    command: str
    path: str
    kind: type[Config]
    name: str
    field: FieldInfo

    def values(self, value: object) -> dict[str, Any]:
        """The least that the class needs, with this value for the key."""
        return {**_required(self.kind), self.name: value}


def inner(annotation: object) -> Iterator[type[Config]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for arm in get_args(annotation):
        yield from inner(arm)


def _required(kind: type[Config]) -> dict[str, Any]:
    known = {
        "rule": "a.b",
        "source": "a",
        "target": "b",
        "input": ["a"],
        "hypotheses": ["a"],
        "references": ["a"],
        "share": None,
    }
    values = {name: known.get(name, "x") for name, field in kind.model_fields.items() if field.is_required()}
    if {"source", "target"} <= kind.model_fields.keys() and strict.mentions(
        kind.model_fields["source"].annotation, str
    ):
        values |= {"source": "a", "target": "b"}
    return values


def walk(command: str, kind: type[Config], prefix: str = "") -> Iterator[Place]:
    for name, field in kind.model_fields.items():
        kinds = list(inner(field.annotation))
        for one in kinds:
            yield from walk(command, one, f"{prefix}{name}.")
        if not kinds:
            yield Place(command, f"{prefix}{name}", kind, name, field)


@functools.cache
def places() -> tuple[Place, ...]:
    """Every key once for each class that declares it."""
    kinds = {name: command.keys for name, command in COMMANDS.items()}
    kinds |= {"dry run": DryRunConfig, "filter": FilterConfig}
    every = [place for name, kind in kinds.items() for place in walk(name, kind)]
    return tuple({(place.kind, place.name): place for place in every}.values())


def is_number(place: Place) -> bool:
    leaves = [place.field.annotation, *get_args(place.field.annotation)]
    return (int in leaves or float in leaves) and str not in leaves


def takes_text(place: Place) -> bool:
    return strict.mentions(place.field.annotation, str) and not strict.mentions(place.field.annotation, dict)


def refused(place: Place, value: object) -> str:
    with pytest.raises(ConfigError) as error:
        build(place.kind, place.values(value))
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 500
    return message


NUMBERS = [place for place in places() if is_number(place)]
TEXTS = [place for place in places() if takes_text(place)]
PATHS = [place for place in TEXTS if place.name not in NO_PATHS and place.path not in SCRIPTS]


def named(place: Place) -> str:
    return f"{place.command} {place.path}"


@pytest.mark.parametrize("place", NUMBERS, ids=named)
def test_what_is_no_number_in_range_is_refused(place: Place) -> None:
    for value in OUT_OF_RANGE[place.path in OF_ANY_SIGN :]:
        assert refused(place, value).startswith(place.name), value


@pytest.mark.parametrize("place", NUMBERS, ids=named)
def test_every_number_has_bounds_on_both_sides(place: Place) -> None:
    limits = " ".join(str(limit) for limit in place.field.metadata)
    assert "Ge(" in limits or "Gt(" in limits
    if place.name not in FREE_NUMBERS and not place.name.startswith("minimum_"):
        assert "Le(" in limits or "Lt(" in limits or place.path.startswith("filters."), limits


@pytest.mark.parametrize("place", NUMBERS, ids=named)
def test_numbers_on_the_edge_are_taken_or_refused(place: Place) -> None:
    for value in ON_THE_EDGE:
        with contextlib.suppress(ConfigError):
            assert getattr(build(place.kind, place.values(value)), place.name) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("place", places(), ids=named)
def test_a_boolean_stands_only_where_one_is_meant(place: Place) -> None:
    if strict.takes_booleans(place.field.annotation):
        return
    for value in (True, False):
        message = refused(place, value)
        assert message.startswith(f"{place.name}: true and false have no place here; found {value}. YAML reads no, yes")
        is_text = takes_text(place) or get_origin(place.field.annotation) is Literal
        assert message.endswith("put it in quotes.") is (is_text or strict.mentions(place.field.annotation, Literal))


@pytest.mark.parametrize("place", PATHS, ids=named)
def test_every_text_is_a_path_that_is_not_empty_or_is_known_to_be_none(place: Place) -> None:
    for value in ("", " ", "\t"):
        wrapped: object = value
        if strict.mentions(place.field.annotation, tuple):
            assert f"{place.name}.1: an empty path (is a variable unset?)" in refused(place, ["a", value])
            wrapped = (
                value if place.field.annotation is not None and "str |" in str(place.field.annotation) else [value]
            )
        assert "an empty path (is a variable unset?)" in refused(place, wrapped)


@pytest.mark.parametrize("place", TEXTS, ids=named)
def test_no_text_is_other_than_utf8(place: Place) -> None:
    value: object = "caf\udce9"
    if strict.mentions(place.field.annotation, tuple):
        value = [value]
    assert r"the text is not UTF-8; found 'caf\udce9'" in refused(place, value)


def test_every_command_was_looked_at() -> None:
    assert len(NUMBERS) > 80
    assert {place.path for place in PATHS} >= {
        *("source", "benchmarks.path", "benchmarks.text", "output", "tokenizer.source_model"),
        *("filters.phrases.file", "dataset", "initialize_from", "model", "input", "hypotheses", "references", "run"),
        "sources",
    }
