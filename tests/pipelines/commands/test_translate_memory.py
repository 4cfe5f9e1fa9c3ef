"""Answers are kept between runs: the same bytes come out, and the model is asked for what is new alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.commands import translate as command
from pipelines.commands.translate import TranslateConfig
from seq2seq_core import config as configuration
from seq2seq_core.engines.echo import EchoEngine
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.inference.answering import answer
from seq2seq_core.inference.manifest import Output, load_output
from seq2seq_core.inference.memory.store import records_in, stores_in
from seq2seq_core.inference.translator_config import load_translator
from seq2seq_core.tokenizer.model import Tokenizer
from tests.pipelines.commands.test_translate import outputs, tree

WORDS = ["a", "small", "cat", "sat", "the", "quick", "brown", "fox", "one", "two", "and", "three", "hello", "world"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of sequences of each call of the engine."""
    calls = list[int]()
    generate = EchoEngine.generate

    def counted(self: EchoEngine, sequences: Any, options: Any) -> Any:
        calls.append(len(sequences))
        return generate(self, sequences, options)

    monkeypatch.setattr(EchoEngine, "generate", counted)
    return calls


def corpus(count: int, seed: int = 0) -> list[str]:
    draw = Random(seed)
    return [f"{' '.join(draw.choices(WORDS, k=draw.randint(3, 9)))} {number}" for number in range(count)]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def config(model: str, inputs: Path, output: Path, **more: Any) -> TranslateConfig:
    values = {"model": model, "input": [str(inputs)], "output": str(output), "engine": {"kind": "echo"}}
    return configuration.build(TranslateConfig, values | {"unit_records": 50} | more)


def run(model: str, inputs: Path, output: Path, **more: Any) -> command.TranslateResult:
    return command.run(config(model, inputs, output, **more))


def translate(model: str, inputs: Path, output: Path, **more: Any) -> Output:
    """The same as `run` leaves, without Beam."""
    job = command.make_job(config(model, inputs, output, **more))
    *_, manifest = answer(job, load_translator(job.translator, job.provenance.model.digest))
    assert manifest is not None
    return manifest


def documents(folder: Path) -> dict[str, bytes]:
    """All that a run has written but what names the folder."""
    found = tree(folder)
    manifest = load_output(str(folder))
    return found | {"output.json": manifest.model_dump_json().encode()}


def test_a_corpus_that_changed_a_little_is_paid_for_a_little(echo_model: str, tmp_path: Path, asked: list[int]) -> None:
    lines = corpus(1000)
    memory = {"memory": {"url": str(tmp_path / "memory")}}
    run(echo_model, write(tmp_path / "a.txt", lines), tmp_path / "first", **memory)
    assert sum(asked) == 1000
    asked.clear()
    changed = [f"new {line}" if number % 100 == 7 else line for number, line in enumerate(lines)]
    changed.insert(0, "one line more moves every record to another unit")
    write(tmp_path / "a.txt", changed)
    run(echo_model, tmp_path / "a.txt", tmp_path / "second", **memory)
    assert sum(asked) == 11
    asked.clear()
    run(echo_model, tmp_path / "a.txt", tmp_path / "without")
    assert sum(asked) == 1001
    assert documents(tmp_path / "second") == documents(tmp_path / "without")
    (store,) = stores_in(str(tmp_path / "memory"))
    assert sum(run.rows for run in records_in(store)) == 1011
    assert len(records_in(store)) <= 10  # the logarithm of their rows


def test_segments_that_stand_in_several_units_are_asked_once(echo_model: str, tmp_path: Path, asked: list[int]) -> None:
    lines = [*corpus(120), *corpus(120), *corpus(25), *corpus(25), *corpus(10)]
    write(tmp_path / "a.txt", lines)
    translate(echo_model, tmp_path / "a.txt", tmp_path / "without")
    assert sum(asked) == 300 - 10 - 15  # in a unit each is asked for once
    asked.clear()
    translate(echo_model, tmp_path / "a.txt", tmp_path / "with", memory={"url": str(tmp_path / "memory")})
    assert sum(asked) == 120
    assert documents(tmp_path / "with") == documents(tmp_path / "without")


