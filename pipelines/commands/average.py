"""`seq2seq average`: the folder of a run in; the mean of some of its checkpoints, as a model of its own, out."""

from __future__ import annotations

from pipelines.commands.call import Call
from seq2seq_core.terminal import say
from seq2seq_core.training.averaged_model import AverageRunConfig, average_run


def main(call: Call) -> int:
    """Checkpoints to a model."""
    config = call.load(AverageRunConfig)
    from seq2seq_core.report import inspection

    steps = average_run(config)
    say(f"the mean of the checkpoints of steps {', '.join(map(str, steps))}")
    say(inspection.describe(config.output))
    return 0
