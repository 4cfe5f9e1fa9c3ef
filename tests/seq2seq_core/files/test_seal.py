"""A part of a file that has changed since it was indexed gives the rows that were counted, or an error."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.corpora.terms.source import Part
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import codec_of, compress
from seq2seq_core.files.seal import Extent, Seal, Watched, joined, size_of

LIMIT = 1 << 16
CHANGED = "the file has changed since it was counted; found .*digest .*; expected .*Run the same command again"
quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
Pairs = list[tuple[str, str]]
ROWS: Pairs = [(f"source {i:02}", f"target {i:02} ä") for i in range(12)]
OTHERS: Pairs = [(f"saurce {i:02}", f"torget {i:02} ä") for i in range(12)]


def lines(rows: Pairs, side: int) -> bytes:
    return "".join(f"{row[side]}\n" for row in rows).encode()


def tsv(rows: Pairs, head: str = "") -> bytes:
    return (head + "".join(f"{source}\t{target}\n" for source, target in rows)).encode()


def jsonl(rows: Pairs) -> bytes:
    return "".join(json.dumps({"source": source, "target": target}) + "\n" for source, target in rows).encode()


def tmx(rows: Pairs) -> bytes:
    unit = '<tu><tuv xml:lang="en"><seg>{}</seg></tuv><tuv xml:lang="de"><seg>{}</seg></tuv></tu>\n'
    return f"<tmx><body>{''.join(unit.format(*row) for row in rows)}</body></tmx>".encode()


def table_of(rows: Pairs) -> pa.Table:
    sides = {side: [row[place] for row in rows] for place, side in enumerate(("source", "target"))}
    return pa.table({"before": list(range(len(rows)))} | sides | {"behind": ["unused"] * len(rows)})


def parquet(rows: Pairs, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table_of(rows), out, row_group_size=max(2, len(rows) // 8), **options)
    return out.getvalue()


def arrow(rows: Pairs, make: Any = pa.ipc.new_stream, *, encoded: bool = False) -> bytes:
    table = table_of(rows)
    for side in ("source", "target") if encoded else ():
        table = table.set_column(table.column_names.index(side), side, table.column(side).dictionary_encode())
    out = io.BytesIO()
    with make(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=max(2, len(rows) // 8))
    return out.getvalue()


def in_code(text: bytes, encoding: str) -> bytes:
    return text.decode().encode(encoding)


def packed(suffix: str, write: Callable[[Pairs], bytes]) -> Callable[[Pairs], bytes]:
    return lambda rows: compress(write(rows), codec_of(suffix))


class Case(NamedTuple):
    """The files of a corpus with the functions that write them, and what else its configuration says."""

    files: dict[str, Callable[[Pairs], bytes]]
    values: dict[str, str] = {}


def pair(suffix: str = "") -> Case:
    sides = {
        f"c.{name}{suffix}": packed(suffix, lambda rows, side=side: lines(rows, side))
        for side, name in enumerate(("en", "de"))
    }
    return Case(sides)


NAMED = {"source_field": "source", "target_field": "target"}
BARE = {"compression": "none", "write_statistics": False, "use_dictionary": False}
CASES = {
    "moses": pair(),
    **{f"moses{suffix}": pair(suffix) for suffix in (".gz", ".bz2", ".xz", ".zst")},
    "moses, one side packed": Case({"c.en": pair().files["c.en"], "c.de.gz": pair(".gz").files["c.de.gz"]}),
    "moses in utf-16": Case({"c.en": lambda rows: in_code(lines(rows, 0), "utf-16"), "c.de": pair().files["c.de"]}),
    "text": Case({"c.txt": lambda rows: lines(rows, 1)}),
    "tsv": Case({"c.tsv": tsv}),
    "tsv with a header": Case({"c.tsv": lambda rows: tsv(rows, "source\ttarget\n")}, NAMED),
    "tsv.gz with a header": Case({"c.tsv.gz": packed(".gz", lambda rows: tsv(rows, "source\ttarget\n"))}, NAMED),
    "jsonl": Case({"c.jsonl": jsonl}),
    "jsonl.xz": Case({"c.jsonl.xz": packed(".xz", jsonl)}),
    "jsonl in utf-32": Case({"c.jsonl": lambda rows: in_code(jsonl(rows), "utf-32")}),
    "tmx": Case({"c.tmx": tmx}, {"source_language": "en", "target_language": "de"}),
    "tmx.zst": Case({"c.tmx.zst": packed(".zst", tmx)}, {"source_language": "en", "target_language": "de"}),
    "parquet": Case({"c.parquet": parquet}),
    "bare parquet": Case({"c.parquet": lambda rows: parquet(rows, **BARE)}),
    "arrow stream": Case({"c.arrow": arrow}),
    "arrow file": Case({"c.arrow": lambda rows: arrow(rows, pa.ipc.new_file)}),
    "arrow with dictionaries": Case({"c.arrow": lambda rows: arrow(rows, encoded=True)}),
}  # fmt: skip


AT_ONCE = {
    "moses.xz",
    "jsonl.xz",
    "arrow with dictionaries",
}  # packed too slowly, or nearly all in front of the first row


class Planned:
    """The files of a case in a folder, indexed, with the rows of each part as they were then."""

    def __init__(self, folder: Path, case: Case, rows: Pairs = ROWS, unit_rows: int = 4) -> None:
        self.paths = [folder / name for name in case.files]
        for path, write in zip(self.paths, case.files.values(), strict=True):
            path.write_bytes(write(rows))
        names = [str(path) for path in self.paths]
        if len(names) == 2:
            values = {"source": names[0], "target": names[1]}
        else:
            values = {"text" if names[0].endswith(".txt") else "path": names[0]}
        (source,) = CorpusConfig.model_validate(values | case.values).sources()
        self.indexes = index_source(source, unit_rows, LIMIT)
        self.parts = cut(source, self.indexes)
        self.rows = [rows_of(part) for part in self.parts]
        assert sum(map(len, self.rows)) == len(rows)

    def outcomes(self) -> Iterator[str]:
        """What comes of each part now: the error that the file has changed, or all rows as they were."""
        for part, rows in zip(self.parts, self.rows, strict=True):
            error = error_of(part)
            assert error is None or re.search(CHANGED, str(error))
            assert error is not None or rows_of(part) == rows
            yield "changed" if error else "same"


def rows_of(part: Part) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for sifted in read_part(part, LIMIT):
        kept = sifted.kept
        found += zip(*(column.to_pylist() for column in (kept.lines, kept.source, kept.target)), strict=True)
        found += [tuple(row.values()) for row in sifted.rejected.to_pylist()]
    return found


def error_of(part: Part) -> InputError | None:
    try:
        rows_of(part)
    except InputError as error:
        return error
    return None


@pytest.mark.parametrize("name", CASES)
def test_other_rows_of_the_same_size(tmp_path: Path, name: str) -> None:
    planned = Planned(tmp_path, CASES[name])
    assert set(planned.outcomes()) == {"same"}
    for path, write in zip(planned.paths, CASES[name].files.values(), strict=True):
        whole = path.read_bytes()
        path.write_bytes(write(OTHERS))
        assert set(planned.outcomes()) == {"changed"}
        path.write_bytes(whole)
    assert set(planned.outcomes()) == {"same"}


@pytest.mark.parametrize("name", CASES)
@quietly
@given(data=st.data())
def test_any_change_of_a_file_is_told_or_changes_nothing(tmp_path: Path, name: str, data: st.DataObject) -> None:
    planned = Planned(tmp_path, CASES[name], unit_rows=data.draw(st.integers(1, 12)))
    path = data.draw(st.sampled_from(planned.paths))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole)))
    width = data.draw(st.sampled_from([0, 0, 1, 1, 2, 9, len(whole)]))
    more = data.draw(st.one_of(st.binary(min_size=width, max_size=width), st.binary(max_size=20), st.just(b"")))
    path.write_bytes(whole[:place] + more + whole[place + width :])
    assert set(planned.outcomes()) <= {"changed", "same"}


@pytest.mark.parametrize("name", CASES)
def test_a_change_of_one_row_is_seen_by_its_part(tmp_path: Path, name: str) -> None:
    planned = Planned(tmp_path, CASES[name])
    path, write = planned.paths[-1], list(CASES[name].files.values())[-1]
    path.write_bytes(write([*ROWS[:6], OTHERS[6], *ROWS[7:]]))
    found = list(planned.outcomes())
    assert "changed" in found
    if len(found) > 1 and name != "parquet":  # its footer tells of the least and the greatest texts
        assert found[-1] == "same"


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_has_grown(tmp_path: Path, name: str) -> None:
    planned = Planned(tmp_path, CASES[name])
    path = planned.paths[-1]
    path.write_bytes(path.read_bytes() + path.read_bytes())
    is_read_whole = planned.indexes[-1].lines is None or planned.parts[0].ranges[-1] == (0, None)
    assert set(planned.outcomes()) == {"changed" if is_read_whole else "same"}


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_has_shrunk(tmp_path: Path, name: str) -> None:
    planned = Planned(tmp_path, CASES[name])
    path = planned.paths[0]
    path.write_bytes(path.read_bytes()[:-60])
    assert list(planned.outcomes())[-1] == ("same" if name == "arrow file" else "changed")  # it has lost its footer
    path.write_bytes(b"")
    assert set(planned.outcomes()) == {"changed"}


@pytest.mark.parametrize("name", ["tsv with a header", "tsv.gz with a header"])
def test_a_header_that_names_other_columns(tmp_path: Path, name: str) -> None:
    planned = Planned(tmp_path, CASES[name])
    swapped = tsv(ROWS, "target\tsource\n")
    planned.paths[0].write_bytes(gzip.compress(swapped) if ".gz" in name else swapped)
    assert set(planned.outcomes()) == {"changed"}


def test_a_column_that_is_not_read_may_change(tmp_path: Path) -> None:
    planned = Planned(tmp_path, CASES["bare parquet"])
    whole = planned.paths[0].read_bytes()
    planned.paths[0].write_bytes(whole.replace(b"unused", b"things"))
    assert set(planned.outcomes()) == {"same"}


@pytest.mark.parametrize("name", sorted(CASES.keys() - AT_ONCE))
def test_a_change_while_a_part_is_read(tmp_path: Path, name: str) -> None:
    draw = random.Random(0)
    many = [(draw.randbytes(200).hex(), draw.randbytes(200).hex()) for _ in range(16_000)]
    planned = Planned(tmp_path, CASES[name], many, unit_rows=1 << 20)
    (part,) = planned.parts
    reading = read_part(part, LIMIT)
    next(reading)
    for path in planned.paths:
        whole = path.read_bytes()
        place = len(whole) * 9 // 10  # behind what has been read, and before a footer
        path.write_bytes(whole[:place] + bytes(99) + whole[place + 99 :])
    with pytest.raises(InputError, match=CHANGED):
        list(reading)


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_is_replaced_while_it_is_open_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    planned = Planned(tmp_path, CASES[name])
    (part, rows) = planned.parts[0], planned.rows[0]
    reading = read_part(part, LIMIT)
    found = next(reading).read
    for path in planned.paths:
        (tmp_path / "new").write_bytes(b"something else")
        (tmp_path / "new").rename(path)
    assert found + sum(sifted.read for sifted in reading) == len(rows)


def test_a_reader_may_stop(tmp_path: Path) -> None:
    planned = Planned(tmp_path, CASES["jsonl"])
    planned.paths[0].write_bytes(jsonl(OTHERS))
    reading = read_part(planned.parts[0], LIMIT)
    next(reading)
    reading.close()


def test_without_a_seal_whatever_stands_there_is_read(tmp_path: Path) -> None:
    planned = Planned(tmp_path, CASES["tsv with a header"])
    planned.paths[0].write_bytes(tsv(OTHERS, "source\ttarget\n"))
    for part in planned.parts:
        assert {row[1][:6] for row in rows_of(part.model_copy(update={"seals": ()}))} == {"saurce"}


@given(
    data=st.binary(max_size=60),
    spans=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=4),
    reads=st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 60)), st.integers(0, 20)), max_size=9),
)
def test_a_file_is_watched_whatever_is_read_of_it(
    data: bytes, spans: list[tuple[int, int]], reads: list[tuple[int | None, int]]
) -> None:
    digests = [xxhash.xxh3_128_digest(data[begin : begin + length]) for begin, length in spans]
    whole = [*digests, xxhash.xxh3_128_digest(data[3:]), xxhash.xxh3_128_digest(b"noted")]
    file = Watched(io.BytesIO(data), "c", Seal(digest=joined([whole[-1], *whole[:-1]])))
    file.note(b"noted")
    file.expect(*([Extent(begin, begin + length)] for begin, length in spans), [Extent(3)])
    plain = io.BytesIO(data)
    for place, size in reads:
        if place is None:
            file.next_round()
        else:
            assert file.seek(place) == plain.seek(place)
        assert file.read(size) == plain.read(size)
        assert file.tell() == plain.tell()
    file.check()


def test_the_digest_of_one_range_is_that_of_its_bytes() -> None:
    assert joined([xxhash.xxh3_128_digest(b"some")]) == storage.digest_bytes(b"some")


def test_size() -> None:
    file = io.BytesIO(b"12345")
    assert (size_of(file), file.tell()) == (5, 0)
