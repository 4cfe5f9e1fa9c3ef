"""A configuration in; the dataset, model, loader and identity that every process works with, agreed on, out."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq_core import storage
from seq2seq_core.data.bins import RowLengths
from seq2seq_core.data.cache_folder import cache_folder
from seq2seq_core.data.drawing.curriculum import Curriculum
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.guidance import Guide
from seq2seq_core.data.loader import Loader, Seeing
from seq2seq_core.data.noise import Noise
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.segment import Segment
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Side
from seq2seq_core.training.agreement import check_alike, on_main, together
from seq2seq_core.training.beginning import Beginning, find_beginning
from seq2seq_core.training.config import TrainConfig, flat, identity
from seq2seq_core.training.exporter import Exporter
from seq2seq_core.training.following.reaching import reached
from seq2seq_core.training.materials import Materials, gather_materials
from seq2seq_core.training.mixing import Datasets, columns_of, digest_of_then, mixed_of, weights_of
from seq2seq_core.training.ownership import STREAM
from seq2seq_core.training.processes.distributed import World

_OF_THE_MACHINE = {"dataset", "output", "loader", "device", "tensorboard", "wandb", "replay"}
"""Keys that may differ between the processes of a run: paths of a machine, and what nobody else depends on."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """What one process works with; `identity` is what the run's course depends on, the same on all.

    In `config` nothing is left open that the dataset decides. `segments` is what is learned from: the first one here,
    and then what enters.
    """

    config: TrainConfig
    materials: Materials
    exporter: Exporter
    loader: Loader
    identity: dict[str, Any]
    segments: list[Segment]


def open_run(config: TrainConfig, world: World) -> Opened:
    """Open what is trained on and build what is trained, on every process.

    Raises:
        DatasetError, ConfigError: See `gather_materials`; or the processes have different datasets or configurations.
        CheckpointError: The lineage of the run, or of the one that is replayed, is damaged.
    """
    beginning: Beginning = on_main(world, lambda: find_beginning(config))
    opened = together(world, lambda: _opened(config, world, beginning))
    stream = world.agree(opened.identity[STREAM])  # another process may have seen more rows behind the first ones
    opened = dataclasses.replace(opened, identity={**opened.identity, STREAM: stream})
    check_alike(
        world,
        {
            **opened.identity,
            "rows": opened.segments[0].order,
            **dict(flat(config.model_dump(mode="json", exclude=_OF_THE_MACHINE))),
        },
        "the processes do not train the same",
        storage.redact(config.output),
        "Start all of them with the same command, on the same dataset.",
    )
    return opened


def _opened(config: TrainConfig, world: World, beginning: Beginning) -> Opened:
    first = beginning.segment
    datasets = tuple(itertools.starmap(reached, zip(config.datasets, first.rows_of_each, strict=True)))
    is_spread = config.sharding.kind != "none" and world.size > 1
    materials = gather_materials(config, world.device, datasets, is_moved=not is_spread)
    config = materials.config
    loader = _opened_loader(config, datasets, world, first.rows_of_each)
    order = loader.name
    is_known = first.order in ("", order)
    stream = beginning.stream if beginning.stream is not None and is_known else loader.fingerprint
    data = digest_of_then(datasets, first)
    pairs = zip(first.shares, loader.draws, strict=True)
    shares = tuple(share.model_copy(update={"draws": draws}) for share, draws in pairs)
    segments = [first.model_copy(update={"order": order, "shares": shares})]
    exporter = Exporter(config, materials, segments)
    return Opened(config, materials, exporter, loader, {**identity(config, data), STREAM: stream}, segments)


def _opened_loader(config: TrainConfig, datasets: Datasets, world: World, rows: Sequence[int]) -> Loader:
    """The loader of the first so many rows of each; those that came later enter where they are let in."""
    columns = columns_of(datasets, rows)
    lengths = columns.lengths_of(sum(rows))
    curriculum = _curriculum(config, datasets[0], lengths)
    if curriculum and world.is_main:
        (_, first), (step, _) = curriculum.openings[0], curriculum.openings[-1]
        told = "by %s the %d rows of the %s values come first; all are there after step %d"
        logger.info(told, config.curriculum.by.replace("_", " "), first, config.curriculum.first + "est", step)
    stream = BatchStream(
        lengths,
        config.data,
        config.seed,
        weights_of(datasets, rows),
        cache_folder(),
        mixed_of(datasets, rows, config.mixture),
        curriculum,
    )
    if stream.dropped_rows and world.is_main:
        logger.info("%d training rows are longer than data.max_*_tokens and left out", stream.dropped_rows)
    return Loader(
        columns,
        stream,
        config.loader,
        rank=world.rank,
        world=world.size,
        pin=world.device.type == "cuda",
        seeing=Seeing(
            Noise.of(config.noise, datasets[0], config.seed, _longest(config.data)),
            config.objective.passes,
            _guide(config, datasets),
        ),
    )


def _guide(config: TrainConfig, datasets: Datasets) -> Guide | None:
    """What says where the decoder should look, where attention is guided; the datasets share their tokenizers."""
    if not config.guided_alignment:
        return None
    for dataset in datasets:
        if not dataset.manifest.has_alignments:
            raise ConfigError(
                "the dataset does not say which words are aligned",
                where="guided_alignment",
                found=storage.redact(dataset.root),
                advice="Prepare it with an alignment_field and keep_alignments, or leave guided_alignment out.",
            )
    return Guide.of(datasets[0])


def _curriculum(config: TrainConfig, dataset: Dataset, lengths: RowLengths) -> Curriculum | None:
    """The curriculum of a run on the first rows of a dataset, where it has one."""
    if config.curriculum.by == "none":
        return None
    found = lengths.between(0, lengths.rows)
    values = found.source if config.curriculum.by == "source_length" else dataset.scores(0, lengths.rows)
    return Curriculum.of(config.curriculum, values, config.data.keeps(found))


def _longest(data: StreamConfig) -> dict[Side, int]:
    return {"source": data.most_source_tokens, "target": data.max_target_tokens}
