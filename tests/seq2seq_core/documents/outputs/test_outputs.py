from __future__ import annotations

import gzip
import io
import json

import pyarrow.parquet as pq
import pytest

from seq2seq_core.corpora.formats.tmx import read_units
from seq2seq_core.documents.content import Content
from seq2seq_core.documents.fields import Fields, Handling
from seq2seq_core.documents.outputs.table import OUTPUTS, rendered, written_as
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import InputFile, RecordRange
from seq2seq_core.errors import InputError
from seq2seq_core.text.marks import mark

FILE = InputFile("a.md", "a", ".md", "markdown")
PART = RecordRange(7, 3)
FIELDS = Fields("text", "translation", ("score",), Handling(languages=("en", "de")))
CONTENT: Content[None] = Content(["one", f"two {mark(0)}<b", None], [], None, tags={1: (["`x`"], " ")})
FOUND = [
    Prediction("eins", -0.5, (("eins", -0.5), ("ein", -1.25))),
    Prediction(f"zwei {mark(0)}&", -1.0, ((f"zwei {mark(0)}&", -1.0),)),
    None,
]


def out(name: str) -> bytes:
    return rendered(written_as(FILE, name), PART, CONTENT, FOUND, FIELDS)


def test_rows_of_jsonl_and_parquet_say_the_same() -> None:
    expected = [
        {"record": 7, "text": "one", "translation": "eins", "translation_score": -0.5},
        {"record": 8, "text": "two `x`<b", "translation": "zwei `x`&", "translation_score": -1.0},
        {"record": 9, "text": None, "translation": None, "translation_score": None},
    ]
    assert [json.loads(line) for line in out("jsonl").splitlines()] == expected
    assert pq.read_table(io.BytesIO(out("parquet"))).to_pylist() == expected


def test_an_n_best_list_is_that_of_moses() -> None:
    assert out("nbest").decode().splitlines() == [
        "7 ||| eins ||| Model0= -0.5 ||| -0.5",
        "7 ||| ein ||| Model0= -1.25 ||| -1.25",
        "8 ||| zwei `x`& ||| Model0= -1 ||| -1",
        "9 |||  ||| Model0= 0 ||| 0",
    ]


def test_tmx_is_read_by_what_reads_training_data() -> None:
    (rows,) = read_units(io.BytesIO(out("tmx")), ("en", "de"), "a.tmx", 1000)
    assert rows.kept.source.to_pylist() == ["one", "two `x`<b"]
    assert rows.kept.target.to_pylist() == ["eins", "zwei `x`&"]


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_are_compressed_as_inputs_where_they_can_be(name: str) -> None:
    packed = written_as(InputFile("a.md.gz", "a", ".md.gz", "markdown"), name)
    data = rendered(packed, PART, CONTENT, FOUND, FIELDS)
    assert packed.suffix.endswith(".gz") == OUTPUTS[name].may_be_packed
    assert (gzip.decompress(data) if OUTPUTS[name].may_be_packed else data) == out(name)


def test_a_field_that_rows_have_is_not_added() -> None:
    with pytest.raises(InputError, match="'record' is there already"):
        rendered(written_as(FILE, "jsonl"), PART, CONTENT, FOUND, Fields("text", "record"))


def test_without_a_name_the_format_is_that_of_the_input() -> None:
    lines = Content([None], [], [b"a"])
    assert rendered(InputFile("a.txt", "a", ".txt", "text"), PART, lines, [Prediction("b")], FIELDS) == b"b\n"
