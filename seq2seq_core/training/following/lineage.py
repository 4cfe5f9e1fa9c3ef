"""A run folder in; which generations of the dataset entered the run, and at which step, out, and back.

`lineage.json` says so before the first step with new rows is done: who is killed after that step, and carries on from
a checkpoint before it, lets them enter there again. Another run that is given it does the same (`replay`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pydantic

from seq2seq_core import storage
from seq2seq_core.dataset.segment import Segment
from seq2seq_core.errors import CheckpointError, ConfigError, ModelError
from seq2seq_core.models import card
from seq2seq_core.models.card import read_card
from seq2seq_core.training.checkpoints.checkpoint import Checkpoints
from seq2seq_core.training.checkpoints.run_state import to_json

LINEAGE_NAME = "lineage.json"


class RunLineage(pydantic.BaseModel):
    """`lineage.json` of a run folder: what the run's course depends on from its beginning, and what entered later."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    identity: dict[str, Any]
    segments: tuple[Segment, ...] = pydantic.Field(min_length=1)


def publish_lineage(output: str, lineage: RunLineage) -> None:
    """Write it in one step."""
    storage.publish_text(storage.join(output, LINEAGE_NAME), to_json(lineage.model_dump(), indent=1) + "\n")


def read_lineage(output: str) -> RunLineage | None:
    """That of a run; where the file is gone, what its newest checkpoint knows; None where neither is there.

    Raises:
        CheckpointError: It cannot be understood.
    """
    url = storage.join(output, LINEAGE_NAME)
    data = storage.read_if_there(url)
    if data is None:
        return _of_checkpoint(output)
    try:
        return RunLineage.model_validate(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            "the lineage of the run is damaged or of another version",
            where=storage.redact(url),
            found=str(error).splitlines()[0],
            advice="Restore it, or remove it to carry on with what the newest checkpoint knows.",
        ) from None


def replayed(url: str) -> tuple[Segment, ...]:
    """The segments of another run, or of a model.

    Raises:
        ConfigError: The folder is neither, or says nothing of segments.
        CheckpointError: It cannot be understood.
    """
    try:
        is_model = storage.exists(storage.join(url, card.CONFIG_NAME))
        lineage = None if is_model else read_lineage(url)
        found = read_card(url)[1].segments if is_model else lineage.segments if lineage else ()
    except ModelError as error:
        raise ConfigError("the model cannot be read", where="replay", found=str(error)) from None
    if found:
        return found
    raise ConfigError(
        "nothing here says which generations entered at which step",
        where="replay",
        found=storage.redact(url),
        expected="a run folder, or a model of a run whose dataset grew while it followed it",
    )


def check_continues(entered: Sequence[Segment], planned: Sequence[Segment], where: str, step: int = 0) -> None:
    """Make sure that some lineage begins with what entered a run, and says nothing else of the steps that are done.

    Args:
        entered: What entered the run.
        planned: The lineage.
        where: Names the run in errors.
        step: Steps that are done.

    Raises:
        CheckpointError: They differ.
    """
    pairs = zip(entered, planned, strict=False)
    other = [one.step for one, other in pairs if one != other]
    other += [segment.step for segment in planned[len(entered) :] if segment.step < step]
    if other:
        raise CheckpointError(
            "what entered the run is not what the lineage says",
            where=where,
            found=f"another segment at step {other[0]}",
            advice="Choose another output folder, or the lineage, dataset and configuration of this run.",
        )


def present_steps(output: str) -> list[int]:
    """The steps of the checkpoints in a run folder, whichever run they are of."""
    with contextlib.closing(_checkpoints(output)) as checkpoints:
        return checkpoints.present()


def _of_checkpoint(output: str) -> RunLineage | None:
    with contextlib.closing(_checkpoints(output)) as checkpoints:
        steps = checkpoints.present()
        marker = checkpoints.marker(steps[-1]) if steps else None
    if marker is None or not marker.progress.segments:
        return None
    return RunLineage(identity=marker.identity, segments=marker.progress.segments)


def _checkpoints(output: str) -> Checkpoints:
    """Those of a folder, to look at."""
    return Checkpoints(storage.join(output, "checkpoints"), {})
