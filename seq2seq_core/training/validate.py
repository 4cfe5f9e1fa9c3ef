"""A model and the validation split in; its loss per token and the scores of its real outputs out."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from seq2seq_core.config import Config, Grown
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.loader import EvaluationBatch, evaluation_batches
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.decoding.batched import generate
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.errors import Seq2SeqError
from seq2seq_core.metrics.measures import MEASURES, RECOGNITION, TRANSLATION, Judge, MeasureName, judging
from seq2seq_core.metrics.recognition import RecognitionMetric
from seq2seq_core.metrics.translation import TranslationMetric
from seq2seq_core.models.interface import Forward, Seq2Seq
from seq2seq_core.text.languages import common_language
from seq2seq_core.text.transcripts import ANY_LANGUAGE
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.training.agreement import Turns
from seq2seq_core.training.checkpoints.run_state import Validation
from seq2seq_core.training.optimization.loss import forward_loss
from seq2seq_core.training.processes.distributed import World
from seq2seq_core.training.processes.stop import StopFlag

FAILURES = (Seq2SeqError, RuntimeError, MemoryError)
"""What a validation fails with by itself: numbers that are none, too little memory, a device that refuses."""

logger = logging.getLogger(__name__)


class WeightsConfig(Config):
    """What counts how much in a weighted sum of measures; those where less is better are subtracted."""

    bleu: float = Field(0.0, ge=0, le=1e6, description="weight of a point of BLEU")
    chrf: float = Field(0.0, ge=0, le=1e6, description="weight of a point of chrF")
    wer: float = Field(0.0, ge=0, le=1e6, description="weight of a point of WER, subtracted")
    cer: float = Field(0.0, ge=0, le=1e6, description="weight of a point of CER, subtracted")
    loss: float = Field(0.0, ge=0, le=1e6, description="weight of a nat a token, subtracted")

    @model_validator(mode="after")
    def _of_one_task(self) -> WeightsConfig:
        used = self.used
        texts, transcripts = ([name for name in names if name in used] for names in (TRANSLATION, RECOGNITION))
        if texts and transcripts:
            raise ValueError(f"{texts[0]} and {transcripts[0]} are not measured together: weigh those of one task")
        return self

    @property
    def used(self) -> dict[MeasureName, float]:
        """The weights that are not 0."""
        weights: dict[MeasureName, float] = {name: getattr(self, name) for name in MEASURES}
        return {name: weight for name, weight in weights.items() if weight}


class ValidationConfig(Grown):
    """When and how the validation split is looked at; always at the end too."""

    younger: ClassVar[frozenset[str]] = frozenset({"weights", "keep_outputs"})

    every_steps: int | None = Field(1000, ge=1, le=1 << 40, description="steps between validations; null: not by steps")
    every_epochs: int | None = Field(
        None, ge=1, le=1 << 40, description="epochs between validations; null: not by epochs"
    )
    metric: MeasureName | None = Field(
        None,
        description="what decides which model is best; loss: nothing is decoded; wer, cer: the lower the better; "
        "default: bleu, or wer where the source is audio",
    )
    weights: WeightsConfig = Field(
        WeightsConfig(), description="a weighted sum of measures decides, in the place of metric, where one is not 0"
    )
    bleu_tokenization: str = Field("13a", description="how BLEU finds words: 13a, intl, char, zh, ja-mecab, none, ...")
    beam: int = Field(1, ge=1, le=1024, description="hypotheses a sentence when decoding; 1 is greedy search")
    max_rows: int | None = Field(
        None, ge=1, le=1 << 40, description="only the first rows of the split, a uniform sample; null: all"
    )
    max_batch_tokens: int = Field(8192, ge=1, le=1 << 31, description="padded tokens of a batch in validation")
    keep_outputs: bool = Field(
        False, description="keep what each validation makes of the split, a line a row, in validations/ of the run"
    )
    patience: int | None = Field(
        10, ge=1, le=1 << 40, description="validations without a new best that end training; null: never"
    )

    @property
    def judge(self) -> Judge:
        """What decides; the measure of text where nothing else was said."""
        return self.weights.used or self.metric or "bleu"


class Validator:
    """One process's part in the validations of a run.

    Args:
        columns: The split; its first `config.max_rows` rows are looked at.
        references: Their target texts.
        language: That of the references, where it is known: error rates compare transcripts by it.
        tokenizer: That of the target side.
        turns: Where the processes hear of stop signals between two batches.
    """

    def __init__(
        self,
        columns: Columns,
        references: list[str],
        tokenizer: Tokenizer,
        config: ValidationConfig,
        world: World,
        turns: Turns,
        language: str | None = None,
    ) -> None:
        self._columns, self._references, self._tokenizer = columns, references, tokenizer
        self._config, self._world, self._turns = config, world, turns
        self._metric = _metric(config, language)
        self._own_outputs: dict[int, str] = {}
        self.outputs: tuple[str, ...] = ()
        """What the last run has made of the rows, in their order, where the configuration keeps that."""

    def run(self, model: Seq2Seq, step: int, epoch: int) -> Validation:
        """Measure the model as it stands; all processes call this and get the same values.

        Raises:
            ModelError: The model's outputs are not numbers.
            Stopped: A stop signal came to one of the processes; all leave.
            TrainingError: Another process failed.
        """
        began = time.monotonic()
        loss = self._loss(model)
        scores = {} if judging(self._config.judge) == ("loss",) else self._scores(model)
        if self._config.keep_outputs:
            gathered = [pair for part in self._world.gather(self._own_outputs) for pair in part.items()]
            self.outputs = tuple(text for _, text in sorted(gathered))
        seconds = self._world.agree(time.monotonic() - began)
        return Validation(step=step, epoch=epoch, loss=loss, seconds=seconds, **scores)

    def _batches(self) -> Iterator[EvaluationBatch]:
        return evaluation_batches(
            self._columns,
            self._config.max_batch_tokens,
            rank=self._world.rank,
            world=self._world.size,
            limit=self._config.max_rows,
        )

    def _loss(self, model: Seq2Seq) -> float:
        """Negative log likelihood per target token of all processes' rows."""
        with model.evaluating(), torch.no_grad():
            nll_sum, tokens = self._turns.sum(lambda: self._losses(model)).tolist()
        return float(nll_sum / tokens)

    def _losses(self, model: Seq2Seq) -> Tensor:
        """The negative log likelihood of this process's rows, and their target tokens."""
        sums = torch.zeros(2, dtype=torch.float64, device=self._world.device)
        for found in self._turns.over(self._batches()):
            batch = found.batch.to(self._world.device)
            output: Forward = model(batch.source_BS, batch.source_lengths_B, batch.target_in_BT)
            _, nll = forward_loss(output, batch.target_out_BT.flatten(), 0.0)
            sums += torch.stack([nll, nll.new_tensor(batch.target_tokens)])
        return sums

    def _scores(self, model: Seq2Seq) -> dict[str, float]:
        """The scores by name, in points of 100, of what beam search makes of all processes' rows."""
        return self._metric.measured(self._turns.sum(lambda: self._counts(model)).numpy())

    def _counts(self, model: Seq2Seq) -> Tensor:
        """What the scores of this process's rows are made of."""
        rows = np.concatenate([np.zeros(0, np.int64), *(found.rows for found in self._batches())])
        sources = self._columns.source.gather(rows)
        sequences = np.split(sources.flat, np.cumsum(sources.lengths)[:-1]) if len(rows) else []
        options, most = SearchConfig(beam=self._config.beam), self._config.max_batch_tokens
        found = generate(model, self._columns.modality, sequences, options, most, lambda _: self._turns.meet())
        texts = self._tokenizer.decode([hypotheses[0].tokens for hypotheses in found])
        self._own_outputs = dict(zip(rows.tolist(), texts, strict=True))
        return torch.from_numpy(self._metric.sums(texts, [self._references[row] for row in rows.tolist()]))


