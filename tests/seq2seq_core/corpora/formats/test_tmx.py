"""TMX: languages, inline elements, what is set aside, what is refused, against a plain reading by ET."""

from __future__ import annotations

import contextlib
import gzip
import io
import tracemalloc
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.corpora.formats.tmx import has_units, read_units
from seq2seq_core.errors import ConfigError, InputError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"><header/><body>\n'
TAIL = "</body></tmx>"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
SIDES = {"source_language": "en", "target_language": "de"}


def unit(*variants: tuple[str, str]) -> str:
    """A translation unit; the segments are XML already."""
    body = "".join(f"<tuv xml:lang={quoteattr(language)}><seg>{text}</seg></tuv>" for language, text in variants)
    return f"<tu>{body}</tu>\n"


def read(body: str, block: int = 1 << 16, limit: int = 1000, head: str = HEAD, tail: str = TAIL) -> tuple[Any, Any]:
    rows: list[tuple[int, str, str]] = []
    rejects: list[tuple[int, str, str]] = []
    stream = io.BytesIO((head + body + tail).encode())
    for sifted in read_units(stream, ("en", "de"), "c.tmx", limit, block):
        kept = sifted.kept
        rows += zip(kept.lines.to_pylist(), kept.source.to_pylist(), kept.target.to_pylist(), strict=True)
        rejects += [(row["line"], row["rule"], row["value"]) for row in sifted.rejected.to_pylist()]
    return rows, rejects


TEXT = st.text(alphabet="ab<&>\"' \n\t\u2028\x85\ufeff😀é", max_size=6)
VARIANT = st.tuples(st.sampled_from(["en", "EN-us", "en_GB", "de", "DE-AT", "fr", "enm", ""]), TEXT)


def plainly(variants: list[tuple[str, str]]) -> tuple[str | None, str | None]:
    """The texts of both sides as a person would pick them: the exact language, else its first region."""
    sides: list[str | None] = []
    for wanted in ("en", "de"):
        exact = [text for language, text in variants if language.lower() == wanted]
        regions = [text for language, text in variants if language.lower().replace("_", "-").startswith(f"{wanted}-")]
        sides.append(next(iter(exact + regions), None))
    return sides[0], sides[1]


@settings(deadline=None)
@given(units=st.lists(st.lists(VARIANT, max_size=4), max_size=6), block=st.integers(1, 40))
def test_units_are_those_of_a_plain_reading(units: list[list[tuple[str, str]]], block: int) -> None:
    body = "".join(unit(*((language, escape(text)) for language, text in variants)) for variants in units)
    rows, rejects = read(body, block)
    expected = list(enumerate(map(plainly, units), 1))
    assert rows == [(line, *pair) for line, pair in expected if all(pair)]
    assert [(line, rule) for line, rule, _ in rejects] == [
        (line, "missing_field" if None in pair else "empty") for line, pair in expected if not all(pair)
    ]


def inline(depth: int) -> st.SearchStrategy[str]:
    """A segment with nested inline elements, as XML."""
    text = st.text(alphabet="ab é", max_size=3)
    if not depth:
        return text
    inner = inline(depth - 1)
    element = st.tuples(st.sampled_from(["hi", "bpt", "ept", "ph", "it", "ut", "sub"]), inner)
    piece = st.one_of(text, element.map(lambda pair: f"<{pair[0]}>{pair[1]}</{pair[0]}>"))
    return st.lists(piece, max_size=4).map("".join)


def text_of(element: ET.Element) -> str:
    """The text without that of elements which hold codes."""
    kept = [(text_of(child) if child.tag in {"hi", "sub"} else "") + (child.tail or "") for child in element]
    return (element.text or "") + "".join(kept)


@settings(deadline=None)
@given(segment=inline(3))
def test_of_inline_elements_codes_go_and_highlighted_text_stays(segment: str) -> None:
    expected = text_of(ET.fromstring(f"<seg>{segment}</seg>"))
    rows, _ = read(unit(("en", f"x{segment}"), ("de", "y")))
    assert rows == [(1, f"x{expected}", "y")]


def test_a_sub_text_goes_with_the_code_around_it() -> None:
    rows, _ = read(
        unit(("en", 'a <ph>img alt="<sub>a cat</sub>"</ph>b'), ("de", "<hi>c</hi> <bpt i='1'>&lt;b></bpt>d"))
    )
    assert rows == [(1, "a b", "c d")]


def test_the_language_attribute_of_old_files_counts() -> None:
    assert read('<tu><tuv lang="EN"><seg>a</seg></tuv><tuv lang="de-CH"><seg>b</seg></tuv></tu>') == (
        [(1, "a", "b")],
        [],
    )


