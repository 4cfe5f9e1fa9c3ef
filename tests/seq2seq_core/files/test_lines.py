"""The line reader against a plain Python reading of the same bytes."""

from __future__ import annotations

import io

from hypothesis import example, given
from hypothesis import strategies as st

from seq2seq_core.files.lines import decode, read_lines

BOM = b"\xef\xbb\xbf"
PIECES = [
    b"a",
    b"bc",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\x0c",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\xc3",
    b"\xa9",
    b"\0",
    BOM,
]
BYTES = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)


def plainly(data: bytes) -> list[bytes]:
    lines = data.removeprefix(BOM).split(b"\n")
    ended = [line.removesuffix(b"\r") for line in lines[:-1]]
    return ended + ([lines[-1]] if lines[-1] or (data == BOM) else [])


@given(data=BYTES, block=st.integers(1, 50))
@example(data=b"a\r\nb", block=2)
@example(data=b"\xc3\n\xa9\n", block=50)
@example(data=b"\n", block=1)
def test_lines_are_those_of_a_plain_reading(data: bytes, block: int) -> None:
    batches = list(read_lines(io.BytesIO(data), 1000, block))
    assert [line for batch in batches for line in batch.text.to_pylist()] == plainly(data)
    assert [length for batch in batches for length in batch.lengths] == [len(line) for line in plainly(data)]


@given(data=BYTES, block=st.integers(1, 50), limit=st.integers(1, 6))
def test_unreadable_lines_are_named_and_the_others_read(data: bytes, block: int, limit: int) -> None:
    found: list[str | None] = []
    rules: list[str | None] = []
    for batch in read_lines(io.BytesIO(data), limit, block):
        text, problems = decode(batch, limit)
        found += text.to_pylist()
        by_row = {problem.row: problem.rule for problem in problems}
        rules += [by_row.get(row) for row in range(len(batch))]
    for line, text, rule in zip(plainly(data), found, rules, strict=True):
        if len(line) > limit:
            assert (text, rule) == (None, "too_many_bytes")
            continue
        try:
            assert (text, rule) == (line.decode(), None)
        except UnicodeDecodeError:
            assert (text, rule) == (None, "not_utf8")


def test_a_line_over_the_limit_is_measured_but_not_held() -> None:
    data = b"x" * 1_000_000 + b"\nshort\n"
    batches = list(read_lines(io.BytesIO(data), 10, block_bytes=100))
    assert [int(length) for batch in batches for length in batch.lengths] == [1_000_000, 5]
    assert all(batch.text.nbytes < 1000 for batch in batches)


def test_what_was_found_stands_in_the_problem() -> None:
    (batch,) = read_lines(io.BytesIO(b"ok\nab\xff\nfar too long\n"), 6)
    _, problems = decode(batch, 6)
    assert {(p.row, p.rule, p.value, p.threshold) for p in problems} == {
        (1, "not_utf8", "byte 0xff at 3", "UTF-8"),
        (2, "too_many_bytes", "12 bytes", "at most 6 bytes"),
    }


def test_a_byte_order_mark_is_text_when_the_file_began_before() -> None:
    (batch,) = read_lines(io.BytesIO(BOM + b"a\n"), 10, at_start=False)
    assert batch.text.to_pylist() == [BOM + b"a"]
