"""Known inputs are told by how they look, and read again only where that has changed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import looks
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.planning.looks import WaysOf, looks_of, way_of
from seq2seq_core.preparation.steps import INDEX_INPUTS, PLAN, run_inline
from tests.growing import Landing, ids_of

LONG_AGO = 1_000_000_000


def settle(folder: Path, seconds: float = 60) -> None:
    """As if all files had been written a while ago."""
    for path in folder.iterdir():
        then = time.time() - seconds
        os.utime(path, (then, then))


@pytest.fixture
def grown(workshop: Any, landing: Landing) -> Landing:
    """A dataset of two files, which were written long before."""
    rows = workshop.sentences(120)
    for name, part in (("a", rows[:60]), ("b", rows[60:])):
        landing.land(name, part)
    settle(landing.folder)
    landing.prepare()
    return landing


def read_again(landing: Landing, **settings: Any) -> list[str]:
    job = landing.job(**settings)
    assert job.passed + len(job.inputs) == len(list(landing.folder.glob("*.en")))
    return [input_.origin for input_ in job.inputs]


def test_what_looks_the_same_is_not_read(workshop: Any, grown: Landing) -> None:
    assert read_again(grown) == []
    assert run_inline(grown.job(), PLAN)[INDEX_INPUTS] == []
    assert workshop.plan(grown.job()).head.is_done
    rows = workshop.sentences(150)
    grown.land("c", rows[100:])
    assert read_again(grown) == ["c.en"]
    assert grown.prepare().ledger.kept == {"train": 150}


def test_another_time_size_or_name_is_read_again_and_content_decides(
    workshop: Any, grown: Landing, output: str
) -> None:
    path = grown.folder / "a.en"
    path.write_bytes(path.read_bytes()[::-1])  # of the same size
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert read_again(grown) == ["a.en"]
    before = set(ids_of(output, load_manifest(output)))
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, (LONG_AGO + 1, LONG_AGO + 1))
    grown.rename("b", "z")
    assert len(read_again(grown)) == 2
    assert workshop.plan(grown.job()).head.is_done
    grown.land("c", workshop.sentences(130)[120:])
    assert before < set(ids_of(output, grown.prepare()))
    assert read_again(grown) == ["c.en"]  # the others look as they did when that was added


def test_what_was_just_written_is_read_again(workshop: Any, landing: Landing) -> None:
    landing.land("a", workshop.sentences(60))
    landing.prepare()
    assert read_again(landing) == ["a.en"]
    settle(landing.folder)
    assert read_again(landing) == ["a.en"]


def test_a_dataset_that_is_gone_is_not_begun_again_without_them(workshop: Any, grown: Landing, output: str) -> None:
    from seq2seq_core import storage

    job = grown.job()
    storage.remove(output)
    with pytest.raises(DatasetError, match="the dataset is gone"):
        workshop.plan(job)


def test_ways_are_told_apart_as_they_are_named() -> None:
    sources = [
        Source(format="tsv", urls=("a",), fields=("1", "2")),
        Source(format="tsv", urls=("b",), fields=("1", "2"), audio_root="x"),
        Source(format="tsv", urls=("a",), fields=("2", "1")),
        Source(format="tsv", urls=("a",), fields=("1", "2"), score_field="3"),
    ]
    ways = WaysOf()
    found = [ways.of(source) for source in sources]
    assert found == [way_of(source) for source in sources]
    assert len(set(found)) == 3


def test_stores_that_tell_no_version_and_files_that_are_not_there_tell_nothing(tmp_path: Path) -> None:
    source = Source(format="tsv", urls=(str(tmp_path / "missing.tsv"),), fields=())
    assert looks_of([source], ["x"], {source.urls[0]: "y"}) == [""]
    listing = {"name": "b/k", "size": 3, "type": "file"}
    assert looks._of_entry(listing) is None
    assert looks._of_entry({**listing, "ETag": '"e"', "LastModified": "2026-01-01"}) == (3, '"e"', None)
    told = looks._of_entry({**listing, "created": 12.5})
    assert told == (3, "12.5", 12.5)