def test_what_is_wrong_with_a_unit_is_named() -> None:
    body = unit(("en", "a"), ("de", "b")) + unit(("fr", "a"), ("de", "b")) + "<tu/>" + unit(("en", ""), ("de", "b"))
    body += (
        unit(("en", "a&nbsp;b"), ("de", "b"))
        + unit(("en", "a"), ("de", "é" * 501))
        + unit(("en", "a"), ("de", "<ph/>"))
    )
    assert read(body + '<tu><tuv xml:lang="en"/><tuv xml:lang="de"><seg>b</seg></tuv></tu>') == (
        [(1, "a", "b")],
        [
            (2, "missing_field", "no en"),
            (3, "missing_field", "no en"),
            (4, "empty", "source empty, target text"),
            (5, "unknown_entity", "&nbsp;"),
            (6, "too_many_bytes", "target 1002 bytes"),
            (7, "empty", "source text, target empty"),
            (8, "missing_field", "no en"),
        ],
    )


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/hostname">',
        '<!ENTITY % a SYSTEM "http://localhost/x.dtd"> %a;',
    ],
)
def test_a_file_that_declares_entities_is_refused(declaration: str) -> None:
    head = HEAD.replace('SYSTEM "tmx14.dtd"', f"[{declaration}]")
    with pytest.raises(InputError, match=r"c\.tmx: the file declares an entity \('a'\)"):
        read(unit(("en", "&a;"), ("de", "b")), head=head)


def test_a_document_type_definition_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "x.dtd").write_text("<!ENTITY nbsp 'stolen'>")
    head = HEAD.replace("tmx14.dtd", (tmp_path / "x.dtd").as_uri())
    assert read(unit(("en", "&nbsp;"), ("de", "b")), head=head)[1] == [(1, "unknown_entity", "&nbsp;")]


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_file_that_breaks_off_says_how_far_it_went(data: st.DataObject) -> None:
    body = unit(("en", "a"), ("de", "b")) * 3
    whole = HEAD + body + TAIL
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InputError, match=r"c\.tmx, line \d+: .* XML; found .* at column \d+, after [0-3] translation"):
        read("", head=whole[:end], tail="")


def test_malformed_files_name_line_and_place() -> None:
    with pytest.raises(InputError, match=r"c\.tmx, line 5: .*mismatched tag at column 3, after 1 translation units"):
        read(unit(("en", "a"), ("de", "b")) + "</tu>")
    with pytest.raises(InputError, match=r"not a TMX file; found <html>; expected <tmx>"):
        read("", head="<html>", tail="</html>")


def test_memory_stays_below_a_segment_that_is_too_long() -> None:
    body = unit(("en", "x" * 8_000_000), ("de", "b"))
    tracemalloc.start()
    stream = io.BytesIO((HEAD + body + TAIL).encode())
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    (sifted,) = read_units(stream, ("en", "de"), "c.tmx", 1000)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert sifted.rejected.to_pylist()[0]["value"] == "source 8000000 bytes"
    assert peak < 2_000_000


def test_rows_come_in_batches() -> None:
    stream = io.BytesIO((HEAD + unit(("en", "a"), ("de", "b")) * 40_000 + TAIL).encode())
    sizes = [(sifted.kept.lines[0].as_py(), sifted.read) for sifted in read_units(stream, ("en", "de"), "c.tmx", 1000)]
    assert len(sizes) > 1
    assert sizes[-1][0] + sizes[-1][1] == 40_001


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_corpus_of_compressed_files(tmp_path: Path, reading: Any, encoding: str) -> None:
    text = HEAD.replace("UTF-8", encoding) + unit(("en-US", "a"), ("de", "ü")) + TAIL
    (tmp_path / "c.tmx.gz").write_bytes(gzip.compress(text.encode(encoding)))
    assert reading.read(path=str(tmp_path / "c.tmx.gz"), **SIDES) == ([(1, "a", "ü")], [])


@pytest.mark.parametrize(
    "languages", [{}, {"source_language": "en"}, {"source_language": "en", "target_language": "EN"}]
)
def test_the_languages_have_to_be_chosen(tmp_path: Path, reading: Any, languages: dict[str, str]) -> None:
    (tmp_path / "c.tmx").write_text(HEAD + TAIL)
    with pytest.raises(ConfigError, match="two of them must be chosen"):
        reading.sources(path=str(tmp_path / "c.tmx"), **languages)


