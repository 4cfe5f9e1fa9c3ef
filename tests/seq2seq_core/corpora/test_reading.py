"""Corpora of every format against a plain Python reading, whole and in parts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.errors import InputError
from seq2seq_core.files.encodings import encoding_by_zeros

BOM = b"\xef\xbb\xbf"
LIMIT = 10_000
quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
SEGMENT = st.text(alphabet="ab \"'\u2028\x85\x0c,ä😀\\", max_size=8)
Row = tuple[int, str, str]


def corpus(**values: Any) -> CorpusConfig:
    return configuration.build(CorpusConfig, values)


def parts(source: Source, unit_rows: int) -> list[Part]:
    """The parts of a source, as the planner cuts it."""
    return cut(source, index_source(source, unit_rows, LIMIT))


def read(all_parts: list[Part], limit: int = LIMIT) -> tuple[list[Row], list[tuple[int, str]]]:
    """Rows with their lines, and (line, rule) of the rejects."""
    rows: list[Row] = []
    rejects: list[tuple[int, str]] = []
    for part in all_parts:
        for sifted in read_part(part, limit):
            kept = sifted.kept
            rows += zip(kept.lines.to_pylist(), kept.source.to_pylist(), kept.target.to_pylist(), strict=True)
            rejects += [(row["line"], row["rule"]) for row in sifted.rejected.to_pylist()]
    return rows, rejects


def numbered(rows: list[tuple[str, str]], first: int = 1) -> list[Row]:
    return [(line, source, target) for line, (source, target) in enumerate(rows, first)]


@quietly
@given(
    rows=st.lists(st.tuples(SEGMENT, SEGMENT), min_size=1, max_size=20),
    end=st.sampled_from(["\n", "\r\n"]),
    unit_rows=st.integers(1, 7),
)
def test_moses(tmp_path: Path, rows: list[tuple[str, str]], end: str, unit_rows: int) -> None:
    for name, side in (("c.en", 0), ("c.de", 1)):
        (tmp_path / name).write_bytes("".join(row[side] + end for row in rows).encode())
    (source,) = corpus(source=str(tmp_path / "c.en"), target=str(tmp_path / "c.de")).sources()
    assert read(parts(source, unit_rows)) == (numbered(rows), [])


@quietly
@given(
    rows=st.lists(st.tuples(SEGMENT, SEGMENT), min_size=1, max_size=20),
    unit_rows=st.integers(1, 7),
    named=st.booleans(),
)
def test_tsv(tmp_path: Path, rows: list[tuple[str, str]], unit_rows: int, named: bool) -> None:
    header = "id\ttarget text\tsource\n" if named else ""
    lines = [f"{i}\t{target}\t{source}" for i, (source, target) in enumerate(rows)]
    (tmp_path / "c.tsv").write_bytes((header + "\n".join(lines)).encode())
    fields = {"source_field": "source", "target_field": "target text"} if named else {"source_field": 3}
    (source,) = corpus(path=str(tmp_path / "c.tsv"), **{"target_field": 2, **fields}).sources()
    assert read(parts(source, unit_rows)) == (numbered(rows, 2 if named else 1), [])


JUNK = st.sampled_from(
    [
        "",
        " \t\r",
        "x",
        "[]",
        "3",
        '{"s": 1, "t": {"x": "b"}}',
        '{"s": "a"}',
        '{"t": {"x": "b"}}',
        '{"s": null, "t": {"x": "b"}}',
        '{"s": "a", "t": "b"}',
        '{"s": "a", "t": {"x": "b"}} ',
        '{"s": "a", "t": {"x": "b"}} {}',
        '{"s": "\\ud800", "t": {"x": ""}}',
        '{"s": "a", "s": "c", "t": {"x": "b"}}',
        '{"s": "a", "t": {"x": "b"}, "n": NaN}',
        '{"s": "a",',
        '{"s": "a", "t": {"x": "b"},}',
    ]
)


def json_plainly(line: str) -> tuple[str, str] | None:
    try:
        values = json.loads(line)
        found = (values["s"], values["t"]["x"])
        assert all(isinstance(value, str) for value in found)
        "".join(found).encode()
    except (ValueError, TypeError, KeyError, AssertionError):
        return None
    return found


@quietly
@given(
    lines=st.lists(
        st.one_of(
            st.tuples(SEGMENT, SEGMENT, st.booleans()).map(
                lambda r: json.dumps({"n": [1, {"s": "no"}], "s": r[0], "t": {"x": r[1], "y": 2}}, ensure_ascii=r[2])
            ),
            JUNK,
        ),
        min_size=1,
        max_size=12,
    ),
    unit_rows=st.integers(1, 7),
)
@example(lines=['{"s": "a", "t": {"x": "b"}} {"s": "a", "t": {"x": "b"}}', ""], unit_rows=7)
@example(lines=['{"s": "a", "t": {"x": "b"}} {"s": "a", "t": {"x": "b"}}'], unit_rows=7)
def test_jsonl(tmp_path: Path, lines: list[str], unit_rows: int) -> None:
    (tmp_path / "c.jsonl").write_bytes("".join(f"{line}\n" for line in lines).encode())
    (source,) = corpus(path=str(tmp_path / "c.json*"), source_field="s", target_field="t.x").sources()
    rows, rejects = read(parts(source, unit_rows))
    expected = [(i, *pair) for i, pair in enumerate(map(json_plainly, lines), 1) if pair is not None]
    assert rows == expected
    read_lines = sorted([line for line, _, _ in rows] + [line for line, _ in rejects])
    assert read_lines == [i for i, line in enumerate(lines, 1) if line.strip()]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"{", "bad_json"),
        (b"\xc2\xa0", "bad_json"),
        (b"\0", "bad_json"),
        (b"[1]", "bad_json"),
        (b"[" * 5000, "bad_json"),
        (b'{"n": ' + b"1" * 5000 + b'} "', "bad_json"),
        (b'{"source": "a"}', "missing_field"),
        (b'{"source": "a", "target": null}', "missing_field"),
        (b'{"source": "a", "target": 7}', "wrong_type"),
        (b'{"source": "a", "target": "\\udc00"}', "not_utf8"),
        (b'{"source": "a", "target": "\xff"}', "not_utf8"),
        (b'{"source": "' + b"a" * LIMIT + b'"}', "too_many_bytes"),
    ],
)
def test_broken_json_is_set_aside_with_its_rule(tmp_path: Path, line: bytes, rule: str) -> None:
    good = b'{"source": "a", "target": "b"}\n'
    (tmp_path / "c.jsonl").write_bytes(good + line + b"\n" + good)
    (source,) = corpus(path=str(tmp_path / "c.jsonl")).sources()
    assert read(parts(source, 100)) == ([(1, "a", "b"), (3, "a", "b")], [(2, rule)])


def test_broken_rows_of_tsv_and_moses(tmp_path: Path) -> None:
    (tmp_path / "c.tsv").write_bytes(b"a\tb\nonly\n\xff\tb\nlonglong\tb\nc\td\n")
    (source,) = corpus(path=str(tmp_path / "c.tsv")).sources()
    rejects = [(2, "missing_column"), (3, "not_utf8"), (4, "too_many_bytes")]
    assert read(parts(source, 100), limit=8) == ([(1, "a", "b"), (5, "c", "d")], rejects)
    (tmp_path / "c.en").write_bytes(b"a\n\xff\nlonglonglong\n\xff\n")
    (tmp_path / "c.de").write_bytes(b"b\nx\n\xff\n\xff\n")
    (source,) = corpus(source=str(tmp_path / "c.en"), target=str(tmp_path / "c.de")).sources()
    assert read(parts(source, 100), limit=8) == (
        [(1, "a", "b")],
        [(2, "not_utf8"), (3, "too_many_bytes"), (4, "not_utf8")],
    )


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_unequal_sides_name_both_files_and_counts(tmp_path: Path, block: int) -> None:
    del block
    (tmp_path / "c.en.gz").write_bytes(gzip.compress(b"x\n" * 700_000))
    (tmp_path / "c.de").write_bytes(b"long line here\n" * 600_001)
    (source,) = corpus(source=str(tmp_path / "c.en.gz"), target=str(tmp_path / "c.de")).sources()
    part = Part(source=source, ranges=((0, None), (0, None)), first_line=1)
    with pytest.raises(InputError, match=r"c\.en\.gz has 700000 lines and .*c\.de has 600001 lines"):
        read([part])


PIECES = [b"a", b"b c", b"\t", b"\n", b"\n", b"\r\n", b"\r", b"\x0c", b"\0", b"\xc2\x85", b"\xe2\x80\xa8", b"\xff", BOM]
PIECES += ["\U0001f600".encode(), b"long" * 9]


def is_lines(data: bytes) -> bool:
    """Whether it has line ends, if it needs any, and zero bytes here and there alone."""
    return (b"\n" in data or b"\r" not in data[:-1]) and encoding_by_zeros(data) is None


OCTETS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=30).map(b"".join).filter(is_lines)


def lines_of(data: bytes) -> list[bytes]:
    """The lines of a file as Python splits bytes at line feeds."""
    whole = data.removeprefix(BOM).split(b"\n")
    return [line.removesuffix(b"\r") for line in whole[:-1]] + ([whole[-1]] if whole[-1] or data == BOM else [])


def text_of(line: bytes, limit: int) -> str | None:
    try:
        return line.decode() if len(line) <= limit else None
    except UnicodeDecodeError:
        return None


@quietly
@given(data=OCTETS, unit_rows=st.integers(1, 5), limit=st.sampled_from([20, 1000]))
def test_text_alone_of_any_bytes(tmp_path: Path, data: bytes, unit_rows: int, limit: int) -> None:
    (tmp_path / "c.txt").write_bytes(data)
    (source,) = corpus(text=str(tmp_path / "c.txt")).sources()
    expected = [(line, text_of(octets, limit)) for line, octets in enumerate(lines_of(data), 1)]
    rows, rejects = read(parts(source, unit_rows), limit)
    assert rows == [(line, "", text) for line, text in expected if text is not None]
    assert [line for line, _ in rejects] == [line for line, text in expected if text is None]


@quietly
@given(data=st.tuples(OCTETS, OCTETS), unit_rows=st.integers(1, 5), limit=st.sampled_from([20, 1000]))
def test_moses_of_any_bytes(tmp_path: Path, data: tuple[bytes, bytes], unit_rows: int, limit: int) -> None:
    sides = [lines_of(octets) for octets in data]
    missing = max(map(len, sides)) - min(map(len, sides))
    shorter = 0 if len(sides[0]) < len(sides[1]) else 1
    padded = list(data)
    if missing:  # more lines on the shorter side, until both have as many
        padded[shorter] += b"" if data[shorter].endswith(b"\n") or not sides[shorter] else b"\n"
        padded[shorter] += b"x\n" * missing
    assume(all(map(is_lines, padded)))
    for name, octets in zip(("c.en", "c.de"), padded, strict=True):
        (tmp_path / name).write_bytes(octets)
    (source,) = corpus(source=str(tmp_path / "c.en"), target=str(tmp_path / "c.de")).sources()
    texts = [[text_of(line, limit) for line in lines_of(octets)] for octets in padded]
    expected = list(enumerate(zip(*texts, strict=True), 1))
    rows, rejects = read(parts(source, unit_rows), limit)
    assert rows == [(line, *pair) for line, pair in expected if None not in pair]
    assert [line for line, _ in rejects] == [line for line, pair in expected if None in pair]


@quietly
@given(data=OCTETS, unit_rows=st.integers(1, 5), scored=st.booleans())
def test_tsv_of_any_bytes(tmp_path: Path, reading: Any, data: bytes, unit_rows: int, scored: bool) -> None:
    (tmp_path / "c.tsv").write_bytes(data)
    found = reading.read(unit_rows, 20, path=str(tmp_path / "c.tsv"), **({"score_field": 3} if scored else {}))
    rules: list[str] = []
    for line in lines_of(data):
        text = text_of(line, 20)
        columns = text.split("\t") if text is not None else []
        unreadable = "too_many_bytes" if len(line) > 20 else "not_utf8"
        short = "missing_column" if len(columns) < 2 + scored else "bad_score" if scored else ""
        rules.append(unreadable if text is None else short)
    assert [rule for _, rule, _ in found.rejects] == [rule for rule in rules if rule]
    assert [row[0] for row in found.rows] == [line for line, rule in enumerate(rules, 1) if not rule]
    for line, source, target in found.rows:
        assert [source, target] == lines_of(data)[line - 1].decode().split("\t")[:2]


def test_scores_of_lines(tmp_path: Path, reading: Any) -> None:
    (tmp_path / "c.tsv").write_text("s\tscore\tt\na\t0.5\tb\na\tmuch\tb\na\t\tb\na\tnan\tb\nc\t-1e3\td\n")
    named = {"source_field": "s", "target_field": "t", "score_field": "score"}
    found = reading.read(2, path=str(tmp_path / "c.tsv"), **named)
    assert found.rows == [(2, "a", "b", 0.5), (6, "c", "d", -1000.0)]
    assert found.rejects == [
        (3, "bad_score", "score much"),
        (4, "bad_score", "score "),
        (5, "bad_score", "score nan"),
    ]
    scores = ("1", "2.5", '"3"', "null", "1e999")
    objects = [f'{{"source": "a", "target": "b", "score": {score}}}' for score in scores]
    (tmp_path / "c.jsonl").write_text("\n".join(objects))
    found = reading.read(path=str(tmp_path / "c.jsonl"), score_field="score")
    assert found.rows == [(1, "a", "b", 1.0), (2, "a", "b", 2.5)]
    assert [row[1:] for row in found.rejects] == [
        ("bad_score", "score is a str"),
        ("bad_score", "no score"),
        ("bad_score", "score inf"),
    ]


@quietly
@given(
    objects=st.lists(
        st.one_of(
            st.fixed_dictionaries({"s": st.lists(SEGMENT, max_size=3), "t": st.lists(SEGMENT, max_size=2)}),
            st.fixed_dictionaries({"s": st.lists(st.one_of(SEGMENT, st.none(), st.just(3)), max_size=2), "t": SEGMENT}),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_lists_of_json(tmp_path: Path, reading: Any, objects: list[dict[str, Any]]) -> None:
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps(row) for row in objects))
    found = reading.read(path=str(tmp_path / "c.jsonl"), source_field="s.*", target_field="t.0")
    assert found.rows == [
        (line, " ".join(row["s"]), row["t"][0])
        for line, row in enumerate(objects, 1)
        if all(isinstance(text, str) for text in row["s"]) and isinstance(row["t"], list) and row["t"]
    ]
    assert len(found.rows) + len(found.rejects) == len(objects)


def test_a_bad_line_of_json_does_not_hide_its_neighbours(tmp_path: Path, reading: Any) -> None:
    lines = ['{"source": "a", "target": "b"}'] * 500
    for place in (0, 77, 300, 499):
        lines[place] = '{"source": "a"' if place % 2 else '{"source": "a", "target": null}'
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    found = reading.read(path=str(tmp_path / "c.jsonl"))
    assert [(line, rule) for line, rule, _ in found.rejects] == [
        (1, "missing_field"),
        (78, "bad_json"),
        (301, "missing_field"),
        (500, "bad_json"),
    ]
    assert [row[0] for row in found.rows] == [line for line in range(1, 501) if line not in (1, 78, 301, 500)]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("unit_rows", [1, 2, 100])
def test_blank_lines_of_json_are_no_rows(tmp_path: Path, reading: Any, unit_rows: int, suffix: str) -> None:
    row = b'{"source": "a", "target": "b"}'
    data = b"\n".join([b"", row, b"", b" \t", b"{", row, b"\r", b"", b""])
    (tmp_path / f"c.jsonl{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    found = reading.read(unit_rows, path=str(tmp_path / f"c.jsonl{suffix}"))
    assert [row[0] for row in found.rows] == [2, 6]
    assert [row[:2] for row in found.rejects] == [(5, "bad_json")]


def test_text_alone_of_files_with_fields(tmp_path: Path, reading: Any) -> None:
    (tmp_path / "c.tsv").write_text("1\ta b c\n2\td\n")
    assert reading.read(path=str(tmp_path / "c.tsv"), text_field=2) == ([(1, "", "a b c"), (2, "", "d")], [])
    (tmp_path / "c.jsonl").write_text('{"text": "a b c"}\n{"text": 3}\n')
    found = reading.read(path=str(tmp_path / "c.jsonl"), text_field="text", prompt_words=2)
    assert found == ([(1, "a b", "c")], [(2, "wrong_type", "text is a int")])
    (tmp_path / "c.txt").write_bytes(b" a\xc2\xa0b  c \n\n")
    found = reading.read(text=[str(tmp_path / "c.txt")], prompt_words=1)
    assert found.rows == [(1, "a", "b  c"), (2, "", "")]
