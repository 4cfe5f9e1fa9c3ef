"""`seq2seq inspect`: a dataset, run, model or output folder in, what it holds, as text, out."""

from __future__ import annotations

from pydantic import Field

from pipelines.commands.call import Call
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError, Seq2SeqError
from seq2seq_core.strict import check_location
from seq2seq_core.terminal import say


class InspectConfig(Config):
    """How closely `seq2seq inspect` looks."""

    verify: bool = Field(
        False, description="read every file, compare it with what its manifest says, and name the first difference"
    )


def main(call: Call) -> int:
    """What a folder holds, in a page."""
    if not call.words:
        raise ConfigError("a path is missing", expected="seq2seq inspect PATH")
    path, config = _location(call.words[0]), call.load(InspectConfig)
    from seq2seq_core.report import inspection, verification

    try:
        say(inspection.describe(path))
    except Seq2SeqError:
        if config.verify:
            verification.verify(path)  # which names the damage exactly
        raise
    if config.verify:
        say(verification.verify(path))
    return 0


def _location(path: str) -> str:
    try:
        return check_location(path)
    except ValueError as error:
        raise ConfigError(str(error), found=repr(path)) from None
