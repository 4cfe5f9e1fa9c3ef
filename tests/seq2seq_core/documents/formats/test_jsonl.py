from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.documents import content as content_module
from seq2seq_core.documents import ranges
from seq2seq_core.documents.content import Content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats import jsonl
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.jsonl import count_jsonl, doubt_jsonl, parse_jsonl, render_jsonl
from seq2seq_core.documents.formats.parquet import count_rows, read_rows
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import InputFile, UnitSize
from seq2seq_core.errors import InputError

FIELDS = Fields("text", "translation")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def parse(*lines: bytes, fields: Fields = FIELDS) -> Content[list[bytes]]:
    return parse_jsonl(list(lines), fields, ends_line=True)


def echo(content: Content[list[bytes]], fields: Fields = FIELDS) -> list[str]:
    predictions = [None if text is None else Prediction(text) for text in content.texts]
    return render_jsonl(content, predictions, fields).decode().split("\n")[:-1]


@given(
    record=st.dictionaries(st.text(max_size=4), VALUES, max_size=4),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    ascii_only=st.booleans(),
    indent=st.sampled_from([(",", ":"), (", ", ": "), (" , ", " :  ")]),
    padding=st.sampled_from(["", " ", "\t", "\r"]),
)
def test_every_byte_passes_through_and_the_translation_stands_last(
    record: dict[str, Any], text: str, ascii_only: bool, indent: tuple[str, str], padding: str
) -> None:
    record = {key: value for key, value in record.items() if key != "translation"} | {"text": text}
    line = json.dumps(record, ensure_ascii=ascii_only, separators=indent) + padding
    content = parse(line.encode("utf-8", "replace"))
    if content.failures:
        return
    (found,) = echo(content)
    end = line.rindex("}")
    assert found.startswith(line.encode("utf-8", "replace").decode()[:end])
    assert found.endswith(line[end:])
    values = json.loads(found)
    assert list(values)[-1] == "translation"
    assert values.pop("translation") == text
    assert values == json.loads(line.encode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("line", "reason", "written"),
    [
        (b"broken", "not JSON: Expecting value at character 1", '{"translation": null}'),
        (b'{"text": "a', "not JSON: Unterminated string starting at character 10", '{"translation": null}'),
        (b'{"text": "a"} x', "not JSON: Extra data at character 15", '{"translation": null}'),
        (b"[1]", "not a JSON object but an array", '{"translation": null}'),
        (b"3\r", "not a JSON object but a number", '{"translation": null}\r'),
        (b'"\xff"', "not UTF-8: byte 2 of the line", '{"translation": null}'),
        (b"[" * 100_000, "not readable JSON: nested too deeply", '{"translation": null}'),
        (b"{}", "the field 'text' is missing", '{"translation": null}'),
        (b'{ "a": 1 }', "the field 'text' is missing", '{ "a": 1 , "translation": null}'),
        (b'{"text": 3}', "the field 'text' is a number, not a string", '{"text": 3, "translation": null}'),
        (b'{"text": [""]}', "the field 'text' is an array, not a string", '{"text": [""], "translation": null}'),
        (b'{"text": true}', "the field 'text' is true or false", '{"text": true, "translation": null}'),
        (b'{"text": "\\ud800"}', "half a surrogate pair", '{"text": "\\ud800", "translation": null}'),
        (
            b'{"text": "a", "tr\\u0061nslation": 1}\r',
            "'translation' is there already",
            '{"text": "a", "tr\\u0061nslation": 1}\r',
        ),
    ],
)
def test_a_line_that_cannot_be_used_keeps_its_place(line: bytes, reason: str, written: str) -> None:
    content = parse(b'{"text": "one"}', line, b'{"text": "two"}')
    (failure,) = content.failures
    assert failure.record == 1
    assert reason in failure.reason
    assert len(failure.excerpt) <= 200
    assert content.texts == ["one", None, "two"]
    assert echo(content)[1] == written
    # What the output does not hold is whole in the failure.
    assert failure.original == (line if written.startswith('{"translation"') and line != b"{}" else None)


def test_blank_lines_and_nulls_are_no_failures() -> None:
    content = parse(b"", b" \r", b'{"text": null}', b'{"text": ""}')
    assert content.failures == []
    assert content.texts == [None, None, None, ""]
    assert echo(content) == ["", " \r", '{"text": null, "translation": null}', '{"text": "", "translation": ""}']


def test_numbers_of_any_length_pass_through() -> None:
    line = b'{"n": ' + b"7" * 9000 + b', "text": "a"}'
    assert echo(parse(line)) == [line.decode()[:-1] + ', "translation": "a"}']


def test_a_byte_order_mark_stays() -> None:
    assert echo(parse(b'\xef\xbb\xbf{"text": "a"}')) == ['\ufeff{"text": "a", "translation": "a"}']


def test_dots_reach_inside_unless_a_field_has_the_whole_name() -> None:
    fields = Fields("a.b", "out")
    content = parse(b'{"a": {"b": "x"}}', b'{"a.b": "y", "a": {"b": "x"}}', b'{"a": "z"}', fields=fields)
    assert content.texts == ["x", "y", None]
    assert content.failures[0].reason == "the field 'a.b' is missing"


