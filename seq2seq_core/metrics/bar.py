"""Scores and the bars they have to reach in; an error that names those that are missed out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seq2seq_core.errors import BelowBarError


def check_bars(scores: Mapping[str, float], minimum: Mapping[str, float], maximum: Mapping[str, float]) -> None:
    """Make sure that scores are at least, or at most, what they have to be; a score that is no number never is.

    Args:
        scores: By name, in the units of the bars.
        minimum: The least that is good enough, by the same names.
        maximum: The most.

    Raises:
        BelowBarError: A score misses its bar; all that do are named.
    """
    missed = list(_missed(scores, minimum, maximum))
    if missed:
        names, found, expected = zip(*missed, strict=True)
        raise BelowBarError(
            "not good enough", where=", ".join(names), found=", ".join(found), expected=", ".join(expected)
        )


def _missed(
    scores: Mapping[str, float], minimum: Mapping[str, float], maximum: Mapping[str, float]
) -> Iterator[tuple[str, str, str]]:
    for name, least in minimum.items():
        if not scores[name] >= least:
            yield name, f"{scores[name]:.4g}", f"{least:g} or more"
    for name, most in maximum.items():
        if not scores[name] <= most:
            yield name, f"{scores[name]:.4g}", f"{most:g} or less"