def test_fields_that_are_added_are_the_same_with_a_memory(echo_model: str, tmp_path: Path) -> None:
    rows = [{"text": f"{a}. {b}!", "n": n} for n, (a, b) in enumerate(zip(corpus(40), corpus(40, 1), strict=True))]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    more: dict[str, Any] = {"include": ["score", "n_best", "finished", "segments"]}
    more["segmentation"] = {"mode": "document"}
    memory = {"memory": {"url": str(tmp_path / "memory")}}
    translate(echo_model, tmp_path / "a.jsonl", tmp_path / "without", **more)
    for name in ("first", "second"):
        translate(echo_model, tmp_path / "a.jsonl", tmp_path / name, **more, **memory)
        assert documents(tmp_path / name) == documents(tmp_path / "without")


def test_other_models_and_searches_have_memories_of_their_own(
    echo_model: str, write_echo_model: Any, tmp_path: Path, asked: list[int]
) -> None:
    write(tmp_path / "a.txt", corpus(30))
    memory = {"memory": {"url": f"memory://{tmp_path.name}/memory"}}
    other = write_echo_model(tmp_path / "other", step=2)
    for number, (model, search) in enumerate([(echo_model, {}), (other, {}), (echo_model, {"beam": 3})]):
        translate(model, tmp_path / "a.txt", tmp_path / str(number), search=search, **memory)
        assert sum(asked) == 30 * (number + 1)
    assert len(list(stores_in(memory["memory"]["url"]))) == 3
    translate(echo_model, tmp_path / "a.txt", tmp_path / "again", **memory)
    assert sum(asked) == 90


