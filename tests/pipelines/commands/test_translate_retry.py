"""Records that failed are done again, and they alone; what the rest became stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.commands import translate as command
from pipelines.commands.translate import TranslateConfig
from seq2seq_core import config as configuration
from seq2seq_core.engines.echo import EchoEngine
from seq2seq_core.errors import IncompleteError
from seq2seq_core.inference.answering import answer
from seq2seq_core.inference.manifest import Output
from seq2seq_core.inference.translator_config import load_translator
from seq2seq_core.tokenizer.model import Tokenizer
from tests.crashing import crashing_after
from tests.pipelines.commands.test_translate import tree

LINES = [f"line {number}" for number in range(40)]
LINES[7] = LINES[8] = LINES[33] = "poison"


class Weak:
    """The echo engine, which may fail on one text; it counts what it is given."""

    def __init__(self, tokenizer: Tokenizer, patch: pytest.MonkeyPatch) -> None:
        self.is_weak = True
        self.seen: list[int] = []
        (self._poison,) = tokenizer.encode(["poison"])
        generate = EchoEngine.generate

        def weak(engine: EchoEngine, sequences: Any, options: Any) -> Any:
            self.seen.append(len(sequences))
            if self.is_weak and any(sequence.tolist() == self._poison.tolist() for sequence in sequences):
                raise RuntimeError("too much\nof it")
            return generate(engine, sequences, options)

        patch.setattr(EchoEngine, "generate", weak)


@pytest.fixture
def engine(echo_model: str, monkeypatch: pytest.MonkeyPatch) -> Weak:
    return Weak(Tokenizer.load(f"{echo_model}/tokenizer/joint.model"), monkeypatch)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("".join(f"{line}\n" for line in LINES))
    rows = [json.dumps({"n": number, "text": line}) for number, line in enumerate(LINES[:20])]
    (folder / "b.jsonl").write_text("\n".join([*rows, "{broken"]) + "\n")
    pq.write_table(pa.table({"text": LINES[:20], "n": range(20)}), folder / "c.parquet")
    return folder


Translates = Callable[..., Output]


@pytest.fixture
def translate(echo_model: str, inputs: Path, tmp_path: Path) -> Translates:
    def run(output: str, *, with_beam: bool = False, **more: Any) -> Output | None:
        values = {"model": echo_model, "input": [str(inputs)], "output": str(tmp_path / output)}
        values |= {"engine": {"kind": "echo"}, "unit_records": 10, "include": []} | more
        config = configuration.build(TranslateConfig, values)
        if with_beam:
            command.run(config)
            return None
        job = command.make_job(config)
        *_, manifest = answer(job, load_translator(job.translator))
        return manifest

    return run  # type: ignore[return-value]


def found(folder: Path) -> dict[str, bytes]:
    """All that tells of outputs; not what names the folder, or what is kept for another retry."""
    return {name: data for name, data in tree(folder).items() if name != "output.json"}


def test_failed_records_are_done_again_at_their_places(translate: Translates, engine: Weak, tmp_path: Path) -> None:
    first = translate("out")
    assert (first.records_in, first.failed) == (81, 8)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*-0000?-of-*")}
    assert translate("out").failed == 8
    engine.is_weak = False
    engine.seen.clear()
    again = translate("out", retry_failures=True)
    assert again.failed == 1  # the line that is no JSON
    assert sum(engine.seen) == 4  # one a unit, as both of a unit are equal
    translate("undisturbed")
    assert found(tmp_path / "out") == found(tmp_path / "undisturbed")
    untouched = [path for path, time in kept.items() if path.stat().st_mtime_ns == time]
    assert len(untouched) == 4
    assert translate("out", retry_failures=True) == translate("out")


def test_records_that_fail_again_stay_in_the_ledger(translate: Translates, engine: Weak, tmp_path: Path) -> None:
    translate("out")
    before = found(tmp_path / "out")
    engine.seen.clear()
    assert translate("out", retry_failures=True).failed == 8
    assert found(tmp_path / "out") == before
    assert sum(engine.seen) <= 4 * 3  # each unit's one, an empty one to try the engine, and one again


def test_fields_come_back_as_they_were(translate: Translates, engine: Weak, tmp_path: Path, inputs: Path) -> None:
    (inputs / "a.txt").unlink()
    more = {"include": ["score", "n_best", "finished", "segments"]}
    translate("out", **more)
    engine.is_weak = False
    translate("out", **more, retry_failures=True)
    translate("undisturbed", **more)
    assert found(tmp_path / "out") == found(tmp_path / "undisturbed")


def test_what_is_kept_of_another_model_is_not_used(
    translate: Translates, engine: Weak, write_echo_model: Any, tmp_path: Path
) -> None:
    translate("out")
    engine.is_weak = False
    engine.seen.clear()
    translate("out", retry_failures=True, model=write_echo_model(tmp_path / "other", step=2))
    assert sum(engine.seen) > 70


@pytest.mark.parametrize("writes", [1, 2, 4, 6])
def test_a_retry_that_crashes_is_carried_on(translate: Translates, engine: Weak, tmp_path: Path, writes: int) -> None:
    translate("out")
    engine.is_weak = False
    with crashing_after(writes), pytest.raises(RuntimeError, match="crash"):
        translate("out", retry_failures=True)
    assert not (tmp_path / "out" / "output.json").exists()
    assert translate("out", retry_failures=True).failed == 1
    translate("undisturbed")
    assert found(tmp_path / "out") == found(tmp_path / "undisturbed")


def test_the_whole_of_it_on_beam(translate: Translates, engine: Weak, tmp_path: Path) -> None:
    with pytest.raises(IncompleteError, match="8 of 81"):
        translate("out", with_beam=True)
    engine.is_weak = False
    with pytest.raises(IncompleteError, match="1 of 81"):
        translate("out", with_beam=True, retry_failures=True)
    translate("undisturbed")
    assert found(tmp_path / "out") == found(tmp_path / "undisturbed")


def test_a_run_of_many_failures_ends(translate: Translates, engine: Weak, tmp_path: Path) -> None:
    with pytest.raises(IncompleteError, match=r"5 of 81 records have failed by now; expected at most 5.00%"):
        translate("out", max_failed_share=0.05)
    assert not (tmp_path / "out" / "output.json").exists()
    assert translate("out", max_failed_share=0.1).failed == 8
