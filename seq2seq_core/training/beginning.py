"""A configuration in; the rows that its run begins with out: those it began with before, of a lineage, or all."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq_core import storage
from seq2seq_core.dataset.segment import Segment
from seq2seq_core.training.checkpoints.identity import first_difference
from seq2seq_core.training.config import TrainConfig, identity
from seq2seq_core.training.following.lineage import (
    RunLineage,
    check_continues,
    present_steps,
    read_lineage,
    replayed,
)
from seq2seq_core.training.materials import settled
from seq2seq_core.training.mixing import Datasets, digest_of_then, have_rows, opened, segment_of_all
from seq2seq_core.training.ownership import STREAM


@dataclass(frozen=True)
class Beginning:
    """The first segment of a run, and what its identity says of the stream of its batches, where that is known."""

    segment: Segment
    stream: str | None = None


def find_beginning(config: TrainConfig) -> Beginning:
    """What a run begins with; its datasets may have grown since.

    Raises:
        DatasetError: There is no dataset.
        ConfigError: Several datasets cannot be mixed.
        ConfigError, CheckpointError: What is to be replayed cannot be.
    """
    datasets = opened(config.datasets)
    planned = replayed(config.replay) if config.replay is not None else ()
    known = _known(config, datasets)
    if known is not None:
        check_continues(known.segments, planned, storage.redact(config.output))
        return Beginning(known.segments[0], known.identity.get(STREAM))
    return Beginning(planned[0] if planned else segment_of_all(datasets))


def _known(config: TrainConfig, datasets: Datasets) -> RunLineage | None:
    """The lineage of the run that stands in the folder; None where there is none, or the dataset is not that any more.

    Where nothing was saved yet, it is that of another run unless all that it depends on is the same.
    """
    known = read_lineage(config.output)
    if known is None or not have_rows(datasets, known.segments[0]):
        return None
    ours = identity(settled(config, datasets[0]), digest_of_then(datasets, known.segments[0]))
    theirs = {name: value for name, value in known.identity.items() if name != STREAM}
    return known if first_difference(theirs, ours) is None or present_steps(config.output) else None
