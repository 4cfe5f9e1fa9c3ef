from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from seq2seq_core.errors import ConfigError
from seq2seq_core.training.optimization import compiled
from seq2seq_core.training.optimization.compiled import check_compiler, compile_layers

CPU = torch.device("cpu")


def test_each_layer_is_compiled_for_all_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[nn.Module, dict[str, Any]]] = []
    monkeypatch.setattr(nn.Module, "compile", lambda layer, **options: done.append((layer, options)))
    monkeypatch.setattr(compiled, "check_compiler", lambda device: None)
    stacks = [nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)]), nn.ModuleList([nn.Linear(2, 2)])]
    compile_layers(stacks, CPU)
    assert done == [(layer, {"dynamic": True}) for stack in stacks for layer in stack]


def test_where_nothing_can_be_compiled_that_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(function: object) -> object:
        raise RuntimeError("\nno working C++ compiler\nat all")

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(
        ConfigError, match=r"compile: nothing can be compiled here; found no working C\+\+ compiler"
    ) as told:
        check_compiler(CPU)
    assert "g++" in str(told.value)
