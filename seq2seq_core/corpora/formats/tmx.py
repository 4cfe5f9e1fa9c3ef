"""A TMX file (Translation Memory eXchange, 1.4b) as a stream in, rows of two of its languages out.

Expat reads it as a stream, so memory does not grow with the file. Entities may not be declared (so none can be
expanded or fetched) and a DTD is named but never loaded. Of a segment the text stays, and that of `hi` elements; what
`bpt`, `ept`, `ph`, `it` and `ut` hold is code of the document's format and goes, with the `sub` texts inside, which
are no part of the sentence (a footnote, the title of a picture).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from xml.parsers import expat

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.corpora.formats.base.format import Format
from seq2seq_core.corpora.terms.index import FileIndex
from seq2seq_core.corpora.terms.rows import MISSING_FIELD, Shape
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import ByteStream, open_plain, unpacked
from seq2seq_core.files.encodings import (
    HEAD_BYTES,
    UTF8,
    Decoded,
    Rejoined,
    encoding_by_mark,
    encoding_by_zeros,
    refuse_other_kinds,
)
from seq2seq_core.files.lines import TOO_LONG
from seq2seq_core.files.seal import Watched
from seq2seq_core.records import Problem, Sifted

EMPTY, UNKNOWN_ENTITY = "empty", "unknown_entity"
_BLOCK_BYTES = 1 << 18
_BATCH_ROWS = 1 << 14
_BATCH_CHARACTERS = 4 << 20
_DECLARED = re.compile(rb"""\s*<\?xml\s[^>]*?\sencoding\s*=\s*["']([^"'>]*)["']""")
_UNIT, _UNIT_BYTES = re.compile(rb"<tu[\s/>]"), 4
_CODES = frozenset({"bpt", "ept", "ph", "it", "ut"})
_EXACT, _REGION, _NONE = 2, 1, 0


class Tmx(Format):
    """Translation units of an XML file; it is read whole."""

    called = "a TMX file"
    suffixes = (".tmx",)
    needs_languages = True

    def may_be_empty(self, _source: Source, _found: FileIndex, /) -> bool:
        return True

    def has_rows(self, _source: Source, url: str, /) -> bool:
        with open_plain(url) as stream:
            return has_units(stream, url)

    def why_whole(self, _source: Source, /) -> tuple[str, str]:
        return "TMX", "in several files"

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        languages, url = part.source.languages or ("", ""), part.source.urls[0]
        return read_units(unpacked(files[0], url), languages, url, max_line_bytes)


def read_units(
    stream: ByteStream, languages: tuple[str, str], url: str, max_bytes: int, block_bytes: int = _BLOCK_BYTES
) -> Iterator[Sifted]:
    """One row a translation unit, in order; `line` is the number of the unit, from 1.

    A unit without one of the languages, with an empty segment, with an entity that nobody declared, or with a segment
    that is too long is set aside.

    Args:
        stream: The bytes of the file.
        languages: Of source and target. `en` takes `en-US` where there is no `en`; case does not matter.
        url: The file, for messages.
        max_bytes: Longer segments are unreadable.
        block_bytes: How much is read at a time.

    Raises:
        InputError: The file is not well-formed XML, is no TMX, is in another encoding than it says or in none that is
            known, or declares an entity.
    """
    handler = _Handler(languages, url, max_bytes)
    parser = handler.parser()
    head = stream.read(max(block_bytes, HEAD_BYTES))
    stream = _as_utf8(Rejoined(head, stream), head[:HEAD_BYTES], url)
    more = True
    while more:
        block = stream.read(block_bytes)
        more = bool(block)
        try:
            parser.Parse(block, not more)
        except expat.ExpatError as error:
            raise InputError(
                "the file is not well-formed XML",
                where=f"{storage.redact(url)}, line {error.lineno}",
                found=f"{expat.ErrorString(error.code)} at column {error.offset + 1}, "
                f"after {handler.count} translation units",
                advice="Fetch or write the file again.",
            ) from None
        if handler.is_full or not more:
            yield handler.take()


def has_units(stream: ByteStream, url: str) -> bool:
    """Whether there is a translation unit, or what looks like one; no more is read than it takes to see it."""
    head = stream.read(HEAD_BYTES)
    text = _as_utf8(Rejoined(head, stream), head, url)
    before = b""
    while block := text.read(_BLOCK_BYTES):
        if _UNIT.search(before + block):
            return True
        before = block[-_UNIT_BYTES:]
    return False


def _as_utf8(stream: ByteStream, head: bytes, url: str) -> ByteStream:
    """The file as UTF-8: a mark tells its encoding, else its zero bytes, else its first line, else it is UTF-8."""
    refuse_other_kinds(head, url)
    encoding = UTF8 if head.startswith(codecs.BOM_UTF8) else encoding_by_mark(head) or encoding_by_zeros(head)
    declared = _DECLARED.match(head)
    if encoding is None and declared is not None:
        encoding = _codec(declared[1].decode("ascii", "backslashreplace"), url)
    return Decoded(stream, encoding or UTF8, url)


def _codec(name: str, url: str) -> str:
    """The codec of an encoding whose name could be read, so that it must have the letters of ASCII."""
    try:
        codec = codecs.lookup(name).name.removesuffix("-sig")
        codecs.getincrementaldecoder(codec)
        is_true = "<".encode(codec) == b"<"
    except (LookupError, ValueError):
        raise InputError(
            "the encoding of the file is not known",
            where=storage.redact(url),
            found=f'encoding="{name}"',
            advice="Convert the file to UTF-8 (iconv) and say so in its first line.",
        ) from None
    if not is_true:
        raise InputError(
            "the file is not in the encoding that its first line says",
            where=storage.redact(url),
            found=f'encoding="{name}" in letters of ASCII',
            advice='Correct the first line (encoding="UTF-8", for example).',
        )
    return codec


class _Handler:
    """What is known at one moment of the parse, and the rows that have not been taken yet."""

    def __init__(self, languages: tuple[str, str], url: str, max_bytes: int) -> None:
        self.count = 0
        self._languages = languages
        self._wanted = tuple(_normal(language) for language in languages)
        self._url = url
        self._max_bytes = max_bytes
        self._ranks: dict[str, tuple[int, int]] = {}
        self._depth = 0
        self._in_segment = False
        self._code = 0
        self._rows: list[tuple[str | None, str | None]] = []
        self._problems: list[Problem] = []
        self._characters = 0
        self._begin_unit()
        self._begin_variant("")

    def parser(self) -> expat.XMLParserType:
        """A parser that calls this handler."""
        parser = expat.ParserCreate(UTF8)
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add
        parser.EntityDeclHandler = self._refuse_entity
        parser.SkippedEntityHandler = self._skip_entity
        return parser

    @property
    def is_full(self) -> bool:
        """Whether enough rows for a batch are there."""
        return len(self._rows) >= _BATCH_ROWS or self._characters >= _BATCH_CHARACTERS

    def take(self) -> Sifted:
        """The rows since the last call."""
        sides = [pa.array([row[side] for row in self._rows], pa.string()) for side in (0, 1)]
        sifted = Shape().finish(self.count - len(self._rows) + 1, sides, self._problems)
        self._rows, self._problems, self._characters = [], [], 0
        return sifted

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._depth and name != "tmx":
            raise InputError("not a TMX file", where=storage.redact(self._url), found=f"<{name}>", expected="<tmx>")
        self._depth += 1
        if self._in_segment:
            self._code += name in _CODES
        elif name == "seg":
            self._in_segment = True
        elif name == "tuv":
            self._begin_variant(attributes.get("xml:lang") or attributes.get("lang") or "")
        elif name == "tu":
            self._begin_unit()

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name in _CODES:
            self._code -= self._in_segment
        elif name == "seg":
            self._in_segment = False
            self._keep_variant()
        elif name == "tu":
            self._end_unit()

    def _add(self, text: str) -> None:
        if self._in_segment and not self._code:
            self._bytes += len(text) if text.isascii() else len(text.encode())
            if self._bytes <= self._max_bytes:
                self._texts.append(text)

    def _begin_unit(self) -> None:
        self._found: list[tuple[int, str, int]] = [(_NONE, "", 0), (_NONE, "", 0)]
        self._skipped = ""

    def _begin_variant(self, language: str) -> None:
        self._rank = self._ranks.get(language) or self._ranks.setdefault(language, self._rank_of(language))
        self._texts: list[str] = []
        self._bytes = 0
        self._code = 0
        self._in_segment = False

    def _rank_of(self, language: str) -> tuple[int, int]:
        """How well a language fits either side; it goes to one of them at most."""
        found = _normal(language)
        source, target = (
            _EXACT if found == wanted else _REGION if found.startswith(f"{wanted}-") else _NONE
            for wanted in self._wanted
        )
        return (source, _NONE) if source >= target else (_NONE, target)

    def _keep_variant(self) -> None:
        """Give the segment to its side; the best fit wins, and of equals the first."""
        for side, rank in enumerate(self._rank):
            if rank > self._found[side][0]:
                self._found[side] = (rank, "".join(self._texts), self._bytes)
        self._rank = (_NONE, _NONE)

    def _end_unit(self) -> None:
        self.count += 1
        problem = self._problem(len(self._rows))
        if problem:
            self._problems.append(problem)
        row = tuple(text if rank and size <= self._max_bytes else None for rank, text, size in self._found)
        self._rows.append((row[0], row[1]))
        self._characters += sum(len(text or "") for text in row)

    def _problem(self, row: int) -> Problem | None:
        for language, (rank, _, _) in zip(self._languages, self._found, strict=True):
            if not rank:
                return Problem(row, MISSING_FIELD, f"no {language}", "a segment in both languages")
        if self._skipped:
            return Problem(row, UNKNOWN_ENTITY, f"&{self._skipped};", "entities of XML alone")
        sizes = [size for _, _, size in self._found]
        for side, size in zip(("source", "target"), sizes, strict=True):
            if size > self._max_bytes:
                return Problem(row, TOO_LONG, f"{side} {size} bytes", f"at most {self._max_bytes} bytes")
        if not all(sizes):
            source, target = ("text" if size else "empty" for size in sizes)
            return Problem(row, EMPTY, f"source {source}, target {target}", "text on both sides")
        return None

    def _skip_entity(self, name: str, is_parameter: bool) -> None:
        if self._in_segment and not self._code and any(self._rank) and not is_parameter:
            self._skipped = name

    def _refuse_entity(self, name: str, *_: object) -> None:
        raise InputError(
            f"the file declares an entity ({name!r})",
            where=storage.redact(self._url),
            advice="Entities are not expanded, as they can hold whole disks; write their text out.",
        )


def _normal(language: str) -> str:
    return language.strip().lower().replace("_", "-")