def test_more_fields_on_request() -> None:
    fields = Fields("text", "de", ("score", "n_best", "finished", "segments"))
    content = parse(b'{"text": "a"}', b'{"text": null}', fields=fields)
    done = Prediction("b", -0.5, (("b", -0.5), ("c", -1.0)), 2, False)
    first, second = render_jsonl(content, [done, None], fields).decode().splitlines()
    assert json.loads(first) == {
        "text": "a",
        "de": "b",
        "de_score": -0.5,
        "de_n_best": [{"text": "b", "score": -0.5}, {"text": "c", "score": -1.0}],
        "de_finished": False,
        "de_segments": 2,
    }
    names = ["de", "de_score", "de_n_best", "de_finished", "de_segments"]
    assert json.loads(second) == {"text": None} | dict.fromkeys(names)


@pytest.mark.parametrize(
    ("lines", "doubt"),
    [
        ([], None),
        ([b""], None),
        ([b'{"body": 1}', b'{"text": "a"}'], None),
        ([b'{"text": null}'], None),
        ([b'{"body": 1}', b'{"id": 2, "body": 2}'], "fields body, id"),
        ([b"one", b"two"], "no JSON object in a line"),
        ([b'[{"text": "a"}]'], "no JSON object in a line"),
    ],
)
def test_the_first_lines_tell_whether_the_field_is_right(lines: list[bytes], doubt: str | None) -> None:
    assert doubt_jsonl(lines, FIELDS, "a.jsonl") == doubt


def test_a_field_that_is_there_already_is_refused() -> None:
    with pytest.raises(InputError, match=r"a\.jsonl: the field 'translation' is there already.*--output_field"):
        doubt_jsonl([b'{"text": "a", "translation": "b"}'], FIELDS, "a.jsonl")
    with pytest.raises(InputError, match="'de_score'"):
        doubt_jsonl([b'{"text": "a", "de_score": 1}'], Fields("text", "de", ("score",)), "a.jsonl")


def count(path: Path, data: bytes, fields: Fields = FIELDS) -> None:
    path.write_bytes(data)
    (file,) = find_inputs([str(path)], None, "elsewhere")
    count_jsonl(file, UnitSize(10, 1 << 20), fields)


@pytest.mark.parametrize(
    "late",
    [b'{"text": "a", "translation": "b"}', b'{"translation"\t: null}', b'\xef\xbb\xbf{"translation":1, "x": {}}'],
)
@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n", b"\n{}\n"])
@given(before=st.integers(0, 40), block=st.integers(1, 50))
def test_a_late_field_is_refused_while_counting(
    tmp_path_factory: pytest.TempPathFactory, late: bytes, line_end: bytes, before: int, block: int
) -> None:
    path = tmp_path_factory.mktemp("late") / "a.jsonl"
    good = b'{"text": "the \\"translation\\": is late", "meta": {"translation": 1}, "kind": "translation"}\n\n'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "BLOCK_BYTES", block)
        count(path, good * before)
        message = rf"a\.jsonl, line {2 * before + 1}: the field 'translation' is there already.*--output_field"
        with pytest.raises(InputError, match=message):
            count(path, good * before + late + line_end)


def test_every_added_field_is_looked_for_in_both_spellings(tmp_path: Path) -> None:
    fields = Fields("text", "über", ("score",))
    for late in ('{"über": 1}', '{"\\u00fcber": 1}', '{"über_score": 1}'):
        with pytest.raises(InputError, match="line 2: the field 'über"):
            count(tmp_path / "a.jsonl", f'{{"text": "a"}}\n{late}\n'.encode(), fields)


def test_a_broken_line_with_the_name_is_for_the_ledger(tmp_path: Path) -> None:
    count(tmp_path / "a.jsonl", b'{"text": "a"}\n{"translation": \n["translation"]\n"translation": 1\n')


def test_a_line_without_end_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (content_module, jsonl):
        monkeypatch.setattr(module, "MAX_RECORD_BYTES", 30)
    content = parse(b'{"text": "one"}', b'{"text": "' + b"x" * 30 + b'"}\r')
    assert content.texts == ["one", None]
    assert [(failure.reason, failure.original) for failure in content.failures] == [("longer than 0 MiB", None)]
    assert echo(content) == ['{"text": "one", "translation": "one"}', '{"translation": null}\r']


@pytest.mark.parametrize(
    ("record", "name", "text"),
    [
        ({"doc.body": "a", "doc": {"body": "b"}}, "doc.body", "a"),
        ({"doc": {"body.en": "a"}}, "doc.body.en", "a"),
        ({"summaries": ["a", "b"]}, "summaries.1", "b"),
        ({"sentences": ["a", "b"]}, "sentences.*", "a b"),
    ],
)
def test_a_name_means_what_it_means_to_a_preparation(
    tmp_path: Path, record: dict[str, Any], name: str, text: str
) -> None:
    fields = Fields(name, "translation")
    assert parse_jsonl([json.dumps(record).encode()], fields, ends_line=True).texts == [text]
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "a.parquet")
    file = InputFile(str(tmp_path / "a.parquet"), "a", ".parquet", "parquet")
    (part,) = count_rows(file, UnitSize(10, 1 << 20), fields).ranges
    assert read_rows(file, part, fields).texts == [text]
