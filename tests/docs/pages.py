"""The Markdown pages of this project in; their links, anchors, tables, blocks and code words out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_MARK = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: What stands behind the fence: `sh`, `yaml`, `text`.
        line: Its first line in the page.
        mark: The HTML comment right before it.
        section: The heading of the second level above it.
    """

    language: str
    text: str
    page: Path
    line: int
    mark: str
    section: str

    @property
    def where(self) -> str:
        """Page and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Table:
    """The plain text of a table's cells, its head first; `section` is the heading above it."""

    rows: tuple[tuple[str, ...], ...]
    section: str


@dataclass(frozen=True)
class Page:
    """What a page holds."""

    path: Path
    links: tuple[str, ...]
    anchors: frozenset[str]
    blocks: tuple[Block, ...]
    tables: tuple[Table, ...]
    code: tuple[str, ...]

    @property
    def name(self) -> str:
        """The path below the root."""
        return str(self.path.relative_to(ROOT))


def read_page(path: Path) -> Page:
    """Read a page as CommonMark with tables, as GitHub shows it."""
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text("utf-8"))
    inline = [child for token in tokens for child in (token.children or ())]
    return Page(
        path=path,
        links=tuple(str(token.attrs["href"]) for token in inline if token.type == "link_open"),
        anchors=frozenset(_anchors(tokens)),
        blocks=tuple(_blocks(path, tokens)),
        tables=tuple(_tables(tokens)),
        code=tuple(token.content for token in inline if token.type == "code_inline"),
    )


def read_pages() -> list[Page]:
    """README and all pages of docs/."""
    return [read_page(path) for path in PAGES]


def _anchors(tokens: list[Token]) -> Iterator[str]:
    """The anchors that GitHub gives to headings."""
    seen: Counter[str] = Counter()
    for heading in _headings(tokens):
        name = anchor(heading)
        yield f"{name}-{seen[name]}" if seen[name] else name
        seen[name] += 1


def anchor(heading: str) -> str:
    """The anchor of a heading, unless one before it has the same."""
    return _NOT_IN_ANCHORS.sub("", heading.strip().lower()).replace(" ", "-")


def _headings(tokens: list[Token]) -> Iterator[str]:
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            yield plain(tokens[place + 1])


def plain(inline: Token) -> str:
    """The text of a heading or cell without marks of emphasis, code and links."""
    return "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))


def _blocks(path: Path, tokens: list[Token]) -> Iterator[Block]:
    mark, section = "", ""
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag in ("h1", "h2"):
            section = plain(tokens[place + 1])
        if token.type == "fence":
            line = token.map[0] + 1 if token.map else 0
            yield Block(token.info.strip(), token.content, path, line, mark, section)
        found = _MARK.fullmatch(token.content.strip()) if token.type == "html_block" else None
        mark = found[1] if found else ""


def _tables(tokens: list[Token]) -> Iterator[Table]:
    section = ""
    rows: list[list[str]] = []
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            section = plain(tokens[place + 1])
        elif token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(plain(tokens[place + 1]))
        elif token.type == "table_close":
            yield Table(tuple(map(tuple, rows)), section)
