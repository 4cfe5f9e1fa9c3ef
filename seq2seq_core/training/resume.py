"""A run folder's checkpoints and what this run is in, the checkpoint to carry on from out, or a clear refusal."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Literal

from seq2seq_core import storage
from seq2seq_core.errors import CheckpointError, ConfigError
from seq2seq_core.training.checkpoint import Checkpoints, Marker

logger = logging.getLogger(__name__)


def find_resumption(
    checkpoints: Checkpoints, identity: Mapping[str, Any], mode: Literal["auto", "never"], output: str
) -> Marker | None:
    """The marker of the latest checkpoint of this very run; None where there is no checkpoint.

    Raises:
        ConfigError: There are checkpoints, but `mode` is never.
        CheckpointError: They are those of another configuration or dataset.
    """
    steps = checkpoints.steps()
    if not steps:
        return None
    where = storage.redact(output)
    if mode == "never":
        raise ConfigError(
            "the output folder holds checkpoints already",
            where=where,
            found=f"checkpoints of steps {', '.join(map(str, steps))}",
            advice="Set resume to auto to carry on with them, or choose another output folder.",
        )
    marker = checkpoints.marker(steps[-1])
    check_same_run(marker.identity, identity, where)
    return marker


def check_same_run(theirs: Mapping[str, Any], ours: Mapping[str, Any], where: str) -> None:
    """Refuse to mix two runs: a CheckpointError names the first key that differs, both values and both digests."""
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        found, expected = theirs.get(name, "nothing"), ours.get(name, "nothing")
        if found != expected:
            raise CheckpointError(
                f"the checkpoints are those of another run: {name} differs",
                where=where,
                found=f"{name} = {found} (run {identity_digest(theirs)})",
                expected=f"{name} = {expected} (run {identity_digest(ours)})",
                advice="Restore that value to carry on, or choose another output folder.",
            )


def identity_digest(identity: Mapping[str, Any]) -> str:
    """The first 16 digits of the digest of a run's identity."""
    return storage.digest_bytes(json.dumps(dict(identity), sort_keys=True).encode())[:16]
