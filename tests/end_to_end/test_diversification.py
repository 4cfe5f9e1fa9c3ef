"""The recipe of diversification, from its files: models of both directions make six corpora of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.models.card import read_card
from tests.recipes import SMALL, SMALL_VOCABULARY, call, prepared, said, work_in


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_model_learns_what_two_have_made_of_its_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(tmp_path, monkeypatch)
    quick = {**SMALL, "model.decoder_layers": "1", "model.dropout": "0.1", "limits.max_steps": "150"}
    call("prepare", "multi30k/prepare", **SMALL_VOCABULARY)
    call("train", "multi30k/quick", **quick)
    call("prepare", "diversification/backward_prepare")
    call("train", "multi30k/quick", **quick, dataset="data/multi30k-de-en", output="runs/multi30k-de-en")
    call("translate", "diversification/forward_translate")
    call("translate", "diversification/forward_agreed")
    call("translate", "diversification/backward_translate")
    call("translate", "diversification/backward_drawn")
    call("translate", "diversification/backward_drawn", **{"search.seed": "2", "output": "out/multi30k-drawn-2"})
    call("prepare", "diversification/prepare")
    written, diverse = prepared("en-de"), prepared("diverse")
    forward = {name: said(name) for name in ("forward", "agreed")}
    backward = {name: {(output, text) for text, output in said(name)} for name in ("backward", "drawn-1", "drawn-2")}
    assert written <= diverse <= written.union(*forward.values(), *backward.values())
    for name, pairs in {**forward, **backward}.items():
        assert diverse & (pairs - written), name
    assert backward["drawn-1"] != backward["drawn-2"]
    assert {source for source, _ in forward["forward"]} >= {source for source, _ in written}
    assert {target for _, target in backward["backward"]} >= {target for _, target in written}
    call("train", "diversification/train", **{**quick, "limits.max_steps": "10"})
    assert read_card("runs/multi30k-diverse/best")[1].dataset == "data/multi30k-diverse"
