"""A configuration and a dataset in; both with a freshly initialised model on the right device out."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import MANIFEST_NAME
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ConfigError
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.layers.sublayers import Layers
from seq2seq_core.models.registry import build_model
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.optimization.compiled import compile_layers
from seq2seq_core.training.optimization.parts import freeze


@dataclass(frozen=True)
class Materials:
    """What a run works with; in `config` nothing is left open that the datasets decide."""

    datasets: tuple[Dataset, ...]
    model: Seq2Seq
    config: TrainConfig

    @property
    def dataset(self) -> Dataset:
        """The only dataset, or the first of several: what their sides and tokenizers are is the same of all."""
        return self.datasets[0]


def gather_materials(
    config: TrainConfig, device: torch.device, datasets: tuple[Dataset, ...], *, is_moved: bool = True
) -> Materials:
    """Build the model for datasets that are alike, and move it to its device; the seed alone decides its first weights.

    Raises:
        DatasetError: A tokenizer is not the one the dataset was made with.
        ConfigError: The model's shape does not fit the dataset, or `freeze` names no weight.
    """
    if storage.exists(storage.join(config.output, MANIFEST_NAME)):
        raise ConfigError(
            "the run folder is a dataset folder", where="output", found=config.output, advice="Name another folder."
        )
    dataset = datasets[0]
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
    freeze(model, config.freeze)
    if config.recompute:
        for stack in _stacks(model, config.model.family, "recompute"):
            stack.recomputes = True
    if config.compile:
        compile_layers(_stacks(model, config.model.family, "compile"), device)
    return Materials(datasets, model.to(device) if is_moved else model, config)


def _stacks(model: Seq2Seq, family: str, key: str) -> list[Layers]:
    stacks = [part for part in model.modules() if isinstance(part, Layers)]
    if not stacks:
        raise ConfigError(f"{key} is for Transformer layers", where=key, found=f"a model of family {family}")
    return stacks


def settled(config: TrainConfig, dataset: Dataset) -> TrainConfig:
    """The configuration with what models of such sources are judged by, and trained on, where it names none."""
    modality = dataset.manifest.sides["source"].modality
    validation = config.validation.model_copy(update={"metric": config.validation.metric or modality.metric})
    return config.model_copy(update={"validation": validation, "data": config.data.settled(modality.longest)})
