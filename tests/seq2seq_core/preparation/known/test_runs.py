"""Runs hold every entry once and in order, however they are cut, and what is asked for is found alone."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import RunEntry
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.known.rows import stand_in
from seq2seq_core.preparation.known.runs import Entries, find, in_order, keys_of, run_of, share, write_part, write_run
from seq2seq_core.preparation.terms.known import Cut, KnownPart, cut_of

WIDTH = 16


def entries(count: int, seed: int) -> Entries:
    return np.random.default_rng(seed).integers(0, 256, (count, WIDTH), np.uint8)


def made(rows: Entries, parts: int, ranges: int) -> tuple[str, RunEntry]:
    root = f"memory://{uuid.uuid4().hex}"
    return root, write_run(root, Cut(path="known/x", parts=parts, ranges=ranges), rows)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(1, 5), st.integers(1, 9), st.integers(1, 7), st.integers(0, 99))
def test_every_entry_is_found_and_shared_out_once(count: int, parts: int, ranges: int, shares: int, seed: int) -> None:
    rows = entries(count, seed)
    root, run = made(rows, parts, ranges)
    assert (run.rows, len(run.paths)) == (count, parts)
    assert sum(storage.size(storage.join(root, path)) for path in run.paths) == run.bytes
    whole = np.concatenate([share(root, run, WIDTH, index, shares) for index in range(shares)])
    assert (whole == in_order(rows)).all()
    asked = np.concatenate([rows[:7], entries(5, seed + 1)])
    found = find(root, run, WIDTH, keys_of(asked))
    assert (np.diff(keys_of(found).astype(object)) >= 0).all()
    assert {row.tobytes() for row in rows[:7]} <= {row.tobytes() for row in found} <= {row.tobytes() for row in rows}
    known = {row.tobytes() for row in rows}
    assert stand_in(root, (run, run), asked).tolist() == [row.tobytes() in known for row in asked]


def test_only_the_ranges_are_read_in_which_a_key_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = entries(50_000, 0)
    run = write_run(str(tmp_path), cut_of("known/x", len(rows)), rows)
    read, asked = storage.read_ranges, list[int]()

    def counting(ranges: list[storage.Range]) -> list[bytes]:
        asked.extend(part.end - part.begin for part in ranges)
        return read(ranges)

    monkeypatch.setattr(storage, "read_ranges", counting)
    assert len(find(str(tmp_path), run, WIDTH, keys_of(rows[:1]))) < 6000
    assert sum(asked) < run.bytes / 8


def test_what_is_missing_or_cut_short_is_told(tmp_path: Path) -> None:
    cut, rows = Cut(path="known/x", parts=2, ranges=1), in_order(entries(50, 1))
    ends = int(np.searchsorted(keys_of(rows), np.uint64(1 << 63)))
    parts = [write_part(str(tmp_path), cut, 0, rows[:ends]), write_part(str(tmp_path), cut, 1, rows[ends:])]
    run = run_of(cut, parts[::-1])
    assert run == run_of(cut, parts)
    for wrong in (parts[:1], [*parts, parts[0]], [KnownPart(index=3, rows=0, bytes=0, digest="")]):
        with pytest.raises(DatasetError, match="missing or there twice"):
            run_of(cut, wrong)
    path = tmp_path / run.paths[1]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DatasetError, match="a file of known rows is damaged"):
        share(str(tmp_path), run, WIDTH, 0, 1)
