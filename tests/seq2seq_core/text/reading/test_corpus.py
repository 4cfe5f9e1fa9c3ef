"""Corpora of every format against a plain Python reading, whole and in parts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, InputError, StorageError
from seq2seq_core.text.reading.corpus import CorpusConfig, Part, TextSource, read_part
from seq2seq_core.text.reading.cutting import cut, index_source

LIMIT = 10_000
quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
SEGMENT = st.text(alphabet="ab \"'\u2028\x85\x0c,ä😀\\", max_size=8)
Row = tuple[int, str, str]


def corpus(**values: Any) -> CorpusConfig:
    return configuration.build(CorpusConfig, values)


def parts(source: TextSource, unit_rows: int) -> list[Part]:
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
    (source,) = corpus(path=str(tmp_path / "c.jsonl"), source_field="s", target_field="t.x").sources()
    rows, rejects = read(parts(source, unit_rows))
    expected = [(i, *pair) for i, pair in enumerate(map(json_plainly, lines), 1) if pair is not None]
    assert rows == expected
    assert sorted([line for line, _, _ in rows] + [line for line, _ in rejects]) == list(range(1, len(lines) + 1))


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"{", "bad_json"),
        (b"", "bad_json"),
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


def test_a_header_without_the_column_lists_those_there(tmp_path: Path) -> None:
    (tmp_path / "c.tsv").write_text("en\tde\nx\ty\n")
    (source,) = corpus(path=str(tmp_path / "c.tsv"), source_field="en", target_field="fr").sources()
    with pytest.raises(InputError, match=r"c\.tsv, line 1: no column 'fr'; found columns en, de"):
        source.columns(LIMIT)


def test_globs_are_sorted_and_pair_up(tmp_path: Path) -> None:
    for name in ("b.en", "a.en", "a.de", "b.de", "c.en"):
        (tmp_path / name).write_text("x\n")
    pairs = corpus(source=str(tmp_path / "[ab].en"), target=str(tmp_path / "*.de")).sources()
    assert [[Path(url).name for url in pair.urls] for pair in pairs] == [["a.en", "a.de"], ["b.en", "b.de"]]
    with pytest.raises(InputError, match=r"3 source files .* and 2 target files"):
        corpus(source=str(tmp_path / "*.en"), target=str(tmp_path / "*.de")).sources()
    with pytest.raises(StorageError, match="no such file"):
        corpus(source=str(tmp_path / "*.fr"), target=str(tmp_path / "*.de")).sources()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "a.tsv", "source": "a"}, "give source and target, or path alone"),
        ({"source": "a"}, "both sides are needed"),
        ({"source": "a", "target": "b", "format": "tsv"}, "both sides in one file"),
        ({"path": "a.tsv", "format": "moses"}, "a file for each side"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        corpus(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "x.dat"}, "does not tell the format"),
        ({"path": "x.tsv", "source_field": "en"}, "name all columns or number all of them"),
        ({"path": "x.tsv", "source_field": 0}, "numbered from 1"),
        ({"path": "x.jsonl", "source_field": "a", "target_field": "a.b"}, "must be different values"),
        ({"source": "x", "target": "y", "source_field": 1}, "a Moses pair has no fields"),
    ],
)
def test_fields_that_do_not_fit_are_refused(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        corpus(**values).sources()
