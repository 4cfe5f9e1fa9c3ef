"""What a report shows: frozen pieces that callers fill in, each of them optional."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.report.corpus.corpus import Corpus
from seq2seq_core.report.metrics import Metrics
from seq2seq_core.report.output_folder import Translation


@dataclass(frozen=True)
class Fact:
    """A name and what stands behind it, for lists such as a model's lineage."""

    name: str
    value: str


@dataclass(frozen=True)
class Score:
    """One score of a test set; `signature` says how it was computed."""

    name: str
    value: float
    unit: str = ""
    signature: str = ""


@dataclass(frozen=True)
class ScoreTable:
    """The scores of one set, best known first."""

    title: str
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Example:
    """One translation beside its reference."""

    source: str
    hypothesis: str
    reference: str

    @property
    def is_exact(self) -> bool:
        """Whether the hypothesis is the reference, white space around them aside."""
        return self.hypothesis.strip() == self.reference.strip()


@dataclass(frozen=True)
class AttentionMap:
    """Where a model looked at each step.

    Attributes:
        source_pieces: S pieces that were read.
        target_pieces: T pieces that were written.
        weights: float, T x S, from 0 to 1; a row holds the weights of one step.
    """

    source_pieces: tuple[str, ...]
    target_pieces: tuple[str, ...]
    weights: npt.NDArray[np.floating]

    def __post_init__(self) -> None:
        shape = (len(self.target_pieces), len(self.source_pieces))
        if self.weights.shape != shape:
            raise ValueError(f"weights have the shape {self.weights.shape}, the pieces ask for {shape}")


@dataclass(frozen=True)
class ProgressRow:
    """A row of the validation split over time.

    Attributes:
        reference: What it should be; empty where that is not known.
        outputs: Steps, and what the model made of it then.
    """

    reference: str
    outputs: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class ReportData:
    """All of a report.

    Attributes:
        title: The heading.
        subtitle: A sentence below it.
        manifest: The dataset: ledger, inputs, lengths, tokenizer.
        corpus: What its text looks like.
        metrics: The course of a training run.
        other: What another run is called that stands beside it, and its course.
        progress: What validations made of some rows.
        scores: Scores by test set.
        examples: Translations to look at.
        attention: The attention of one example.
        lineage: Digests and names that say where the model comes from.
        translation: What came of a folder of documents.
        made_from: Digest of what the page was made from; it stands in its head, for whoever asks if it is up to date.
    """

    title: str
    subtitle: str = ""
    manifest: Manifest | None = None
    corpus: Corpus | None = None
    metrics: Metrics | None = None
    scores: tuple[ScoreTable, ...] = ()
    examples: tuple[Example, ...] = ()
    attention: AttentionMap | None = None
    lineage: tuple[Fact, ...] = ()
    translation: Translation | None = None
    other: tuple[str, Metrics] | None = None
    progress: tuple[ProgressRow, ...] = ()
    made_from: str = ""
