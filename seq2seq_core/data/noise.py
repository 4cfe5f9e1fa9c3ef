"""Gathered rows of a stream and where they stand in it in; what a model sees of them, drawn at random, out.

What is drawn follows from seed, position and row alone (`tokenizer.sampling.chances`): it is the same at any number of
processes and after any resumption, and another one wherever a row comes again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seq2seq_core.config import Config
from seq2seq_core.data.column_layout import Rows
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ConfigError, TokenizerError
from seq2seq_core.modalities.base import SIDES, Ragged, Side
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.proto import PieceKind, read_facts
from seq2seq_core.tokenizer.sampling.chances import Keys, draws, keys_of_rows, within
from seq2seq_core.tokenizer.sampling.resegment import Resegmenter, SamplingConfig
from seq2seq_core.tokenizer.vocabulary import UNKNOWN_ID

_USES: dict[Side, int] = {"source": 0, "target": 1}
_PIECES, _WORDS = 0, 2  # added to the use of a side


class WordDropoutConfig(Config):
    """How many of the pieces that a model reads are hidden: the unknown piece stands for them."""

    source: float = Field(0.0, ge=0, lt=1, description="share of the source's pieces")
    target: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the pieces the decoder reads, not of those it should say (Bowman et al. 2016)",
    )


class NoiseConfig(SamplingConfig):
    """What is changed at random in rows of text each time they are trained on."""

    sample_segmentation: Literal["none", "source", "target", "both"] = Field(
        "none", description="sides whose words are cut into other pieces each time, by the two settings below"
    )
    word_dropout: WordDropoutConfig = Field(WordDropoutConfig(), description="pieces that are hidden")

    @property
    def sampled(self) -> tuple[Side, ...]:
        """The sides that are cut again."""
        return tuple(side for side in SIDES if self.sample_segmentation in (side, "both"))

    @property
    def hidden(self) -> dict[Side, float]:
        """The share of pieces that is hidden, of the sides where some are."""
        shares = {side: getattr(self.word_dropout, side) for side in SIDES}
        return {side: share for side, share in shares.items() if share}

    @property
    def is_on(self) -> bool:
        """Whether anything is changed."""
        return bool(self.sampled or self.hidden)


@dataclass(frozen=True)
class Seen:
    """Rows as a model sees them; `read` is what the decoder reads, `target` what it should say, `spelt` the source
    before pieces of it were hidden.
    """

    source: Ragged
    target: Ragged
    read: Ragged
    spelt: Ragged


@dataclass(frozen=True)
class Noise:
    """What changes rows.

    Attributes:
        seed: Of every draw.
        most: The longest row of each side; one that would be longer is seen as it is stored.
        cutters: What cuts the sides that are cut again.
        hidden: The share of pieces that is hidden, of the sides where some are.
        spared: Of these sides, which pieces are never hidden (bool, by id).
    """

    seed: int
    most: Mapping[Side, int]
    cutters: Mapping[Side, Resegmenter]
    hidden: Mapping[Side, float]
    spared: Mapping[Side, npt.NDArray[np.bool_]]

    @classmethod
    def of(cls, config: NoiseConfig, dataset: Dataset, seed: int, most: Mapping[Side, int]) -> Noise | None:
        """That of a configuration; None where nothing is changed.

        Raises:
            ConfigError: A side is no text, or its tokenizer does not allow it.
        """
        if not config.is_on:
            return None
        tokenizers = {side: _tokenizer(dataset, side) for side in {*config.sampled, *config.hidden}}
        try:
            cutters = {side: Resegmenter(tokenizers[side], config) for side in config.sampled}
        except TokenizerError as error:
            raise ConfigError(
                error.problem,
                where="noise.sample_segmentation",
                found=error.found,
                expected=error.expected,
                advice="Set it to none.",
            ) from None
        spared = {side: _controls(tokenizers[side]) for side in config.hidden}
        return cls(seed, dict(most), cutters, config.hidden, spared)

    def seen(self, source: Ragged, target: Ragged, positions: Rows, rows: Rows) -> Seen:
        """Rows, as they are gathered, at positions of the stream."""
        given: dict[Side, Ragged] = {"source": source, "target": target}
        cut = {side: self._cut(side, ragged, positions, rows) for side, ragged in given.items()}
        hidden = {side: self._hide(side, ragged, positions, rows) for side, ragged in cut.items()}
        return Seen(hidden["source"], cut["target"], hidden["target"], cut["source"])

    def _cut(self, side: Side, ragged: Ragged, positions: Rows, rows: Rows) -> Ragged:
        if side not in self.cutters:
            return ragged
        ids = ragged.flat.astype(np.int64)
        flat, lengths = self.cutters[side].cut(ids, ragged.lengths, self._keys(side, _PIECES, positions, rows))
        long = lengths > self.most[side]
        if not long.any():
            return Ragged(flat, lengths)
        kept = np.where(long, ragged.lengths, lengths)
        merged = np.empty(int(kept.sum()), np.int64)
        is_old = np.repeat(long, kept)
        merged[is_old] = ids[np.repeat(long, ragged.lengths)]
        merged[~is_old] = flat[~np.repeat(long, lengths)]
        return Ragged(merged, kept)

    def _hide(self, side: Side, ragged: Ragged, positions: Rows, rows: Rows) -> Ragged:
        if side not in self.hidden:
            return ragged
        ids, lengths = ragged.flat.astype(np.int64), ragged.lengths
        ends = np.cumsum(lengths)
        places = np.arange(len(ids)) - np.repeat(ends - lengths, lengths)
        keys = within(np.repeat(self._keys(side, _WORDS, positions, rows), lengths), places)
        is_hidden = (draws(keys) < self.hidden[side]) & ~self.spared[side][ids]
        return Ragged(np.where(is_hidden, UNKNOWN_ID, ids), lengths)

    def _keys(self, side: Side, use: int, positions: Rows, rows: Rows) -> Keys:
        return keys_of_rows(self.seed, _USES[side] + use, positions, rows)


def _tokenizer(dataset: Dataset, side: Side) -> Tokenizer:
    if side not in dataset.manifest.tokenizers:
        raise ConfigError(
            f"the {side} is no text: its pieces cannot be changed",
            where="noise",
            found=dataset.manifest.sides[side].modality.kind,
            expected="text",
            advice=f"Leave the {side} out of noise.sample_segmentation and noise.word_dropout.",
        )
    return dataset.tokenizer(side)


def _controls(tokenizer: Tokenizer) -> npt.NDArray[np.bool_]:
    """Control pieces, such as tags of a language: what a row is must not be hidden."""
    return np.array([piece.kind == PieceKind.CONTROL for piece in read_facts(tokenizer.data).pieces])
