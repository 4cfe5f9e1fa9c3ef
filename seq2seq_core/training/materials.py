"""A configuration and a dataset in; both with a freshly initialised model on the right device out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import MANIFEST_NAME
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import SIDES, Side
from seq2seq_core.models.folder import LoadedModel, load_model
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.registry import build_model
from seq2seq_core.training.config import TrainConfig


@dataclass(frozen=True)
class Materials:
    """What a run works with; in `config` nothing is left open that the dataset decides."""

    dataset: Dataset
    model: Seq2Seq
    config: TrainConfig


def gather_materials(config: TrainConfig, device: torch.device, dataset: Dataset) -> Materials:
    """Build the model for a dataset; the seed alone decides its initial weights.

    Raises:
        DatasetError: A tokenizer is not the one the dataset was made with.
        ConfigError: The model's shape does not fit the dataset.
    """
    if storage.exists(storage.join(config.output, MANIFEST_NAME)):
        raise ConfigError(
            "the run folder is a dataset folder", where="output", found=config.output, advice="Name another folder."
        )
    config = settled(config, dataset)
    vocabulary = dataset.target_tokenizer.vocabulary_size
    torch.manual_seed(config.seed)
    model = build_model(config.model, dataset.manifest.sides["source"].encoder_input, vocabulary)
    if model.max_length is not None and model.max_length < config.data.max_width:
        raise ConfigError(
            "the model's positions do not reach over the longest rows that are trained on",
            where="model.max_positions",
            found=model.max_length,
            expected=f"{config.data.max_width} or more, for data.max_source_tokens and data.max_target_tokens with EOS",
        )
    return Materials(dataset, model.to(device), config)


def settled(config: TrainConfig, dataset: Dataset) -> TrainConfig:
    """The configuration with what models of such sources are judged by, and trained on, where it names none."""
    modality = dataset.manifest.sides["source"].modality
    validation = config.validation.model_copy(update={"metric": config.validation.metric or modality.metric})
    return config.model_copy(update={"validation": validation, "data": config.data.settled(modality.longest)})


def initialize(materials: Materials, folder: str, parts: Literal["all", "encoder"] = "all") -> None:
    """Give the model the weights of a model folder, or those of its encoder alone.

    Raises:
        ModelError: There is no whole model.
        ConfigError: What its source is, its tokenizers (of the target where all is taken) or the names and shapes of
            its weights are not those of this run.
    """
    where = storage.redact(folder)
    other = load_model(folder)
    is_whole = parts == "all"
    _check_sides(other, materials.dataset, where, SIDES if is_whole else ("source",))
    theirs, ours = (
        model.state_dict() if is_whole else model.encoder_weights() for model in (other.model, materials.model)
    )
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        shapes = [tuple(state[name].shape) if name in state else "nothing" for state in (theirs, ours)]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"the weight {name} of initialize_from does not fit this model",
                where=where,
                found=shapes[0],
                expected=shapes[1],
                advice=f"Give {'`model`' if is_whole else 'the encoder of `model`'} the architecture in that folder's "
                "config.json.",
            )
    materials.model.load_state_dict(theirs, strict=is_whole)


def _check_sides(model: LoadedModel, dataset: Dataset, where: str, sides: Sequence[Side]) -> None:
    """Both read the same: what the source is, and the tokenizers of those of the sides that have one."""
    modality = dataset.manifest.sides["source"].modality
    if model.modality.kind != modality.kind:
        raise ConfigError(
            "the source of initialize_from is not what that of the dataset is",
            where=where,
            found=model.modality.kind,
            expected=modality.kind,
            advice="Name a model that was trained on such a source.",
        )
    read, given = model.modality.meaning, modality.meaning
    if read != given:
        raise ConfigError(
            "the model of initialize_from reads its source in another way than the dataset has it",
            where=where,
            found=_differing(read, given),
            expected=_differing(given, read),
            advice="Prepare the dataset with these settings in source_modality, or train without initialize_from.",
        )
    theirs, ours = model.tokenizers, dataset.manifest.tokenizers
    for side in sides:
        found, expected = (tokenizers[side].digest if side in tokenizers else None for tokenizers in (theirs, ours))
        if found != expected:
            raise ConfigError(
                f"the {side} tokenizer of initialize_from is not that of the dataset",
                where=where,
                found=found,
                expected=expected,
                advice="Prepare the dataset with the model's tokenizer.",
            )


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> str:
    """The settings of one that are others there, as messages say it."""
    return ", ".join(f"{name} {value}" for name, value in one.items() if value != other.get(name))
