"""A configuration in; the rows that its run begins with out: those it began with before, of a lineage, or all."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq_core import storage
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.segment import Segment, digest_as_of, segment_of
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
from seq2seq_core.training.ownership import STREAM


@dataclass(frozen=True)
class Beginning:
    """The first segment of a run, and what its identity says of the stream of its batches, where that is known."""

    segment: Segment
    stream: str | None = None


def find_beginning(config: TrainConfig) -> Beginning:
    """What a run begins with; the dataset may have grown since.

    Raises:
        DatasetError: There is no dataset.
        ConfigError, CheckpointError: What is to be replayed cannot be.
    """
    dataset = Dataset.open(config.dataset)
    planned = replayed(config.replay) if config.replay is not None else ()
    known = _known(config, dataset)
    if known is not None:
        check_continues(known.segments, planned, storage.redact(config.output))
        return Beginning(known.segments[0], known.identity.get(STREAM))
    return Beginning(planned[0] if planned else segment_of(dataset.manifest))


def _known(config: TrainConfig, dataset: Dataset) -> RunLineage | None:
    """The lineage of the run that stands in the folder; None where there is none, or the dataset is not that any more.

    Where nothing was saved yet, it is that of another run unless all that it depends on is the same.
    """
    known = read_lineage(config.output)
    if known is None or dataset.split("train").rows < known.segments[0].rows:
        return None
    first = known.segments[0]
    data = digest_as_of(dataset.root, dataset.manifest, first.generation) or first.dataset
    ours = identity(settled(config, dataset), data)
    theirs = {name: value for name, value in known.identity.items() if name != STREAM}
    return known if first_difference(theirs, ours) is None or present_steps(config.output) else None
