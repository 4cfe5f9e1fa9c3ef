from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.segment import Segment, digest_as_of, newest, segment_of
from tests.growing_rows import GrowingRows


def test_a_segment_is_all_that_a_dataset_has_now(tiny_dataset: str, tmp_path: Path) -> None:
    before = segment_of(load_manifest(tiny_dataset))
    assert (before.step, before.generation, before.rows) == (0, 0, 400)
    growing = GrowingRows(tiny_dataset, tmp_path / "dataset")
    manifest = growing.grow(30)
    after = segment_of(manifest, step=7, epoch=1, order="o")
    assert (after.step, after.epoch, after.generation, after.rows, after.order) == (7, 1, 1, 430, "o")
    assert after.dataset == manifest.digest != before.dataset
    lengths = growing.dataset.lengths("train")
    assert after.longest_source == lengths.source.max()


def test_the_digest_as_of_a_generation_is_known_or_not(tiny_dataset: str, tmp_path: Path) -> None:
    growing = GrowingRows(tiny_dataset, tmp_path / "dataset")
    manifest = growing.grow(30)
    assert newest(manifest) == 1
    assert digest_as_of(growing.root, manifest, 1) == manifest.digest
    assert digest_as_of(growing.root, manifest, 0) is None  # nothing says any more what stood there


def test_numbers_are_in_their_range() -> None:
    with pytest.raises(ValueError, match="rows"):
        Segment(step=0, epoch=0, generation=0, rows=-1, longest_source=0, dataset="d", order="o")
