"""The keys that all commands with `--follow` have: how files land, and when following ends."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seq2seq_core.config import Config
from seq2seq_core.landing.config import LandingConfig


class FollowKeys(Config):
    """How a command follows landing zones."""

    follow: Literal[True] = Field(True, description="never end: take files as they land")
    landing: LandingConfig = Field(LandingConfig(), description="when a file that lands is taken")
    idle_seconds: float | None = Field(
        None, ge=0, le=1e9, description="end when nothing has been left to do for so long; default: never end"
    )
