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
from seq2seq_core.decoding.demands import Demand, check_demands
from seq2seq_core.decoding.greedy import greedy_search
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig, attended
from seq2seq_core.decoding.sampling import Draw, Keys, keys_of
from seq2seq_core.decoding.steps.ctc import CtcScoring, frame_scores
from seq2seq_core.decoding.steps.demanded import Phrases, Prefixes
from seq2seq_core.decoding.steps.limits import MinimumLength, NoRepeats
from seq2seq_core.decoding.steps.processor import Processing, Scoring
from seq2seq_core.decoding.steps.repetition import RepetitionPenalty
from seq2seq_core.decoding.steps.shares import LengthReward, Share
from seq2seq_core.errors import ConfigError
from seq2seq_core.models.interface import Memory, Seq2Seq


def search(
    model: Seq2Seq,
    source_BS: Tensor,
    lengths_B: Tensor,
    options: SearchConfig,
    processing: Sequence[Processing] = (),
    demands: Sequence[Demand] = (),
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
        demands: What the output of each sentence has to hold; none: nothing.

    Returns:
        For each sentence its hypotheses, best first: `n_best` of them, or fewer where the vocabulary allows no more.

    Raises:
        ModelError: The logits are not numbers.
        ConfigError: The options ask for what the model does not have.
    """
    if not len(lengths_B):
        return []
    options = options.settled(has_frame_scores=model.auxiliary_weight > 0)
    check_demands(demands, options)
    with torch.inference_mode():
        memory = model.encode(source_BS, lengths_B)
        if options.ctc_weight == 1:
            found = _best_path(model, memory, processing)
        else:
            draws = keys_of(source_BS, lengths_B, options.seed, options.n_best) if options.sample else None
            found = _decode(model, memory, options, processing, demands, draws)
        return _placed(model, memory, found, lengths_B.tolist(), options)


def steps_of(
    options: SearchConfig, processing: Sequence[Processing] = (), demands: Sequence[Demand] = ()
) -> list[Processing]:
    """What changes the scores of a search, in this order: what weighs and adds, what forbids, CTC, which looks at the
    best of what is left, and what has to come whatever its score.
    """
    steps: list[Processing] = []
    if options.repetition_penalty != 1:
        steps.append(RepetitionPenalty(options.repetition_penalty))
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
    if any(demand.prefix for demand in demands):
        steps.append(Prefixes([demand.prefix for demand in demands]))
    return steps


def _best_path(model: Seq2Seq, memory: Memory, processing: Sequence[Processing]) -> list[list[Hypothesis]]:
    if processing:
        raise ConfigError(
            "the best path of CTC alone has no steps whose scores could be changed",
            found="search.ctc_weight 1 beside fusion",
            advice="Set search.ctc_weight below 1, or leave fusion out.",
        )
    return best_path(frame_scores(model, memory), memory.mask_BS)


def _decode(
    model: Seq2Seq,
    memory: Memory,
    options: SearchConfig,
    processing: Sequence[Processing],
    demands: Sequence[Demand],
    draws: Keys | None,
) -> list[list[Hypothesis]]:
    """By beam or greedily; where `draws` has a key for each output to be drawn, each is a sentence of its own."""
    if draws is not None:
        memory = memory.repeated(options.n_best)
        demands = [demand for demand in demands for _ in range(options.n_best)]
    steps = steps_of(options, processing, demands)
    longest = min([sys.maxsize, *(most for most in (model.max_length, *(step.longest for step in steps)) if most)])
    usual = [options.max_length(positions - 1) for positions in memory.mask_BS.sum(1).tolist()]
    more = [demand.tokens for demand in demands] or [0] * len(usual)
    limits = [min(sum(both), longest) for both in zip(usual, more, strict=True)]
    if draws is not None:
        scoring = Scoring.start(steps, model, memory, 1)
        found = greedy_search(model, memory, scoring, limits, options, Draw.start(draws, options))
        return [_best_first(found[first : first + options.n_best]) for first in range(0, len(found), options.n_best)]
    phrases = Phrases([demand.phrases for demand in demands]).start if any(d.phrases for d in demands) else None
    scoring = Scoring.start(steps, model, memory, options.beam, phrases)
    return (greedy_search if options.beam == 1 else beam_search)(model, memory, scoring, limits, options)


def _best_first(found: list[list[Hypothesis]]) -> list[Hypothesis]:
    return sorted([one for (one,) in found], key=lambda one: -one.score)


def _placed(
    model: Seq2Seq, memory: Memory, found: list[list[Hypothesis]], lengths: list[int], options: SearchConfig
) -> list[list[Hypothesis]]:
    """The hypotheses with what tells where their tokens come from, and without attention that nobody asked for."""
    if not options.keeps_attention:
        return found
    frames_BSV = model.frame_scores(memory) if options.align else None
    spans = iter(align(found, frames_BSV, memory.mask_BS, lengths, model.subsampling) if options.align else ())
    return [
        [
            replace(
                one,
                spans=next(spans) if options.align else None,
                alignment=attended(one.attention, len(one.tokens)) if options.alignment else None,
                attention=one.attention if options.attention else None,
            )
            for one in hypotheses
        ]
        for hypotheses in found
    ]
