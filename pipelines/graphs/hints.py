"""Beam's options in; what the steps that hold a model ask of their workers, and no other step, out.

They stand after `--` with Beam's own: --model_accelerator 'type:nvidia-l4;count:1;install-nvidia-driver',
--model_min_ram 30GB, --model_bundles_per_worker 1. Engines that know no resource hints pass over them.
"""

from __future__ import annotations

import argparse
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.resources import parse_resource_hints

from seq2seq_core.errors import ConfigError


class ModelOptions(PipelineOptions):  # type: ignore[misc]
    """Options of the steps that hold a model."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--model_accelerator", help="what a worker with the model has, as Dataflow writes it")
        parser.add_argument("--model_min_ram", help="memory of a worker with the model, such as 30GB")
        parser.add_argument("--model_bundles_per_worker", type=int, help="units that such a worker takes at a time")


def model_hints(options: PipelineOptions) -> dict[str, Any]:
    """The resource hints for steps with a model, by Beam's names.

    Raises:
        ConfigError: Beam does not take a value.
    """
    given = options.view_as(ModelOptions)
    hints = {
        "accelerator": given.model_accelerator,
        "min_ram": given.model_min_ram,
        "max_active_bundles_per_worker": given.model_bundles_per_worker,
    }
    hints = {name: str(value) for name, value in hints.items() if value is not None}
    try:
        parse_resource_hints(hints)
    except ValueError as error:
        raise ConfigError("an option after -- is not usable", where="--model_...", found=error) from None
    return hints
