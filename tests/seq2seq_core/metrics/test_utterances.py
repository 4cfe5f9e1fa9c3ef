from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.errors import InputError
from seq2seq_core.metrics.utterances import Utterances, match, read_utterances, with_speakers


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_lines_have_no_ids(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\nthree\n")
    assert read_utterances([str(tmp_path / "a.txt")]) == Utterances(["one", "", "three"])


def test_rows_of_manifests_and_of_others(tmp_path: Path) -> None:
    one = write(tmp_path / "1.jsonl", {"audio_filepath": "x/a.wav", "text": "one", "duration": 1.5, "speaker": "ann"})
    two = write(tmp_path / "2.jsonl", {"id": 7, "transcript": "two", "speaker_id": None})
    assert read_utterances([one, two]) == Utterances(["one", "two"], ["x/a.wav", "7"], ["ann", ""])


def test_packed_rows_and_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n\n{"text": ""}\n'))
    assert read_utterances([str(tmp_path / "a.jsonl.gz")]) == Utterances(["a", ""])


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('client_id\tpath\tsentence\r\nx\ta.mp3\t"hm" she said\r\ny\tb.mp3\t\r\n')
    assert read_utterances([str(tmp_path / "a.tsv")]) == Utterances(
        ['"hm" she said', ""], ["a.mp3", "b.mp3"], ["x", "y"]
    )


def test_an_object_a_file_is_called_as_its_file_is(tmp_path: Path) -> None:
    (tmp_path / "u1.json").write_text('{\n "text": "one",\n "segments": []\n}\n')
    (tmp_path / "u2.json").write_text('{"text": "two", "id": "other"}')
    assert read_utterances([str(tmp_path / "*.json")]) == Utterances(["one", "two"], ["u1", "other"])


def test_segments_with_times_are_one_recording(tmp_path: Path) -> None:
    (tmp_path / "talk.tsv").write_text("start\tend\ttext\n0\t900\tone two\n1500\t2000\tthree\n")
    (tmp_path / "zzz.tsv").write_text("start\tend\ttext\n0\t900\tfour\n")
    assert read_utterances([str(tmp_path / "*.tsv")]) == Utterances(["one two three", "four"], ["talk", "zzz"])


def test_rows_of_one_id_are_parts_of_one_utterance(tmp_path: Path) -> None:
    rows = [{"id": name, "text": text} for name, text in (("a", "one"), ("b", "x"), ("a", "two"))]
    assert read_utterances([write(tmp_path / "a.jsonl", *rows)]) == Utterances(["one two", "x"], ["a", "b"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text', r"a.jsonl:2: the row is not JSON"),
        ("a.jsonl", "[1]\n", r"a.jsonl:1: the row is no object; found list"),
        ("a.jsonl", '{"id": 1, "txt": "a"}\n', r"a.jsonl:1: the row has no text; found id, txt; expected text or"),
        ("a.jsonl", '{"text": "a", "id": 1}\n{"text": "a"}\n', "some rows have an id and others none; found 1 of 2"),
        ("a.tsv", "id\ttext\na\n", r"a.tsv:2: a row has not one cell a column; found 1; expected 2"),
    ],
)
def test_what_is_wrong_is_named(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_utterances([str(tmp_path / name)])


def test_rows_and_lines_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    with pytest.raises(InputError, match="files of rows and files of lines do not go together"):
        read_utterances([str(tmp_path / "a.txt"), write(tmp_path / "b.jsonl", {"text": "a"})])


def test_by_id_what_is_missing_is_empty_and_named() -> None:
    found = match(Utterances(["B", "X"], ["b", "x"]), Utterances(["a", "b"], ["a", "b"], ["ann", "bob"]))
    assert (found.hypotheses, found.references, found.ids) == (["", "B"], ["a", "b"], ["a", "b"])
    assert (found.missing, found.unknown, found.speakers) == (("a",), ("x",), ["ann", "bob"])


def test_speakers_may_stand_with_the_hypotheses() -> None:
    found = match(Utterances(["B"], ["b"], ["bob"]), Utterances(["a", "b"], ["a", "b"]))
    assert found.speakers == ["", "bob"]


def test_paths_are_compared_by_their_names_where_none_is_equal() -> None:
    found = match(Utterances(["B", "A"], ["/x/b.flac", "/x/a.flac"]), Utterances(["a", "b"], ["a.wav", "b.wav"]))
    assert found.hypotheses == ["A", "B"]
    with pytest.raises(InputError, match=r"no hypothesis has the id of a reference; found b; expected 1/a, 2/a"):
        match(Utterances(["B"], ["b"]), Utterances(["a", "b"], ["1/a", "2/a"]))


def test_by_order_where_one_has_no_ids() -> None:
    found = match(Utterances(["A", "B"]), Utterances(["a", "b"], ["1", "2"]))
    assert (found.hypotheses, found.ids, found.missing) == (["A", "B"], ["1", "2"], ())
    assert match(Utterances(["A"]), Utterances(["a"])).ids == ["1"]
    with pytest.raises(InputError, match="do not match; found 1 hypotheses; expected 2"):
        match(Utterances(["A"]), Utterances(["a", "b"]))


def test_a_name_a_line_says_who_speaks(tmp_path: Path) -> None:
    (tmp_path / "who").write_text("ann\nbob\n")
    matched = match(Utterances(["A", "B"]), Utterances(["a", "b"]))
    assert with_speakers(matched, [str(tmp_path / "who")]).speakers == ["ann", "bob"]
    with pytest.raises(InputError, match="speakers and references do not match; found 2 names; expected 1"):
        with_speakers(match(Utterances(["A"]), Utterances(["a"])), [str(tmp_path / "who")])


IDS = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)


@given(IDS, IDS)
def test_every_reference_is_scored_and_every_hypothesis_accounted_for(hypotheses: list[str], wanted: list[str]) -> None:
    if set(hypotheses).isdisjoint(wanted):
        return
    found = match(Utterances([name.upper() for name in hypotheses], hypotheses), Utterances(wanted, wanted))
    assert found.references == wanted
    expected = [name.upper() if name in hypotheses else "" for name in wanted]
    assert found.hypotheses == expected
    assert {*found.missing} == {*wanted} - {*hypotheses}
    assert {*found.unknown} == {*hypotheses} - {*wanted}
