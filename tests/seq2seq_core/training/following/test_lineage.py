from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.dataset.segment import Segment
from seq2seq_core.errors import CheckpointError, ConfigError
from seq2seq_core.training.checkpoints.checkpoint import Checkpoints, Retention
from seq2seq_core.training.checkpoints.run_state import RunState
from seq2seq_core.training.following.lineage import (
    LINEAGE_NAME,
    RunLineage,
    check_continues,
    publish_lineage,
    read_lineage,
    replayed,
)

IDENTITY = {"dataset_digest": "d0", "seed": 1}


def segments(*steps: int, order: str = "") -> tuple[Segment, ...]:
    return tuple(
        Segment(step=s, epoch=0, generation=i, rows=100 + i, longest_source=9, dataset=f"d{i}", order=order or f"o{i}")
        for i, s in enumerate(steps)
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_lineage(str(tmp_path)) is None
    lineage = RunLineage(identity=IDENTITY, segments=segments(0, 7))
    publish_lineage(str(tmp_path), lineage)
    assert read_lineage(str(tmp_path)) == lineage
    assert replayed(str(tmp_path)) == lineage.segments


def test_where_the_file_is_gone_the_newest_checkpoint_says_it(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "checkpoints"), IDENTITY)
    for step, entered in ((5, (0,)), (10, (0, 7))):
        checkpoints.save({}, RunState(step=step, segments=segments(*entered)), Retention(9, 9, {}))
    checkpoints.close()
    found = read_lineage(str(tmp_path))
    assert found == RunLineage(identity=IDENTITY, segments=segments(0, 7))


def test_a_checkpoint_of_an_earlier_version_says_nothing(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "checkpoints"), IDENTITY)
    checkpoints.save({}, RunState(step=5), Retention(9, 9, {}))
    checkpoints.close()
    assert read_lineage(str(tmp_path)) is None
    with pytest.raises(ConfigError, match="nothing here says which generations entered at which step"):
        replayed(str(tmp_path))


@pytest.mark.parametrize("text", ["", "{", '{"identity": {}, "segments": []}', "[" * 100_000])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / LINEAGE_NAME).write_text(text)
    with pytest.raises(CheckpointError, match=r"lineage\.json: the lineage of the run is damaged"):
        read_lineage(str(tmp_path))


def test_a_lineage_begins_with_what_entered() -> None:
    check_continues(segments(0, 7), segments(0, 7, 9), "run", step=8)
    check_continues(segments(0, 7), segments(0), "run", step=8)
    check_continues(segments(0), (), "run", step=8)
    for entered, planned, step in (
        (segments(0, 7), segments(0, 8), 7),
        (segments(0), segments(0, 7), 7),
        (segments(0), segments(0, order="x"), 0),
    ):
        with pytest.raises(CheckpointError, match=f"another segment at step {step}"):
            check_continues(entered, planned, "run", step=8)