def test_failures_are_not_kept(
    echo_model: str, tmp_path: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.txt", [*corpus(30), "poison"])
    memory = {"memory": {"url": str(tmp_path / "memory")}}
    with monkeypatch.context() as patch:
        generate = EchoEngine.generate

        def choosy(self: EchoEngine, sequences: Any, options: Any) -> Any:
            if any(len(sequence) == len(poison) and (sequence == poison).all() for sequence in sequences):
                raise RuntimeError("too much")
            return generate(self, sequences, options)

        (poison,) = Tokenizer.load(f"{echo_model}/tokenizer/joint.model").encode(["poison"])
        patch.setattr(EchoEngine, "generate", choosy)
        assert translate(echo_model, tmp_path / "a.txt", tmp_path / "first", **memory).failed == 1
    asked.clear()
    assert translate(echo_model, tmp_path / "a.txt", tmp_path / "second", **memory).failed == 0
    assert sum(asked) == 1


def test_runs_side_by_side_share_a_memory(echo_model: str, tmp_path: Path, asked: list[int]) -> None:
    write(tmp_path / "a.txt", corpus(300))
    write(tmp_path / "b.txt", corpus(300)[::-1])
    memory = {"memory": {"url": str(tmp_path / "memory")}}
    threads = [
        threading.Thread(target=translate, args=(echo_model, tmp_path / f"{name}.txt", tmp_path / name), kwargs=memory)
        for name in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = len(asked)
    assert 300 <= sum(asked) <= 600
    assert outputs(tmp_path / "b", "*.txt").splitlines() == outputs(tmp_path / "a", "*.txt").splitlines()[::-1]
    translate(echo_model, tmp_path / "a.txt", tmp_path / "c", **memory)
    assert len(asked) == before


TMX = """<?xml version="1.0"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en-US"><seg>hello   world</seg></tuv><tuv xml:lang="de"><seg>Hallo, Welt</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>the fox</seg></tuv><tuv xml:lang="fr"><seg>le renard</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>hello world</seg></tuv><tuv xml:lang="de"><seg>Servus</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>three!</seg></tuv><tuv xml:lang="de"><seg>drei!</seg></tuv></tu>
</body></tmx>
"""


def test_translations_of_tmx_files_go_before_the_model(echo_model: str, tmp_path: Path, asked: list[int]) -> None:
    (tmp_path / "old.tmx").write_text(TMX)
    rows = ["hello world", " hello  world ", "the fox", "one and two. three! hello world", "", "hello world!"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    memory = {"url": str(tmp_path / "memory"), "tmx": [str(tmp_path / "old.tmx")], "languages": ["en", "de"]}
    more: dict[str, Any] = {"include": ["score", "given", "segments"], "segmentation": {"mode": "document"}}
    result = translate(echo_model, tmp_path / "a.jsonl", tmp_path / "out", memory=memory, **more)
    assert result.failed == 0
    found = [json.loads(line) for line in outputs(tmp_path / "out", "*.jsonl").splitlines()]
    assert [row["translation"] for row in found] == [
        *("Hallo, Welt", " Hallo, Welt ", "the fox", "one and two. drei! Hallo, Welt", "", "hello world!")
    ]
    assert [row["translation_given"] for row in found] == [1, 1, 0, 2, 0, 0]
    assert [row["translation_score"] for row in found] == [None, None, 0.0, 0.0, None, 0.0]
    manifest = load_output(str(tmp_path / "out"))
    assert [file.url for file in manifest.given] == [str(tmp_path / "old.tmx")]
    asked.clear()
    translate(echo_model, tmp_path / "a.jsonl", tmp_path / "out", memory=memory, **more)
    assert not asked
    (tmp_path / "old.tmx").write_text(TMX.replace("Hallo, Welt", "Moin"))
    translate(echo_model, tmp_path / "a.jsonl", tmp_path / "out", memory=memory, **more)
    assert b"Moin" in outputs(tmp_path / "out", "*.jsonl")
    assert b"Hallo" not in outputs(tmp_path / "out", "*.jsonl")


def test_what_is_wrong_with_a_memory_is_told_before_any_work(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "old.tmx").write_text(TMX)
    write(tmp_path / "a.txt", corpus(3))
    memory = {"url": str(tmp_path / "memory"), "tmx": [str(tmp_path / "old.tmx")]}
    with pytest.raises(ConfigError, match="the languages of the texts are not known"):
        translate(echo_model, tmp_path / "a.txt", tmp_path / "out", memory=memory)
    with pytest.raises(InputError, match="no translation stands in the TMX files"):
        translate(echo_model, tmp_path / "a.txt", tmp_path / "out", memory=memory | {"languages": ["en", "it"]})
    with pytest.raises(ConfigError, match="tmx needs url"):
        translate(echo_model, tmp_path / "a.txt", tmp_path / "out", memory={"tmx": ["x.tmx"]})
    translate(echo_model, tmp_path / "a.txt", tmp_path / "out", memory={"url": str(tmp_path / "in" / "memory")})
    write(tmp_path / "in" / "a.txt", corpus(3))
    memory = {"url": str(tmp_path / "in" / "memory")}
    with pytest.raises(ConfigError, match="an input stands in the memory"):
        translate(echo_model, tmp_path / "in" / "memory" / "*" / "runs" / "*.parquet", tmp_path / "out", memory=memory)


def test_what_is_kept_can_be_read_by_others(echo_model: str, tmp_path: Path) -> None:
    write(tmp_path / "a.txt", corpus(10))
    translate(echo_model, tmp_path / "a.txt", tmp_path / "out", memory={"url": str(tmp_path / "memory")})
    (file,) = (tmp_path / "memory").rglob("*.parquet")
    assert pq.read_table(file).column_names == ["key", "hypotheses"]
    about = json.loads(next((tmp_path / "memory").rglob("about.json")).read_text())
    assert about["engine"]["kind"] == "echo"
