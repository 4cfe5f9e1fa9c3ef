"""`seq2seq translate` with a memory on every store: what a run has asked of the model the next one finds there."""

from __future__ import annotations

from seq2seq_core import storage
from seq2seq_core.inference.manifest import load_output
from tests.processes import seq2seq
from tests.stores import Store

HOW = "--engine.kind=echo --unit_records=60 --flag.max_copied 0.5 --include given flags"
LINES = 200


def translate(model: str, store: Store, name: str, *more: str) -> dict[str, bytes]:
    places = ["--model", model, "--input", store.url("in"), "--output", store.url(name)]
    seq2seq("translate", *places, *HOW.split(), *more, environment=store.environment)
    return outputs(store, name)


def outputs(store: Store, name: str) -> dict[str, bytes]:
    return {path: data for path, data in store.tree(name).items() if not path.startswith((".units/", "output.json"))}


def publish(store: Store, first: int) -> None:
    rows = "".join(f'{{"text": "line {number} of some"}}\n' for number in range(first, first + LINES))
    storage.publish_text(store.url("in", "a.jsonl"), rows)


def kept(store: Store) -> dict[str, bytes]:
    return {path: data for path, data in store.tree("memory").items() if path.endswith(".parquet")}


def test_a_memory_carries_over(store: Store, echo_model: str) -> None:
    publish(store, 0)
    memory = ["--memory.url", store.url("memory")]
    assert translate(echo_model, store, "first", *memory) == translate(echo_model, store, "without")
    before = kept(store)
    assert before
    assert translate(echo_model, store, "second", *memory) == outputs(store, "first")
    assert kept(store) == before  # nothing was asked for
    publish(store, LINES // 2)
    assert translate(echo_model, store, "changed", *memory) == translate(echo_model, store, "changed without")
    assert kept(store) != before
    assert load_output(store.url("changed")).flagged == LINES
