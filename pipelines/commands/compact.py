"""`seq2seq compact`: a dataset of many generations in, the same rows in one out."""

from __future__ import annotations

from pipelines.commands.call import Call
from seq2seq_core.errors import ConfigError
from seq2seq_core.preparation.compaction import compact
from seq2seq_core.preparation.compaction.config import GraceConfig
from seq2seq_core.report import inspection
from seq2seq_core.strict import check_location
from seq2seq_core.terminal import say


class CompactConfig(GraceConfig):
    """What `seq2seq compact` does with the files that it replaces."""


def main(call: Call) -> int:
    """Fold all generations of a dataset into one; the rows, their order and what names them stay."""
    if not call.words:
        raise ConfigError("a path is missing", expected="seq2seq compact DATASET")
    path, config = _location(call.words[0]), call.load(CompactConfig)
    compact.compact(path, config.grace_seconds)
    say(inspection.describe(path))
    return 0


def _location(path: str) -> str:
    try:
        return check_location(path)
    except ValueError as error:
        raise ConfigError(str(error), found=repr(path)) from None
