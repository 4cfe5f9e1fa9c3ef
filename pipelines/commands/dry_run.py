"""`seq2seq prepare --dry-run`: the configuration of a preparation in, what its rules do to a sample, as text, out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.commands.prepare import PrepareConfig, make_job
from seq2seq_core.config import Location
from seq2seq_core.preparation.trial.dry_run import try_recipe
from seq2seq_core.report.dry_run import describe_dry_run


class DryRunConfig(PrepareConfig):
    """The configuration of a preparation that is only tried: it needs no output folder."""

    output: Location = Field("", description="is not written to")
    dry_run: Literal[True] = Field(True, description="try the rules on a sample and print what they do")
    sample: int = Field(10_000, ge=1, le=1 << 40, description="rows to try the rules on, spread over the corpora")


def run(config: DryRunConfig) -> str:
    """Try the rules; the page to print. Nothing is written.

    Raises:
        Seq2SeqError: See `planning.inputs.make_job`; or a file cannot be read.
    """
    return describe_dry_run(try_recipe(make_job(config), config.sample))
