"""The recipe of diversification, from its files: models of both directions make six corpora of one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.models.card import read_card
from tests.recipes import SMALL, SMALL_VOCABULARY, call, work_in

Pairs = set[tuple[str, str]]


def said(name: str) -> Pairs:
    """Texts and translations of the outputs of a run."""
    (path,) = Path("out", f"multi30k-{name}").glob("*.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return {(row["text"], row["translation"]) for row in map(json.loads, lines)}


def prepared(name: str) -> Pairs:
    """Texts of the training rows of a dataset."""
    dataset = Dataset.open(f"data/multi30k-{name}")
    tables = [dataset.read_shard(shard) for shard in dataset.split("train").shards]
    sides = [
        dataset.target_tokenizer.decode([np.array(ids) for table in tables for ids in table.column(side).to_pylist()])
        for side in ("source", "target")
    ]
    return set(zip(*sides, strict=True))


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
