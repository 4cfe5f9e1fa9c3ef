"""Fields of JSON lines: read as a block or line by line, a name means the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.formats.base import objects
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.corpora.terms.source import Part
from seq2seq_core.files.fields import lookup, parts_of

TEXTS = st.sampled_from(["x", "y", None])
RECORDS = st.fixed_dictionaries(
    {"target": st.just("t")},
    optional={
        "a.b": TEXTS,
        "a": st.fixed_dictionaries({}, optional={"b": TEXTS, "b.c": TEXTS}),
        "a.b.c": TEXTS,
        "n": st.just('a text with "a.b" in it'),
    },
)


def rows_of(path: Path, **fields: str) -> list[tuple[str, str]]:
    (source,) = CorpusConfig.model_validate({"path": str(path), **fields}).sources()
    rows: list[tuple[str, str]] = []
    for sifted in read_part(Part.whole(source), 1 << 20):
        rows += zip(sifted.kept.source.to_pylist(), sifted.kept.target.to_pylist(), strict=True)
    return rows


@given(
    records=st.lists(RECORDS, min_size=1, max_size=12), field=st.sampled_from(["a.b", "a.b.c", "a"]), few=st.booleans()
)
def test_what_a_block_says_is_what_each_line_says(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], field: str, few: bool
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    expected = [
        (found, "t") for record in records if isinstance(found := lookup(record, parts_of(field)), str) and found
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "_FEW_LINES", 1 if few else 64)
        assert rows_of(path, source_field=field, target_field="target") == expected


@pytest.mark.parametrize(
    ("record", "names"),
    [
        ({"text.en": "one", "text.de": "eins"}, ("text.en", "text.de")),
        ({"t": {"en.US": "one", "de": "eins"}}, ("t.en.US", "t.de")),
        ({"t.x": {"en.US": "one", "de.AT": "eins"}}, ("t.x.en.US", "t.x.de.AT")),
        ({"text": {"en": "one", "de": "eins"}}, ("text.en", "text.de")),
        ({"text": {"en": "wrong"}, "text.en": "one", "text.de": "eins"}, ("text.en", "text.de")),
    ],
)
def test_names_with_dots_are_reached_in_every_format(
    tmp_path: Path, record: dict[str, Any], names: tuple[str, str]
) -> None:
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(record)}\n" * 3)
    escaped = json.dumps(record).replace(".", "\\u002e")
    (tmp_path / "escaped.jsonl").write_text(f"{escaped}\n" * 3)
    pq.write_table(pa.Table.from_pylist([record] * 3), tmp_path / "a.parquet")
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as out:
        table = pa.Table.from_pylist([record] * 3)
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    for name in ("a.jsonl", "escaped.jsonl", "a.parquet", "a.arrow"):
        found = rows_of(tmp_path / name, source_field=names[0], target_field=names[1])
        assert found == [("one", "eins")] * 3, name
