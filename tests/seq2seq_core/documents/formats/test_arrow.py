from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import InputFile, UnitSize
from seq2seq_core.errors import InputError

FIELDS = Fields("text", "translation")
ROWS = [{"id": number, "text": None if number == 3 else f"row {number}"} for number in range(7)]
WRITERS: list[Callable[..., Any]] = [pa.ipc.new_stream, pa.ipc.new_file]


def write(path: Path, batches: list[list[dict[str, Any]]], writer: Callable[..., Any] = pa.ipc.new_stream) -> InputFile:
    schema = pa.schema([("id", pa.int8()), ("text", pa.string())], {"huggingface": "{}"})
    with writer(str(path), schema) as out:
        for rows in batches:
            out.write_batch(pa.RecordBatch.from_pylist(rows, schema))
    return InputFile(str(path), path.stem, ".arrow", "arrow")


@pytest.mark.parametrize("writer", WRITERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 7), max_size=3), size=st.integers(1, 9), laid_out=st.booleans())
def test_rows_come_back_with_their_translations(
    tmp_path: Path, writer: Callable[..., Any], cuts: list[int], size: int, laid_out: bool
) -> None:
    borders = [0, *sorted(cuts), 7]
    batches = [ROWS[start:end] for start, end in itertools.pairwise(borders)]
    file = write(tmp_path / "a.arrow", batches, writer)
    form = format_of(file)
    parts = list(form.count(file, UnitSize(size, 1 << 20), FIELDS).ranges)
    parts = form.lay_out(file, parts, str(tmp_path / "pieces")) if laid_out else parts
    tables = []
    for part in parts:
        content = form.read(file, part, FIELDS)
        found = [None if text is None else Prediction(text.upper()) for text in content.texts]
        tables.append(pa.ipc.open_stream(form.render(file, content, found, FIELDS)).read_all())
    whole = pa.concat_tables(tables)
    assert whole.to_pylist() == [row | {"translation": row["text"] and row["text"].upper()} for row in ROWS]
    assert whole.schema.metadata == {b"huggingface": b"{}"}


def test_what_is_no_arrow_or_lacks_the_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    file = write(path, [ROWS])
    with pytest.raises(InputError, match="there is no column 'body'"):
        format_of(file).count(file, UnitSize(9, 9), Fields("body", "translation"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="Arrow"):
        format_of(file).count(file, UnitSize(9, 9), FIELDS)


def test_a_file_that_has_changed_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "a.arrow", [ROWS])
    (part,) = format_of(file).count(file, UnitSize(9, 9), FIELDS).ranges
    write(tmp_path / "a.arrow", [ROWS[1:], ROWS[:1]])
    with pytest.raises(InputError, match="has changed since it was counted"):
        format_of(file).read(file, part, FIELDS)


def test_of_a_saved_dataset_the_rows_are_documents(tmp_path: Path) -> None:
    folder = tmp_path / "saved" / "train"
    folder.mkdir(parents=True)
    write(folder / "data-00000-of-00001.arrow", [ROWS])
    for name in ("train/state.json", "train/dataset_info.json", "dataset_dict.json"):
        (tmp_path / "saved" / name).write_text("{}")
    (found,) = find_inputs([str(tmp_path / "saved")], None, str(tmp_path / "out"))
    assert (found.name, found.format) == ("train/data-00000-of-00001", "arrow")
