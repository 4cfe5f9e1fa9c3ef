"""What a name was made of is read back from it, no name is taken for another, and those on disk since long stay."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.local_disk import published_name
from seq2seq_core.preparation.planning.traces import traces_of
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.layout import Name

NUMBER = st.integers(0, 10**7)
RUN = st.from_regex(r"[a-z][a-z0-9.-]{0,12}-[0-9]{1,7}-[0-9a-f]{8}", fullmatch=True)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "generation": NUMBER,
    "index": NUMBER,
    "count": NUMBER,
    "run": RUN,
    "split": st.sampled_from(["train", "valid", "test"]),
    "digest": st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
}
NAMES: dict[str, tuple[Name, tuple[str, ...]]] = {
    "claim": (layout.CLAIM, ("generation",)),
    "claim note": (layout.CLAIM_NOTE, ("generation", "run")),
    "totals": (layout.TOTALS, ("generation",)),
    "rest": (layout.REST, ("generation", "run")),
    "work": (layout.WORK, ("generation", "digest")),
    "unit": (layout.UNIT, ("index", "count")),
    "unit marker": (layout.UNIT_MARKER, ("index", "count")),
    "shard marker": (layout.SHARD_MARKER, ("split", "index", "count")),
}


@given(st.sampled_from(sorted(NAMES)), st.data())
def test_every_name_is_read_back_and_by_no_other_shape(kind: str, data: st.DataObject) -> None:
    name, fields = NAMES[kind]
    values = {field: data.draw(VALUES[field]) for field in fields}
    made = name.of(**values)
    found = name.parse(made)
    assert found is not None
    assert {field: int(text) if isinstance(values[field], int) else text for field, text in found.items()} == values
    assert [other for other, (shape, _) in NAMES.items() if shape.parse(made)] == [kind]
    temporary = f".{made}.{'0' * 32}.tmp"
    assert published_name(temporary) == made
    assert [other for other, (shape, _) in NAMES.items() if shape.parse(temporary)] == []


@pytest.mark.parametrize(
    ("name", "made"),
    [
        (layout.CLAIM.of(generation=1), "claim-00001.json"),
        (layout.CLAIM_NOTE.of(generation=1, run="host-3-aa"), "claim-00001.host-3-aa.json"),
        (layout.TOTALS.of(generation=2), "progress-00002.json"),
        (layout.REST.of(generation=3, run="host-3-aa"), "rest-00003-host-3-aa.json"),
        (layout.work_name(4, "0123456789abcdef" * 2), "00004-0123456789abcdef"),
        (layout.SHARD_MARKER.of(split="train", index=1, count=2), "train-part-00001-of-00002.parquet.json"),
        (layout.TRACES, "files.json"),
        (layout.TOKENIZERS_MARKER, "tokenizers.json"),
        (layout.WORK_FOLDER, "_work"),
    ],
)
def test_names_that_runs_of_all_versions_know_each_other_by(name: str, made: str) -> None:
    assert name == made


def test_all_that_a_run_leaves_stands_where_the_layout_says(workshop: Any) -> None:
    rows = workshop.sentences(120)
    dirty = workshop.corpus("c", [*rows, *rows[:9], ("same", "same"), ("", "x")])
    job = workshop.job([("train", dirty), ("test", workshop.corpus("t", rows[:5]))], shards=2, near_duplicates=True)
    plan = workshop.plan(job)
    workshop.prepare(job)
    noted = set(traces_of(plan.head).files)
    found = {path for path in storage.files_below(job.output) if posixpath.dirname(path) not in ("", "generations")}
    assert found <= noted
    assert {path.split("/")[0] for path in found} <= layout.DATASET_FOLDERS | {"near"}


def test_no_other_file_spells_a_path() -> None:
    """Names of the work folder stand in the layout alone."""
    folder = Path(layout.__file__).parents[1]
    spelt = ('"staged"', '"shards"', '"bands"', '"edges"', "claim-", "progress-", "rest-", "unit-", '"_work', ".arrow")
    found = [
        (str(path.relative_to(folder)), text)
        for path in folder.rglob("*.py")
        for text in spelt
        if path.name != "layout.py" and any(text in line for line in code_of(path))
    ]
    nouns = {(f"{name}.py", '"shards"') for name in ("planning/generation", "planning/watch", "compaction/folding")}
    kinds = ("terms/known", "planning/planner", "publishing/publish", "sieves/near/search")
    assert set(found) == nouns | {(f"{name}.py", '"bands"') for name in kinds}  # what is known, of which kind


def code_of(path: Path) -> list[str]:
    """The lines of a file without its first docstring, and without comments."""
    text = path.read_text().partition('"""')[2].partition('"""')[2]
    return [line.partition("#")[0] for line in text.splitlines()]
