"""A model folder in; its weights, or those of them that fit, in the model of a run out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from seq2seq_core import storage
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import SIDES, Side
from seq2seq_core.models.folder import LoadedModel, load_model
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.tokenizer.model import Tokenizer

Parts = Literal["all", "encoder", "fitting"]

_ROWS_OF_PIECES: dict[str, Side] = {
    "embeddings.source.": "source",
    "embeddings.target.": "target",
    "embeddings.output": "target",  # the projection and its bias
    "ctc.output.": "target",
}
"""Beginnings of the names of weights with a row a piece, and whose pieces they are."""
_MOST_NAMED = 20

logger = logging.getLogger(__name__)


def initialize(model: Seq2Seq, dataset: Dataset, folder: str, parts: Parts = "all") -> None:
    """Give the model the weights of a model folder, those of its encoder alone, or those that fit.

    Raises:
        ModelError: There is no whole model.
        ConfigError: What its source is, its tokenizers (of the target where all is taken) or the names and shapes of
            its weights are not those of this run; where what fits is taken, nothing does.
    """
    where = storage.redact(folder)
    other = load_model(folder)
    if parts == "fitting":
        _take_what_fits(model, dataset, other, where)
        return
    is_whole = parts == "all"
    _check_sides(other, dataset, where, SIDES if is_whole else ("source",))
    theirs, ours = (one.state_dict() if is_whole else one.encoder_weights() for one in (other.model, model))
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        shapes = [tuple(state[name].shape) if name in state else "nothing" for state in (theirs, ours)]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"the weight {name} of initialize_from does not fit this model",
                where=where,
                found=shapes[0],
                expected=shapes[1],
                advice=f"Give {'`model`' if is_whole else 'the encoder of `model`'} the architecture in that folder's "
                "config.json, or set initialize_parts to fitting.",
            )
    model.load_state_dict(theirs, strict=is_whole)


@dataclass(frozen=True)
class Fitting:
    """What of another model fits one.

    Attributes:
        weights: The weights, whole; of those with a row a piece the rows of pieces that it does not know are ours.
        by_piece: Of how many pieces of those weights there was a row.
        left: Names of ours of which nothing was taken, and why.
    """

    weights: Mapping[str, Tensor]
    by_piece: Mapping[str, tuple[int, int]]
    left: Mapping[str, str]


def fitting(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], rows: Mapping[Side, Tensor | None]) -> Fitting:
    """What of some weights fits ours.

    Args:
        ours: By name.
        theirs: By name.
        rows: For each of our pieces of a side the row of theirs (int64, -1: none); None where all are the same.
    """
    weights: dict[str, Tensor] = {}
    by_piece: dict[str, tuple[int, int]] = {}
    left: dict[str, str] = {}
    for name, mine in ours.items():
        found, chosen = _like(name, theirs), _rows_of(name, mine, rows)
        shape = None if found is None else tuple(found.shape)
        if found is None or shape is None or shape[1:] != tuple(mine.shape[1:]):
            left[name] = "not there" if found is None else f"{shape}, not {tuple(mine.shape)}"
        elif chosen is not None:
            known = chosen >= 0
            weights[name] = mine.detach().clone()
            weights[name][known] = found[chosen[known]].to(mine)
            by_piece[name] = (int(known.sum()), len(known))
        elif shape != tuple(mine.shape):
            left[name] = f"{shape}, not {tuple(mine.shape)}"
        else:
            weights[name] = found
    return Fitting(weights, by_piece, left)


def _like(name: str, theirs: Mapping[str, Tensor]) -> Tensor | None:
    """Their weight of a name; a table that they have tied to that of the target is that one."""
    tied = name.replace("embeddings.source.", "embeddings.target.").replace("embeddings.output.", "embeddings.target.")
    return theirs.get(name, theirs.get(tied))


def _rows_of(name: str, mine: Tensor, rows: Mapping[Side, Tensor | None]) -> Tensor | None:
    side = next((side for begin, side in _ROWS_OF_PIECES.items() if name.startswith(begin)), None)
    chosen = None if side is None else rows.get(side)
    return chosen if chosen is not None and len(chosen) == len(mine) else None


def _take_what_fits(model: Seq2Seq, dataset: Dataset, other: LoadedModel, where: str) -> None:
    """Copy what fits, and say what did and what did not."""
    _check_modality(other, dataset, where)
    ours = {side: dataset.tokenizer(side) for side in dataset.manifest.tokenizers}
    rows = {side: _piece_rows(ours[side], other.tokenizers[side]) for side in ours if side in other.tokenizers}
    state = model.state_dict()
    found = fitting(state, other.model.state_dict(), rows)
    if not found.weights:
        raise ConfigError(
            "no weight of initialize_from fits this model",
            where=where,
            found=_named(found.left),
            advice="Give `model` the family and widths in that folder's config.json.",
        )
    model.load_state_dict({**state, **found.weights})
    logger.info("%d of %d weights begin as in %s", len(found.weights), len(state), where)
    for name, (known, count) in found.by_piece.items():
        logger.info("%s: of %d pieces %d are known there by their text", name, count, known)
    if found.left:
        logger.warning("these weights begin anew: %s", _named(found.left))


def _named(left: Mapping[str, str]) -> str:
    shown = [f"{name} ({why})" for name, why in left.items()]
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return ", ".join(shown[:_MOST_NAMED]) + more


def _piece_rows(ours: Tokenizer, theirs: Tokenizer) -> Tensor | None:
    """For each of our pieces the id of the same text there, -1 for none; None where the tokenizers are the same."""
    if ours.digest == theirs.digest:
        return None
    known = {piece: i for i, piece in enumerate(_pieces(theirs))}
    return torch.tensor([known.get(piece, -1) for piece in _pieces(ours)])


def _pieces(tokenizer: Tokenizer) -> Iterable[str]:
    return tokenizer.pieces(np.arange(tokenizer.vocabulary_size))


def _check_sides(model: LoadedModel, dataset: Dataset, where: str, sides: Sequence[Side]) -> None:
    """Both read the same: what the source is, and the tokenizers of those of the sides that have one."""
    _check_modality(model, dataset, where)
    theirs, ours = model.tokenizers, dataset.manifest.tokenizers
    for side in sides:
        found, expected = (tokenizers[side].digest if side in tokenizers else None for tokenizers in (theirs, ours))
        if found != expected:
            raise ConfigError(
                f"the {side} tokenizer of initialize_from is not that of the dataset",
                where=where,
                found=found,
                expected=expected,
                advice="Prepare the dataset with the model's tokenizer, or set initialize_parts to fitting.",
            )


def _check_modality(model: LoadedModel, dataset: Dataset, where: str) -> None:
    """The source of both is the same kind of thing."""
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


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> str:
    """The settings of one that are others there, as messages say it."""
    return ", ".join(f"{name} {value}" for name, value in one.items() if value != other.get(name))
