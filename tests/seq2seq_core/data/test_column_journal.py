from __future__ import annotations

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.data.column_journal import add_note, read_notes
from seq2seq_core.data.column_layout import Section

FIRST = Section("ab", 3, (5, 7), 0, (0, 0), ("1", "2", "3", "4"))
SECOND = Section("cd", 0, (0, 0), 3, (5, 7), ("5", "6", "7", "8"))


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    for section in (FIRST, SECOND):
        add_note(tmp_path / "notes", section)
    return tmp_path / "notes"


def test_what_is_noted_is_read(notes: Path) -> None:
    found = read_notes(notes)
    assert (list(found.sections.values()), found.is_whole) == ([FIRST, SECOND], True)
    assert found.sound == found.sections == {FIRST.key: FIRST, SECOND.key: SECOND}


def test_where_nothing_is_noted(tmp_path: Path) -> None:
    found = read_notes(tmp_path / "none")
    assert (found.sections, found.is_whole) == ({}, True)


def test_the_last_of_several_notes_counts(notes: Path) -> None:
    add_note(notes, dataclasses.replace(FIRST, digests=()))
    found = read_notes(notes)
    assert len(found.sections) == 2
    assert list(found.sound.values()) == [SECOND]
    add_note(notes, FIRST)
    assert len(read_notes(notes).sound) == 2


def test_a_note_that_was_cut_off_does_not_spoil_the_next(notes: Path) -> None:
    with notes.open("a") as out:
        out.write('\n0123 {"shard": "ef", "ro')
    add_note(notes, Section("gh", 1, (1, 1), 3, (5, 7), ("9",) * 4))
    found = read_notes(notes)
    assert ([section.shard for section in found.sections.values()], found.is_whole) == (["ab", "cd", "gh"], False)


@given(st.data())
def test_a_damaged_note_is_not_believed(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "notes"
        for section in (FIRST, SECOND):
            add_note(path, section)
        sound = path.read_bytes()
        place = data.draw(st.integers(0, len(sound) - 1))
        path.write_bytes(sound[:place] + data.draw(st.binary(max_size=3)) + sound[place + 1 :])
        assert all(section in (FIRST, SECOND) for section in read_notes(path).sections.values())
