"""What the course of a run depends on in; its digest, or a refusal that names what another run has otherwise, out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from seq2seq_core import storage
from seq2seq_core.errors import CheckpointError

_DIGITS = 16


def identity_digest(identity: Mapping[str, Any]) -> str:
    """The first 16 digits of the digest of a run's identity."""
    return storage.digest_bytes(json.dumps(dict(identity), sort_keys=True).encode())[:_DIGITS]


def first_difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first key that differs, with their value and ours ("nothing" where the key is missing); None without any."""
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        found, expected = theirs.get(name, "nothing"), ours.get(name, "nothing")
        if found != expected:
            return name, found, expected
    return None


def check_same_run(
    theirs: Mapping[str, Any], ours: Mapping[str, Any], where: str, what: str = "the checkpoints are those"
) -> None:
    """Refuse to mix two runs: a CheckpointError names the first key that differs, both values and both digests."""
    difference = first_difference(theirs, ours)
    if difference is not None:
        name, found, expected = difference
        raise CheckpointError(
            f"{what} of another run: {name} differs",
            where=where,
            found=f"{name} = {found} (run {identity_digest(theirs)})",
            expected=f"{name} = {expected} (run {identity_digest(ours)})",
            advice="Restore that value to carry on, or choose another output folder.",
        )
