"""The files of the package in; those that know something by its name in a table, or by its class, out."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("pipelines", "seq2seq_core")


@dataclass(frozen=True)
class Entry:
    """Something that a table holds.

    Attributes:
        name: What it is called there; None where that is a word for other things as well.
        module: Where its class or function is defined.
        symbol: That class or function.
    """

    name: str | None
    module: str
    symbol: str


@dataclass(frozen=True)
class _Known:
    """What a file asks for by name, and what it imports: `module:symbol`, or `module:` for all of it."""

    names: frozenset[str]
    symbols: frozenset[str]


def knowing(root: Path, entry: Entry) -> list[str]:
    """The files, below the root, that know an entry.

    A file knows it when it defines or imports its symbol, or asks for its name: compares with it, has a case, a key or
    a type of its own for it.
    """
    home = f"{entry.module.replace('.', '/')}.py"
    wanted = {f"{entry.module}:{entry.symbol}", f"{entry.module}:"}
    return [
        file
        for file, known in _files(root).items()
        if file == home or entry.name in known.names or wanted & known.symbols
    ]


@functools.cache
def _files(root: Path) -> dict[str, _Known]:
    files = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    trees = {file: list(ast.walk(ast.parse(file.read_text("utf-8")))) for file in files}
    return {
        str(file.relative_to(root)): _Known(
            frozenset(name for node in nodes for name in _asked(node)),
            frozenset(symbol for node in nodes for symbol in _imported(node)),
        )
        for file, nodes in trees.items()
    }


def _imported(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (f"{alias.name}:" for alias in names)
        case ast.ImportFrom(module=str(module), names=names):
            for alias in names:
                yield f"{module}:{alias.name}"
                yield f"{module}.{alias.name}:"


def _asked(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare(left=left, comparators=others):
            yield from (name for part in (left, *others) for name in _texts(part))
        case ast.MatchValue(value=value):
            yield from _texts(value)
        case ast.Subscript(slice=inner):
            yield from _texts(inner)
        case ast.Dict(keys=found):
            yield from (name for key in found if key is not None for name in _texts(key))


def _texts(node: ast.AST) -> Iterator[str]:
    """A text, or those of a collection that is written out."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            yield from (text for part in parts for text in _texts(part))
