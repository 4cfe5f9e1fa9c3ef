"""Layers of a model in; the same, compiled for their device when they are first called, out."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from seq2seq_core.errors import ConfigError

_FIRST_LINES = 300


def compile_layers(stacks: Iterable[nn.Module], device: torch.device) -> None:
    """Let the layers of some stacks be compiled, each kind once for batches of all shapes.

    Raises:
        ConfigError: There is no compiler for the device.
    """
    check_compiler(device)
    for stack in stacks:
        for layer in stack.children():
            layer.compile(dynamic=True)


def check_compiler(device: torch.device) -> None:
    """Compile something small.

    Raises:
        ConfigError: That fails.
    """
    try:
        torch.compile(_doubled)(torch.ones(2, device=device))
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ConfigError(
            "nothing can be compiled here",
            where="compile",
            found=lines[0][:_FIRST_LINES] if lines else type(error).__name__,
            advice="Install a C++ compiler (such as g++; CXX names another one), for a GPU Triton besides, or leave "
            "compile out.",
        ) from error


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return 2 * x
