"""The keys of train.yaml in, one frozen TrainConfig out, with what of it a run's course depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from seq2seq_core.config import Config, Grown, Location
from seq2seq_core.data.drawing.curriculum import CurriculumConfig
from seq2seq_core.data.drawing.shares import MixtureConfig
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.loader import LoaderConfig
from seq2seq_core.data.noise import NoiseConfig
from seq2seq_core.models import registry
from seq2seq_core.models.registry import AnyArchitecture
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.training.checkpoints.checkpoint import CheckpointConfig
from seq2seq_core.training.optimization.lora import LoraConfig
from seq2seq_core.training.optimization.loss import Objective
from seq2seq_core.training.optimization.optimizer import OF_WHOLE_WEIGHTS, OptimizerConfig
from seq2seq_core.training.optimization.schedule import ScheduleConfig
from seq2seq_core.training.optimization.step import Precision
from seq2seq_core.training.processes.distributed import LATE_MINUTES, DeviceName
from seq2seq_core.training.processes.sharding import ShardingConfig
from seq2seq_core.training.processes.stop import LimitsConfig
from seq2seq_core.training.profiling import ProfileConfig
from seq2seq_core.training.validate import ValidationConfig
from seq2seq_core.training.wandb_run import WandbConfig

_FREE_OF_VALIDATION = {"every_steps", "every_epochs", "patience", "max_batch_tokens", "keep_outputs"}
FREE_KEYS: dict[str, Any] = {
    **dict.fromkeys(("dataset", "output", "loader", "limits", "checkpoints", "device"), True),
    **dict.fromkeys(("report_every_steps", "tensorboard", "max_skipped_in_a_row", "resume", "normalize"), True),
    **dict.fromkeys(("peak_teraflops", "recompute", "sharding", "compile", "profile"), True),
    **dict.fromkeys(("collect_every_steps", "late_minutes", "wandb"), True),
    **dict.fromkeys(("follow", "following", "replay"), True),
    "validation": _FREE_OF_VALIDATION,
}
"""Keys that may change between a run and its resumption: they decide how far, where and how it is watched."""

_NAMED_WHERE_UNUSUAL = {"initialize_parts": "all"}
"""Keys that are younger than some runs, which go on all the same."""


class FollowingConfig(Config):
    """When a run that follows its dataset looks for a new generation, and how long it waits for one."""

    look_seconds: float = Field(10.0, gt=0, le=86_400, description="pause between two looks at the dataset")
    idle_minutes: float | None = Field(
        None,
        ge=0,
        le=1e9,
        description="when limits.max_epochs are done, end after so many minutes without a new generation; null: never",
    )


class TrainConfig(Grown):
    """What is trained on which data, how, and until when."""

    younger: ClassVar[frozenset[str]] = frozenset(
        {
            *(
                "mixture",
                "curriculum",
                "noise",
                "r_drop",
                "guided_alignment",
                "ema_decay",
                "freeze",
                "lora",
                "peak_teraflops",
                "recompute",
            ),
            *("sharding", "compile", "profile", "collect_every_steps", "late_minutes", "wandb"),
        }
    )

    dataset: Location | tuple[Location, ...] = Field(
        description="dataset folder that `seq2seq prepare` made; or several that share their tokenizers, to be mixed"
    )
    mixture: MixtureConfig = Field(MixtureConfig(), description="how much an epoch has of each of several datasets")
    output: Location = Field(description="run folder: checkpoints, metrics, and the models best/ and last/")
    model: AnyArchitecture = Field(registry.DEFAULT, description="family and shape of the model")
    data: StreamConfig = Field(StreamConfig(), description="how rows become global batches")
    curriculum: CurriculumConfig = Field(CurriculumConfig(), description="which rows a model meets first")
    loader: LoaderConfig = Field(LoaderConfig(), description="how each process reads its part of them")
    optimizer: OptimizerConfig = Field(OptimizerConfig(), description="rule of the updates")
    schedule: ScheduleConfig = Field(ScheduleConfig(), description="course of the learning rate")
    freeze: tuple[str, ...] = Field(
        (), description="patterns of the names of weights that stay as they are, such as encoder.* or embeddings.*"
    )
    lora: LoraConfig = Field(LoraConfig(), description="a model of initialize_from is adapted by small matrices")
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="share of the target probability spread over all pieces"
    )
    r_drop: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="R-Drop: weight alpha of the divergence of two passes over each row with other dropout (Liang et "
        "al. 2021; 5 for translation there); 0: one pass",
    )
    guided_alignment: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="weight of how far attention is from the aligned words of a dataset with keep_alignments (Chen et "
        "al. 2016; 0.05 to 1); 0: attention is not guided",
    )
    noise: NoiseConfig = Field(NoiseConfig(), description="what is changed at random in rows each time")
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="what is validated and used is a running average of the weights, of which this share stays at each "
        "update (0.999 over some thousands of steps); 0: the weights themselves",
    )
    limits: LimitsConfig = Field(LimitsConfig(), description="where training ends at the latest")
    validation: ValidationConfig = Field(ValidationConfig(), description="when and how the valid split is looked at")
    checkpoints: CheckpointConfig = Field(CheckpointConfig(), description="what is saved and kept")
    normalize: NormalizeConfig | None = Field(
        None, description="how the model's texts are normalised; needed where the training corpora were not all alike"
    )
    precision: Precision = Field(
        "auto",
        description="of products; auto: bfloat16 on GPUs that compute in it, else float32. On a CPU with AMX bfloat16 "
        "is faster too, the more so the wider a model is",
    )
    recompute: bool = Field(
        False,
        description="keep the inputs of Transformer layers alone, and compute the rest again on the way back: less "
        "memory for a third more time, and the same numbers",
    )
    compile: bool = Field(
        False,
        description="compile Transformer layers for the device: faster steps on GPUs, after minutes at the beginning, "
        "and other last bits",
    )
    sharding: ShardingConfig = Field(ShardingConfig(), description="what of the weights each process holds")
    device: DeviceName = Field("auto", description="auto: a GPU for each process if there are any")
    seed: int = Field(1, ge=0, description="of initial weights, dropout and the order of the data")
    report_every_steps: int = Field(
        50, ge=1, le=1 << 40, description="steps between two log lines and rows of metrics.jsonl"
    )
    profile: ProfileConfig = Field(ProfileConfig(), description="steps of which a trace of all operations is written")
    collect_every_steps: int = Field(
        100,
        ge=1,
        le=1 << 40,
        description="steps between two collections of Python's garbage, which happen at no other time",
    )
    late_minutes: float = Field(
        LATE_MINUTES,
        ge=0.01,
        le=100_000,
        description="minutes that processes wait for another one that is late, before they name it and end",
    )
    peak_teraflops: float | None = Field(
        None,
        gt=0,
        le=1e9,
        description="10^12 operations a second that a device can do (of an H100 in bfloat16 989): reports say which "
        "share is used",
    )
    tensorboard: bool = Field(True, description="write TensorBoard curves where the package is installed")
    wandb: WandbConfig = Field(WandbConfig(), description="reports go to Weights & Biases as well")
    max_skipped_in_a_row: int = Field(
        20,
        ge=1,
        le=1 << 40,
        description="steps in a row without an update, for non-finite values, after which training fails",
    )
    resume: Literal["auto", "never"] = Field(
        "auto", description="auto: carry on where the output folder has checkpoints; never: refuse such a folder"
    )
    follow: bool = Field(False, description="let new generations of the dataset enter between two steps, as they come")
    following: FollowingConfig = Field(FollowingConfig(), description="how the dataset is followed")
    replay: Location | None = Field(
        None,
        description="run folder, or model of a run that followed this dataset: the same generations enter at the same "
        "steps",
    )
    initialize_from: Location | None = Field(None, description="model folder whose weights training starts with")
    initialize_parts: Literal["all", "encoder", "fitting"] = Field(
        "all",
        description="what initialize_from gives; all: vocabularies and shape must be the same; encoder: all that "
        "stands between the source and the decoder, whatever the target's vocabulary and the decoder are; fitting: all "
        "that has the same name and shape, and of tables the rows of pieces with the same text",
    )

    @model_validator(mode="after")
    def _parts_can_learn(self) -> TrainConfig:
        if self.sharding.kind != "none" and self.optimizer.kind in OF_WHOLE_WEIGHTS:
            raise ValueError(
                f"optimizer.kind ({self.optimizer.kind}) needs whole weights, and with sharding.kind "
                f"({self.sharding.kind}) there are none: take adamw, or sharding.kind none"
            )
        return self

    @property
    def objective(self) -> Objective:
        """What is minimised."""
        return Objective(self.label_smoothing, self.r_drop, self.guided_alignment)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The dataset folders; most often there is one."""
        return (self.dataset,) if isinstance(self.dataset, str) else self.dataset

    @field_validator("dataset", mode="after")
    @classmethod
    def _one_is_no_list(cls, found: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(found, str) or len(found) == 1:
            return found if isinstance(found, str) else found[0]
        if not found:
            raise ValueError("no dataset is named")
        twice = sorted({url for url in found if found.count(url) > 1})
        if twice:
            raise ValueError(f"{twice[0]} stands twice: give its share in mixture.weights")
        return found

    @model_validator(mode="after")
    def _mixtures_fit(self) -> TrainConfig:
        count = len(self.datasets)
        if count == 1 and self.mixture != MixtureConfig():
            raise ValueError("mixture is for several datasets, and dataset names one")
        if count > 1 and self.mixture.weights and len(self.mixture.weights) != count:
            raise ValueError(f"mixture.weights has {len(self.mixture.weights)} weights for {count} datasets")
        if count > 1 and (self.follow or self.replay is not None):
            raise ValueError(
                f"{'follow' if self.follow else 'replay'} is for one dataset: rows that come to one of several would "
                "change the share of all; stop the run, and begin another one on what they have then"
            )
        return self

    @model_validator(mode="after")
    def _curriculum_fits(self) -> TrainConfig:
        """Rows come as it has planned, and no others."""
        if self.curriculum.by == "none":
            if self.curriculum != CurriculumConfig():
                raise ValueError("curriculum.by says what rows are put in order by, and is none")
            return self
        others = {"several datasets": len(self.datasets) > 1, "follow": self.follow, "replay": self.replay is not None}
        for name, is_there in others.items():
            if is_there:
                raise ValueError(f"curriculum and {name} both say which rows come when: leave one out")
        return self


def identity(config: TrainConfig, dataset_digest: str) -> dict[str, Any]:
    """What the course of a run depends on, as dotted keys and plain values; the dataset by content, not by path."""
    values = config.model_dump(mode="json", exclude={**FREE_KEYS, "validation": _free_of_validation(config)})
    for name, usual in _NAMED_WHERE_UNUSUAL.items():
        if values[name] == usual:
            del values[name]
    return {"dataset_digest": dataset_digest, **dict(flat(values))}


def _free_of_validation(config: TrainConfig) -> set[str]:
    """Of the keys of validation those that are free: where the rate follows validations, their times are not."""
    times = {"every_steps", "every_epochs"} if config.schedule.kind == "plateau" else set()
    return _FREE_OF_VALIDATION - times


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The plain values of nested mappings, by dotted keys."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
