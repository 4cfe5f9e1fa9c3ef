"""Reports of a run in; the same as a run of Weights & Biases out, where a project there is named.

What stands there is a copy of metrics.jsonl: where it cannot be written, a warning says so and training goes on. The
package reads its key from its own variable or file; nothing here knows it, and no log has it.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError
from seq2seq_core.training.checkpoints.run_state import Validation
from seq2seq_core.training.recorders import Recorder, TrainReport, points_of, points_of_validation

_PACKAGE, _KEY = "wandb", "WANDB_API_KEY"
_ID_DIGITS = 16
_KINDS = ("train", "rows", "validation")

logger = logging.getLogger(__name__)


class WandbConfig(Config):
    """Where reports go besides; needs the extra seq2seq[wandb]."""

    project: str | None = Field(
        None, min_length=1, description="project of Weights & Biases that reports go to; null: none"
    )
    entity: str | None = Field(None, min_length=1, description="whose project it is; null: yours")
    name: str | None = Field(None, min_length=1, description="what the run is called there; null: as its folder is")
    mode: Literal["online", "offline"] = Field(
        "online", description="offline: kept in wandb/ of the run folder, for `wandb sync`"
    )


class WandbRecorder:
    """A run there. A training that is carried on goes on with the same one.

    Points have a step of their own as an axis, as a training that was killed tells of some steps once more.

    Args:
        start: Begins the run.
    """

    def __init__(self, start: Callable[[], Any]) -> None:
        self._run: Any = None
        self._guarded(lambda: self._begin(start))

    def step(self, step: int) -> None:
        """Single steps are no points."""

    def report(self, report: TrainReport) -> None:
        self._add({**points_of(report), "train/epoch": report.epoch}, report.step)

    def validation(self, validation: Validation, seconds: float) -> None:  # noqa: ARG002 (one interface for all)
        self._add(points_of_validation(validation), validation.step)

    def close(self) -> None:
        if self._run is not None:
            self._guarded(self._run.finish)

    def _begin(self, start: Callable[[], Any]) -> None:
        run = start()
        for kind in _KINDS:
            run.define_metric(f"{kind}/*", step_metric="step")
        self._run = run

    def _add(self, values: Mapping[str, float], step: int) -> None:
        if self._run is not None:
            self._guarded(lambda: self._run.log({**values, "step": step}))

    def _guarded(self, work: Callable[[], object]) -> None:
        """Do something of the package's, which raises errors of many kinds; after one of them nothing more is done."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, training does not depend on it
            logger.warning("nothing goes to Weights & Biases any more: %s", _told(error))
            self._run = None


def wandb_recorders(config: WandbConfig, output: str, identity: str, values: Mapping[str, Any]) -> list[Recorder]:
    """The recorder of a run, where a project is named.

    Args:
        config: Where reports go.
        output: The run folder.
        identity: Names the run.
        values: Its configuration, fit for others to see.

    Raises:
        ConfigError: The package is not installed.
    """
    if config.project is None:
        return []
    if importlib.util.find_spec(_PACKAGE) is None:
        raise ConfigError(
            "a package is not installed",
            where="wandb.project",
            found=f"no module {_PACKAGE}",
            advice="pip install 'seq2seq[wandb]', or leave wandb.project out.",
        )
    where = storage.redact(output)
    arguments = {
        "project": config.project,
        "entity": config.entity,
        "name": config.name or storage.name_of(output),
        "id": storage.digest_bytes(f"{identity}\n{where}".encode())[:_ID_DIGITS],
        "resume": "allow",
        "mode": config.mode,
        "config": dict(values),
        "dir": str(storage.local_path(output)) if storage.is_local(output) else None,
    }

    def start() -> Any:
        library = importlib.import_module(_PACKAGE)
        quiet = library.Settings(console="off", silent=True, disable_git=True, disable_code=True, save_code=False)
        return library.init(**arguments, settings=quiet)

    return [WandbRecorder(start)]


def _told(error: Exception) -> str:
    """The first line of what an error says, without the key."""
    text = str(error).partition("\n")[0] or type(error).__name__
    key = os.environ.get(_KEY)
    return text.replace(key, "...") if key else text
