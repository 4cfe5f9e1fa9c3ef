"""A padded batch of source sentences in, the best hypotheses of each sentence out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from seq2seq_core.decoding.alignment import align
from seq2seq_core.decoding.beam import beam_search
from seq2seq_core.decoding.best_path import best_path
from seq2seq_core.decoding.greedy import greedy_search
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.steps.ctc import CtcScoring, frame_scores
from seq2seq_core.decoding.steps.limits import MinimumLength, NoRepeats
from seq2seq_core.decoding.steps.processor import Processing, Scoring
from seq2seq_core.decoding.steps.shares import LengthReward, Share
from seq2seq_core.errors import ConfigError
from seq2seq_core.models.interface import Memory, Seq2Seq


def search(
    model: Seq2Seq,
    source_BS: Tensor,
    lengths_B: Tensor,
    options: SearchConfig,
    processing: Sequence[Processing] = (),
) -> list[list[Hypothesis]]:
    """Decode a batch on the model's device, without gradients; the model must be in evaluation mode.

    A sentence gets the same result in any batch: its length limit, its stop and its pruning look at it alone. An
    output also ends where the model's own `max_length` does.

    Args:
        model: Any family.
        source_BS: Padded sources, as `modalities.Padded` has them.
        lengths_B: How many positions of each are real (int64).
        options: Width, length penalty, limits, what to score and what to return.
        processing: What changes scores besides, before what `options` ask for.

    Returns:
        For each sentence its hypotheses, best first: `n_best` of them, or fewer where the vocabulary allows no more.

    Raises:
        ModelError: The logits are not numbers.
        ConfigError: The options ask for what the model does not have.
    """
    if not len(lengths_B):
        return []
    _check(options)
    options = options.settled(has_frame_scores=model.auxiliary_weight > 0)
    with torch.inference_mode():
        memory = model.encode(source_BS, lengths_B)
        if options.ctc_weight == 1:
            found = _best_path(model, memory, processing)
        else:
            found = _decode(model, memory, options, processing)
        return _aligned(model, memory, found, lengths_B.tolist(), options) if options.align else found


def steps_of(options: SearchConfig, processing: Sequence[Processing] = ()) -> list[Processing]:
    """What changes the scores of a search, in this order: what weighs and adds, what forbids, and CTC, which looks at
    the best of what is left.
    """
    steps: list[Processing] = []
    if options.ctc_weight:
        steps.append(Share(1 - options.ctc_weight))
    steps += processing
    if options.length_reward:
        steps.append(LengthReward(options.length_reward))
    if options.min_length_ratio:
        steps.append(MinimumLength(options.min_length_ratio))
    if options.no_repeat_ngram:
        steps.append(NoRepeats(options.no_repeat_ngram, options.ngram_repeats))
    if options.ctc_weight:
        steps.append(CtcScoring(options.ctc_weight, options.candidates))
    return steps


def _check(options: SearchConfig) -> None:
    for name in ("coverage_penalty", "repetition_penalty"):
        if getattr(options, name) != SearchConfig.model_fields[name].default:
            raise ConfigError(
                "this search does not have it",
                where=f"search.{name}",
                found=getattr(options, name),
                advice="Leave it out, or say --engine.kind ctranslate2.",
            )


def _best_path(model: Seq2Seq, memory: Memory, processing: Sequence[Processing]) -> list[list[Hypothesis]]:
    if processing:
        raise ConfigError(
            "the best path of CTC alone has no steps whose scores could be changed",
            found="search.ctc_weight 1 beside fusion",
            advice="Set search.ctc_weight below 1, or leave fusion out.",
        )
    return best_path(frame_scores(model, memory), memory.mask_BS)


def _decode(
    model: Seq2Seq, memory: Memory, options: SearchConfig, processing: Sequence[Processing]
) -> list[list[Hypothesis]]:
    if options.align:  # what a model without frame scores is aligned by
        options = options.model_copy(update={"attention": True})
    steps = steps_of(options, processing)
    longest = min([sys.maxsize, *(most for most in (model.max_length, *(step.longest for step in steps)) if most)])
    limits = [min(options.max_length(positions - 1), longest) for positions in memory.mask_BS.sum(1).tolist()]
    scoring = Scoring.start(steps, model, memory, options.beam)
    if options.beam == 1:
        return greedy_search(model, memory, scoring, limits, options)
    return beam_search(model, memory, scoring, limits, options)


def _aligned(
    model: Seq2Seq, memory: Memory, found: list[list[Hypothesis]], lengths: list[int], options: SearchConfig
) -> list[list[Hypothesis]]:
    """The hypotheses with their spans, and without attention that nobody asked for."""
    spans = iter(align(found, model.frame_scores(memory), memory.mask_BS, lengths, model.subsampling))
    return [
        [replace(one, spans=next(spans), attention=one.attention if options.attention else None) for one in hypotheses]
        for hypotheses in found
    ]
