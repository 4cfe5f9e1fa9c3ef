"""An engine that is a class and a configuration in this file, and a word in the table: it needs no other change."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pytest
from pydantic import Field

from pipelines.cli import main
from pipelines.graphs import units as graph
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines import table
from seq2seq_core.engines.interface import EngineConfig, LoadedEngine, TokenIds
from seq2seq_core.modalities.base import SIDES
from seq2seq_core.models.card import place, read_files
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from tests.model_folders import write_model_folder

TEXTS = ["a small cat sat.", "the dog ran fast!", "one, two and three?"]


class ToyEngineConfig(EngineConfig):
    """Gives the pieces back in reverse."""

    software = ("pluggy",)
    shapes_nothing = frozenset({"cores"})
    shares: ClassVar[list[int]] = []

    kind: Literal["toy"] = Field("toy", description="toy: the input backwards")
    times: int = Field(1, description="how often it is said")
    cores: int = Field(0, description="of this machine")

    def load(self, model_root: str) -> LoadedEngine:
        card, files = read_files(model_root, lambda card: [card.tokenizers["source"]])
        entry = card.tokenizers["source"]
        tokenizer = Tokenizer(files[entry.path], place(model_root, entry))
        return LoadedEngine(ToyEngine(self.times), dict.fromkeys(SIDES, tokenizer), card.digest, card.source_text)

    def on_cores(self, cores: int) -> Self:
        self.shares.append(cores)
        return self.model_copy(update={"cores": cores})


class ToyEngine:
    def __init__(self, times: int) -> None:
        self._times = times

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        return [[self._one(sequence, options)] for sequence in sequences]

    def _one(self, sequence: TokenIds, options: SearchConfig) -> Hypothesis:
        tokens = np.tile(sequence[::-1], self._times)
        attention = np.full((len(tokens) + 1, len(sequence) + 1), 1 / (len(sequence) + 1), np.float32)
        return Hypothesis(tokens, 0.0, 0.0, finished=True, attention=attention if options.attention else None)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.ENGINES, "toy", ToyEngineConfig)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_model_folder(folder, train(iter(TEXTS * 5), TokenizerConfig(vocabulary_size=310, type="bpe")))
    return folder


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "documents.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS))
    return path


def translate(model: Path, documents: Path, output: Path, *words: str) -> dict[str, Any]:
    options = ["--model", str(model), "--input", str(documents), "--output", str(output), "--engine.kind", "toy"]
    assert main(["translate", *options, *words]) == 0
    return json.loads((output / "output.json").read_bytes())  # type: ignore[no-any-return]


def test_it_translates(model: Path, documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = translate(model, documents, tmp_path / "out")
    assert manifest["configuration"]["engine"] == {"kind": "toy", "times": 1, "cores": 0}
    assert manifest["software"]["pluggy"] == importlib.metadata.version("pluggy")
    assert "torch" not in manifest["software"]
    (output,) = (tmp_path / "out").glob("*.txt")
    written = output.read_text().splitlines()
    assert len(written) == len(TEXTS)
    assert written != TEXTS
    assert main(["inspect", str(tmp_path / "out"), "--verify"]) == 0
    assert "3 records of 3 in 1 units, 0 of them not translated" in capsys.readouterr().out


def test_its_keys_shape_the_output_or_do_not(model: Path, documents: Path, tmp_path: Path) -> None:
    found = [
        translate(model, documents, tmp_path / str(n), *words)["fingerprint"]
        for n, words in enumerate(([], ["--engine.cores", "3"], ["--engine.times", "2"]))
    ]
    assert found[0] == found[1] != found[2]


def test_it_is_told_its_share_of_the_cores(
    model: Path, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "usable_cores", lambda: 7)
    ToyEngineConfig.shares.clear()
    words = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
    manifest = translate(model, documents, tmp_path / "out", "--", *words)
    assert ToyEngineConfig.shares == [3]
    assert manifest["configuration"]["engine"]["cores"] == 0


def test_it_may_be_the_one_that_a_page_asks_for_attention(
    model: Path, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "DEFAULT", ToyEngineConfig())
    page = tmp_path / "page.html"
    files = [word for side in ("sources", "hypotheses", "references") for word in (f"--{side}", str(documents))]
    assert main(["report", "--output", str(page), "--model", str(model), *files]) == 0
    assert "attention" in page.read_text().lower()


def test_its_name_and_keys_stand_in_the_help_and_in_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["translate", "--help"]) == 0
    assert "toy: the input backwards" in " ".join(capsys.readouterr().out.split())
    words = ["--model", "m", "--input", "x", "--output", "o", "--engine.kind", "tory"]
    assert main(["translate", *words]) == 2
    told = capsys.readouterr().err
    names = "'torch', 'ctranslate2', 'auto', 'echo', 'whisper' or 'toy'"
    assert f"engine.kind: there is none of this name, only {names}" in told
