"""A run's model and where it stands in; the model folders best/ and last/ with their lineage out."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.dataset.segment import Segment
from seq2seq_core.models.card import Lineage
from seq2seq_core.models.folder import save_model
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.publishing import check_room
from seq2seq_core.software import versions
from seq2seq_core.text.languages import common_language
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.source_text import SourceText
from seq2seq_core.training.checkpoints.run_state import Validation
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.materials import Materials
from seq2seq_core.training.normalization import agreed_normalization

ModelName = Literal["best", "last"]
MODEL_NAMES: tuple[ModelName, ...] = get_args(ModelName)


class Exporter:
    """Writes model folders into a run folder; only the main process does.

    Args:
        config: The run.
        materials: The dataset as it was opened.
        segments: What the run learns from; more may come later.
    """

    def __init__(self, config: TrainConfig, materials: Materials, segments: Sequence[Segment]) -> None:
        """Find out, before any work, what the models will say and whether there is room for them.

        Raises:
            ConfigError: The training corpora were normalised in different ways, and `normalize` does not choose.
            ModelError: Files that are none of ours stand where a model would go.
        """
        self._config = config
        self._materials = materials
        self._segments = segments
        manifest, *others = (dataset.manifest for dataset in materials.datasets)
        self._source_text = source_text(manifest, config.data.most_source_tokens, config.normalize, others)
        for name in MODEL_NAMES:
            check_room(storage.join(config.output, name), manifest.tokenizers, is_joint=manifest.is_joint)

    def export(
        self,
        name: ModelName,
        model: Seq2Seq,
        step: int,
        validation: Validation | None,
        averaged_steps: Sequence[int] = (),
        drawn: Sequence[int] = (),
    ) -> None:
        """Publish the present weights of a model.

        Args:
            name: Which one.
            model: With the weights.
            step: Steps that they have learned in.
            validation: What they reached.
            averaged_steps: The steps of the checkpoints whose mean they are.
            drawn: Rows of each of several datasets that they have learned from.
        """
        segments = tuple(one for one in self._segments if one.step < max(step, 1))
        longest = min(segments[-1].longest_source, self._config.data.most_source_tokens) or None
        lineage = Lineage(
            run=storage.name_of(self._config.output),
            step=step,
            averaged_steps=tuple(averaged_steps),
            dataset_digest=segments[0].dataset,
            dataset=", ".join(map(storage.redact, self._config.datasets)),
            drawn=named(drawn, self._config.datasets),
            segments=segments if len(segments) > 1 or segments[0].shares else (),
            metrics=_metrics(validation),
            configuration=self._config.model_dump(mode="json"),
            software=_software(),
        )
        dataset = self._materials.dataset
        save_model(
            storage.join(self._config.output, name),
            model,
            self._config.model,
            dataset.tokenizer("source") if "source" in dataset.manifest.tokenizers else None,
            dataset.target_tokenizer,
            lineage,
            self._source_text.model_copy(update={"longest": longest}),
            dataset.manifest.sides["source"].modality,
        )


def named(drawn: Sequence[int], urls: Sequence[str]) -> dict[str, int]:
    """Rows of each of several datasets by its URL; nothing where there is one."""
    return dict(zip(map(storage.redact, urls), drawn, strict=True)) if drawn else {}


def source_text(
    manifest: Manifest,
    max_source_tokens: int,
    chosen: NormalizeConfig | None = None,
    others: Sequence[Manifest] = (),
) -> SourceText:
    """How the dataset's source side was made, where it is text, and the longest of it that is trained on.

    The manifest's last bin of lengths stands for all greater ones, so a length from there is a lower bound. `others`
    are those of datasets that are mixed with it.

    Raises:
        ConfigError: The training corpora were normalised in different ways, or in none that is `chosen`.
    """
    every = (manifest, *others)
    splits = [one.splits["train"] for one in every if "train" in one.splits]
    longest = max((length for split in splits for length, rows in enumerate(split.source_lengths) if rows), default=0)
    corpora = [corpus for one in every for corpus in one.corpora]
    has_text = manifest.sides["source"].modality.has_text
    configurations: list[Mapping[str, Any]] = [one.configuration for one in every]
    return SourceText(
        normalize=agreed_normalization(configurations[0], chosen, configurations[1:])
        if has_text
        else NormalizeConfig(),
        longest=min(longest, max_source_tokens) or None,
        source_language=common_language(corpus.source_language for corpus in corpora),
        target_language=common_language(corpus.target_language for corpus in corpora),
    )


def _metrics(validation: Validation | None) -> dict[str, float]:
    """What the weights reached, as far as it can be told in JSON."""
    if validation is None:
        return {}
    values = {"loss": validation.loss, **validation.scores}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _software() -> dict[str, str]:
    return {"python": platform.python_version()} | versions(("torch", "numpy", "pyarrow", "sentencepiece"))