LETTERS = {
    "utf8": "ü中ж", "UTF8": "ü中ж", "utf_8": "ü中ж", "UTF-8": "ü中ж", "utf-8-sig": "ü中ж",
    "gb2312": "中文", "GBK": "中文", "GB18030": "中文€", "big5": "中文", "Shift_JIS": "ある", "EUC-JP": "ある",
    "EUC-KR": "한국",
    "windows-1252": "ü€", "cp1251": "дом", "KOI8-R": "дом", "ISO-8859-1": "ü", "iso-8859-15": "ü€", "us-ascii": "u",
    "UTF-16": "ü中😀", "UTF-16LE": "ü中😀", "UTF-16BE": "ü中😀", "UTF-32": "ü中😀", "UTF-32LE": "ü中😀",
}  # fmt: skip


@pytest.mark.parametrize("encoding", LETTERS)
@settings(deadline=None, max_examples=20)
@given(data=st.data(), block=st.integers(1, 40))
def test_a_file_is_in_the_encoding_it_says(encoding: str, data: st.DataObject, block: int) -> None:
    text = data.draw(st.text(alphabet=f"ab {LETTERS[encoding]}", min_size=1).filter(str.strip))
    whole = HEAD.replace("UTF-8", encoding) + unit(("en", "a"), ("de", text)) * 3 + TAIL
    (*_, last) = read_units(io.BytesIO(whole.encode(encoding)), ("en", "de"), "c.tmx", 1000, block)
    assert last.kept.target.to_pylist()[-1] == text
    assert last.kept.lines.to_pylist()[-1] == 3


@pytest.mark.parametrize("said", ["UTF-8", "windows-1252", "nonsense", None])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_tells_more_than_the_first_line(said: str | None, encoding: str) -> None:
    head = HEAD.replace(' encoding="UTF-8"', f' encoding="{said}"' if said else "")
    whole = head + unit(("en", "a"), ("de", "ü中")) + TAIL
    (sifted,) = read_units(io.BytesIO(whole.encode(encoding)), ("en", "de"), "c.tmx", 1000)
    assert sifted.kept.target.to_pylist() == ["ü中"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("UCS-2", 'the encoding of the file is not known; found encoding="UCS-2"'),
        ("utf8mb4", "the encoding of the file is not known"),
        ("hex", "the encoding of the file is not known"),
        ("rot13", "the encoding of the file is not known"),
        ("undefined", "the encoding of the file is not known"),
        ("../x", "the encoding of the file is not known"),
        ("é", "the encoding of the file is not known"),
        ("", "the encoding of the file is not known"),
        ("UTF-16", 'not in the encoding that its first line says; found encoding="UTF-16"'),
        ("cp037", "not in the encoding that its first line says"),
        ("us-ascii", "the text is not ASCII; found .*: byte 0xc3 at"),
        ("gb2312", "the text is not GB2312; found .*: byte 0x"),
        ("UTF-7", "the text is not UTF-7; found "),
    ],
)
def test_encodings_that_are_none_or_not_that_of_the_file_are_one_line(said: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^c\.tmx: .*{message}.*\.$"):
        read(unit(("en", "a"), ("de", "ü한é")), head=HEAD.replace("UTF-8", said))


def test_bytes_that_are_not_utf8_are_told_as_such() -> None:
    whole = (HEAD + unit(("en", "a"), ("de", "ü")) + TAIL).encode("latin-1")
    with pytest.raises(InputError, match=rf"the text is not UTF-8; .*: byte 0xfc at {whole.index(0xFC) + 1}\."):
        list(read_units(io.BytesIO(whole), ("en", "de"), "c.tmx", 1000, 3))


@settings(deadline=None)
@given(said=st.text(st.characters(codec="utf-8", exclude_characters="\"'>"), max_size=9), data=st.binary(max_size=60))
def test_whatever_stands_in_a_file_is_text_or_one_error(said: str, data: bytes) -> None:
    head = HEAD.replace("UTF-8", said).encode()
    for content in (head + data, data, head + unit(("en", "a"), ("de", "b")).encode() + data + TAIL.encode()):
        with contextlib.suppress(InputError):
            list(read_units(io.BytesIO(content), ("en", "de"), "c.tmx", 1000))


def test_whether_there_are_units_is_seen_without_a_parse() -> None:
    def seen(body: str, encoding: str = "utf-8") -> bool:
        text = HEAD.replace("UTF-8", encoding) + body + TAIL
        return has_units(io.BytesIO(text.encode(encoding)), "c.tmx")

    assert [seen(body) for body in ("", "<note>tu</note>", "<tuv></tuv>")] == [False] * 3
    assert [seen(body) for body in ("<tu>", "<tu tuid='1'>", "<tu/>", "<tu\n>")] == [True] * 4
    assert [seen("x" * size + "<tu>", "utf-16") for size in range((1 << 17) - 150, (1 << 17) + 9, 7)] == [True] * 23
