"""How hypotheses are searched in; the options of CTranslate2's search, and what limits each source sets, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.errors import ConfigError

_UNKNOWN = ("lookahead", "ctc_weight", "ctc_candidates", "length_reward", "ngram_repeats", "align", "sample")
"""Keys of a search that CTranslate2's does not have: it draws samples, but by one row of numbers for all sources."""

_STEADY = 1.01
"""A patience that asks for as many ended hypotheses as 1 does, and keeps the library from stopping sooner."""


def refused(options: SearchConfig) -> str | None:
    """The first key that asks for what CTranslate2's search does not have; None where it has all."""
    usual = SearchConfig.model_fields
    return next((name for name in _UNKNOWN if getattr(options, name) != usual[name].default), None)


def check(options: SearchConfig, demands: Sequence[Demand] = ()) -> None:
    """Make sure that CTranslate2's search has all that is asked for; else a ConfigError names the key."""
    if any(demand.phrases for demand in demands):
        raise ConfigError(
            "this engine does not have it",
            found="phrases that outputs must have (glossary)",
            advice="Leave it out, or say --engine.kind torch.",
        )
    name = refused(options)
    if name is not None:
        raise ConfigError(
            "this engine does not have it",
            where=f"search.{name}",
            found=getattr(options, name),
            advice="Leave it out, or say --engine.kind torch.",
        )


def library_options(options: SearchConfig) -> dict[str, Any]:
    """What is the same for all sources. All hypotheses of the beam come back: `generating` says why."""
    return {
        "beam_size": options.beam,
        "patience": _STEADY if options.beam > 1 else 1,
        "num_hypotheses": options.beam,
        "length_penalty": options.length_penalty,
        "coverage_penalty": options.coverage_penalty,
        "repetition_penalty": options.repetition_penalty,
        "no_repeat_ngram_size": options.no_repeat_ngram,
        # Without it, greedy search with a coverage penalty ends the process.
        "return_attention": options.keeps_attention or bool(options.coverage_penalty),
        "return_scores": options.returns_scores,
        "return_end_token": True,
        "max_input_length": 0,  # nothing is cut in silence
    }


def limits(options: SearchConfig, length: int, longest: int | None, demanded: int = 0) -> tuple[int, int]:
    """Fewest and most tokens of an output, the end included in the latter, of a source of so many pieces.

    Args:
        options: The search.
        length: Pieces of the source.
        longest: Most that the model can say.
        demanded: Tokens that the output has to hold.
    """
    most = options.max_length(length) + demanded
    most = min(most, longest) if longest else most
    return min(int(options.min_length_ratio * length), most - 1), most