def build_validator(
    config: ValidationConfig, datasets: Sequence[Dataset], world: World, stop: StopFlag
) -> Validator | None:
    """The validator of a run; None, with a log line, where its datasets have no rows to validate on.

    The splits of several datasets are one, in the order of the datasets, with the first `config.max_rows` rows of each.
    """
    found = [dataset for dataset in datasets if (entry := dataset.manifest.splits.get("valid")) and entry.rows]
    if not found:
        logger.info("no validation: the dataset has no valid split; the latest weights become the model")
        return None
    parts = [Columns.open(dataset, "valid") for dataset in found]
    counts = [len(columns) if config.max_rows is None else min(len(columns), config.max_rows) for columns in parts]
    columns = Columns.joined(list(zip(parts, counts, strict=True)))
    references = [text for one, rows in zip(found, counts, strict=True) for text in one.texts("valid", "target")[:rows]]
    language = common_language(corpus.target_language for dataset in datasets for corpus in dataset.manifest.corpora)
    if len(found) > 1:
        config = config.model_copy(update={"max_rows": None})
    return Validator(columns, references, found[0].target_tokenizer, config, world, Turns(world, stop), language)


def _metric(config: ValidationConfig, language: str | None) -> TranslationMetric | RecognitionMetric:
    """What outputs are scored by, where they are."""
    if not set(judging(config.judge)).isdisjoint(RECOGNITION):
        return RecognitionMetric(language or ANY_LANGUAGE)
    return TranslationMetric(config.bleu_tokenization)
