"""`seq2seq accept`: a model in, the same in the folder of the model in use, whose old one stands until then, out.

What translates or transcribes names that folder. A reader finds the old model or the new one, whole.
"""

from __future__ import annotations

from pydantic import Field

from pipelines.commands.call import Call
from seq2seq_core.config import Config, Location
from seq2seq_core.terminal import say


class AcceptConfig(Config):
    """Which model is put where."""

    model: Location = Field(description="folder of the model, such as RUN/best")
    output: Location = Field(description="folder of the model in use; another model there is replaced")


def main(call: Call) -> int:
    """A model to the place where it is used."""
    config = call.load(AcceptConfig)
    run(config)
    from seq2seq_core.report import inspection

    say(inspection.describe(config.output))
    return 0


def run(config: AcceptConfig) -> None:
    """Put the model in its place; where it stands there already, nothing is written.

    Raises:
        ClaimError: Another model is being put there.
        ModelError: There is no whole model, or a file of somebody else stands where one of the model would go.
    """
    from seq2seq_core.claims import held
    from seq2seq_core.models.card import read_config
    from seq2seq_core.models.publishing import copy_model

    with held(config.output, read_config(config.model).digest, "acceptance"):
        copy_model(config.model, config.output)
