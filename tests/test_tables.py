"""Nobody but a table asks for the names in it: a format, a modality, an engine or a family is one file and one line.

What counts as asking, in any file that the line of the table in `TABLES` does not allow:

* a name in a comparison (`==`, `!=`, `in`, `not in`, `is`, `is not`) or in a case of a `match`;
* a mapping whose keys are names and nothing else, or whose values are: two or more, or one that is looked into at once;
* a collection of two or more names and nothing else, which somebody will ask with `in`;
* something looked up by a name that is written out (`FORMATS["tsv"]`).

A name that also means other things (`text`) counts in a comparison or a match where what is compared speaks of the
table: a variable, attribute, key or call that is called by one of the table's words, with or without more (`format`,
`format_`, `file.format`, `entry["format"]`, `format_of(file)`); elsewhere only beside a name that does not. A `Literal`
is no question: it is a type, and where it is the type of a configuration's key, the table makes it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

from seq2seq_core.corpora.formats.table import FORMATS as CORPUS_FORMATS
from seq2seq_core.documents.formats.table import FORMATS as DOCUMENT_FORMATS
from seq2seq_core.engines.table import ENGINES
from seq2seq_core.modalities.table import MODALITIES
from seq2seq_core.models.registry import FAMILIES

ROOT = Path(__file__).parents[1]


class Table(NamedTuple):
    """A table.

    Attributes:
        names: What stands in it.
        words: What a variable that holds such a name is called.
        common: Those of the names that mean other things too.
        allowed: Files that may ask, as patterns; of names in two tables, the files of both.
    """

    names: Collection[str]
    words: Collection[str]
    common: Collection[str]
    allowed: Collection[str]


TABLES = (
    Table(CORPUS_FORMATS, ("format", "suffix"), ("text", "tmx"), ("seq2seq_core/corpora/formats/table.py",)),
    Table(DOCUMENT_FORMATS, ("format", "suffix"), ("text",), ("seq2seq_core/documents/formats/table.py",)),
    Table(MODALITIES, ("modality",), ("text", "audio"), ("seq2seq_core/modalities/table.py",)),
    Table(ENGINES, ("kind", "engine"), ("torch", "echo", "auto"), ("seq2seq_core/engines/table.py",)),
    Table(FAMILIES, ("family", "architecture"), (), ("seq2seq_core/models/registry.py",)),
)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.allowed[0])
def test_only_a_table_asks_for_its_names(table: Table) -> None:
    rooms = [path for room in ("seq2seq_core", "pipelines") for path in sorted((ROOT / room).rglob("*.py"))]
    assert len(rooms) > 100
    found = [
        f"{name}:{line}: {asked}"
        for path in rooms
        for line, asked in questions(ast.parse(path.read_text()), table)
        if not _may_ask(name := path.relative_to(ROOT).as_posix(), asked)
    ]
    assert found == []


def _may_ask(file: str, name: str) -> bool:
    return any(fnmatch(file, pattern) for table in TABLES if name in table.names for pattern in table.allowed)


def questions(tree: ast.AST, table: Table) -> Iterator[tuple[int, str]]:
    """The line of every question for a name of a table, and the name."""
    literals = {id(inner) for node in ast.walk(tree) if _is_literal_type(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) not in literals:
            for name in _asked(node, table):
                yield getattr(node, "lineno", 0), name


def _asked(node: ast.AST, table: Table) -> Iterator[str]:
    match node:
        case ast.Compare():
            operands = [node.left, *node.comparators]
            texts = [text for operand in operands for text in _texts(operand)]
            yield from _those_that_count(texts, operands, table)
        case ast.Match():
            patterns = [inner for case in node.cases for inner in ast.walk(case.pattern)]
            texts = [text for inner in patterns if isinstance(inner, ast.MatchValue) for text in _texts(inner.value)]
            yield from _those_that_count(texts, [node.subject], table)
        case ast.Subscript(value=ast.Dict()) | ast.Attribute(value=ast.Dict()):
            yield from _all_names(node.value.keys, table, least=1)
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            yield from ({name} & set(table.names) - set(table.common))
        case ast.Dict():
            yield from _all_names(node.keys, table) or _all_names(node.values, table)
        case ast.Tuple() | ast.List() | ast.Set():
            yield from _all_names(node.elts, table)


def _those_that_count(texts: list[str], others: list[ast.expr], table: Table) -> list[str]:
    named = [text for text in texts if text in table.names]
    if any(_speaks_of(other, table) for other in others):
        return named
    return [name for name in named if name not in table.common]


def _all_names(values: list[ast.expr | None] | list[ast.expr], table: Table, least: int = 2) -> list[str]:
    """The names, where there are so many and nothing else; none where all of them are common."""
    texts = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    is_dispatch = len(values) == len(texts) >= least and set(texts) <= set(table.names)
    return texts if is_dispatch and not set(texts) <= set(table.common) else []


def _texts(node: ast.AST) -> list[str]:
    """The texts that are written out as an operand, alone or in a collection."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Tuple() | ast.List() | ast.Set():
            return [text for element in node.elts for text in _texts(element)]
        case ast.Dict():
            return [text for key in node.keys if key is not None for text in _texts(key)]
    return []


def _speaks_of(node: ast.expr, table: Table) -> bool:
    """Whether what is compared is called by one of the table's words."""
    return not isinstance(node, ast.Constant) and not set(table.words).isdisjoint(_words(node))


def _words(node: ast.AST) -> list[str]:
    """The words of the last name, attribute or key; of a call also those of what it is given."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
            return name.lower().split("_")
        case ast.Subscript():
            return _words(node.slice) or _words(node.value)
        case ast.Call():
            return [word for part in (node.func, *node.args) for word in _words(part)]
    return []


def _is_literal_type(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal"


COLOURS = Table(("red", "green", "light"), ("colour",), ("light",), ())


@pytest.mark.parametrize(
    "code",
    [
        "if colour == 'red': pass",
        "found = x != 'green'",
        "is_red = file.colour in ('red', other)",
        "is_light = 'light' == colour_",
        "is_light = entry['colour'] == 'light'",
        "is_light = entry.get('colour') in {'light'}",
        "is_light = colour_of(entry) not in ('light', 'dark')",
        "match colour:\n  case 'red' | 'light': pass",
        "match entry.colour:\n  case 'light': pass",
        "paint = {'red': 1, 'green': 2}",
        "SUFFIXES = {'.r': 'red', '.l': 'light'}",
        "paint = {'red': 1}[x]",
        "paint = {'red': 1}.get(x, 2)",
        "BRIGHT = ('red', 'light')",
        "paint = COLOURS['red']",
    ],
)
def test_questions_are_seen(code: str) -> None:
    assert list(questions(ast.parse(code), COLOURS))


@pytest.mark.parametrize(
    "code",
    [
        "x = 'red'",
        "paint('red')",
        "if weight == 'light': pass",
        "match weight:\n  case 'light' | 'heavy': pass",
        "Colour = Literal['red', 'green', 'light']",
        "def paint(colour: Literal['red', 'green']) -> None: ...",
        "row = {'light': 1}",
        "row = {'red': 1, 'other': 2}",
        "words = ('red', 'wine')",
        "x = row['light']",
        "is_same = colour == other.colour",
    ],
)
def test_what_is_no_question_is_let_be(code: str) -> None:
    assert list(questions(ast.parse(code), COLOURS)) == []
