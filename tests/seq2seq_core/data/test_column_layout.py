from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.data.column_layout import End, Layout, Runs, Section
from seq2seq_core.dataset.manifest import ShardEntry
from tests.text_sides import text_sides

SIDES = tuple(text_sides(44, 70_000).values())
SECTIONS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=6)


def section(rows: int, first_row: int) -> Section:
    return Section("", rows, (), first_row, ())


@given(SECTIONS, st.permutations(range(6)), st.data())
def test_rows_are_found_in_whatever_order_sections_stand(
    drawn: list[tuple[int, int]], order: list[int], data: st.DataObject
) -> None:
    """A section has some rows, and a hole of some before it."""
    sections, end = [], 0
    for rows, hole in drawn:
        sections.append(section(rows, end + hole))
        end += hole + rows
    wanted = [sections[i] for i in order if i < len(sections)]
    expected = [row for s in wanted for row in range(s.first_row, s.first_row + s.rows)]
    runs = Runs(wanted)
    assert runs.rows == len(expected)
    assert runs.places(np.arange(len(expected))).tolist() == expected
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(expected))] * 2)))
    if begin < end:
        assert [row for s in runs.slices(begin, end) for row in range(s.start, s.stop)] == expected[begin:end]


def test_sections_that_follow_one_another_are_one_run() -> None:
    runs = Runs([section(3, 0), section(0, 9), section(2, 3), section(4, 5)])
    assert runs.slices(0, 9) == [slice(0, 9)]


def test_places_in_the_files() -> None:
    layout = Layout(SIDES)
    found = Section("", 3, (5, 7), 10, (100, 200))
    assert layout.spans(found) == {
        "source.values": (200, 210),
        "source.offsets": (80, 112),
        "target.values": (800, 828),
        "target.offsets": (80, 112),
    }
    assert layout.end([found, Section("", 1, (1, 1), 0, (0, 0))]) == End(13, (105, 207))
    sizes = {"source.values": 211, "source.offsets": 112, "target.values": 828, "target.offsets": 113}
    assert layout.end_of_bytes(sizes) == End(15, (106, 207))


@pytest.mark.parametrize(
    "other", [Layout(tuple(text_sides(44).values())), Layout(SIDES[::-1]), Layout(SIDES[:1]), Layout(())]
)
def test_the_name_names_shards_and_kinds(other: Layout) -> None:
    shard = ShardEntry(path="x", rows=1, source_tokens=2, target_tokens=3, bytes=4, digest="ab")
    layout = Layout(SIDES)
    assert layout.name([shard]) == Layout(SIDES).name([shard.model_copy(update={"path": "y"})])
    assert layout.name([shard]) != layout.name([shard.model_copy(update={"digest": "ac"})])
    assert layout.name([shard]) != other.name([shard])
    assert layout.key(shard) == ("ab", 1, (2, 3))
