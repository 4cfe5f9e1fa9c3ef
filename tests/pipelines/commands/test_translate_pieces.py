"""`translate --include token_scores alignment attention`: what a model says of each piece, in every format of rows."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.commands import translate as command
from pipelines.commands.translate import TranslateConfig
from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.inference.answering import answer
from seq2seq_core.inference.translator_config import load_translator
from tests.small_models import small_model

ROWS = ["a small cat sat. the dog ran fast!", "12", "", "one, two and three?"]
NAMES = ["token_scores", "alignment", "attention"]
SEARCH = {"beam": 2, "max_length_ratio": 1.0, "max_length_extra": 4, **dict.fromkeys(NAMES, True)}
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in ROWS))
    return tmp_path / "a.jsonl"


def config(root: str, inputs: Path, output: Path, kind: str = "torch", **more: Any) -> TranslateConfig:
    values = {"model": root, "input": [str(inputs)], "output": str(output), "include": NAMES, "search": SEARCH}
    values |= {"engine": {"kind": kind} | ({} if kind == "echo" else {"device": "cpu", "threads": 1})}
    values |= {"segmentation": {"mode": "document", "language": "en"}}
    return configuration.build(TranslateConfig, values | more)


def translate(root: str, inputs: Path, output: Path, kind: str = "torch", **more: Any) -> Path:
    job = command.make_job(config(root, inputs, output, kind, **more))
    list(answer(job, load_translator(job.translator)))
    (path,) = [path for path in output.glob("a*") if path.is_file()]
    return path


def added(path: Path) -> dict[str, list[Any]]:
    rows: Rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {name: [row[f"translation_{name}"] for row in rows] for name in NAMES}


def check(found: dict[str, list[Any]]) -> None:
    assert [[len(some) for some in found[name]] for name in NAMES] == [[2, 0, 0, 1]] * 3
    for scores, alignment, attention in zip(*(chain(*found[name]) for name in NAMES), strict=True):
        target, source = attention["target"], attention["source"]
        assert scores["target"] == alignment["target"] == target
        assert alignment["source"] == source
        assert source[-1] == "</s>"
        assert len(scores["scores"]) == len(alignment["positions"]) == len(attention["weights"]) == len(target)
        assert all(score <= 0 for score in scores["scores"])
        for place, weights in zip(alignment["positions"], attention["weights"], strict=True):
            assert len(weights) == len(source)
            assert sum(weights) == pytest.approx(1, abs=1e-4)
            assert weights[place] == max(weights)


def close(some: Any, others: Any) -> bool:
    """Whether all is the same, numbers up to what engines differ by."""
    if isinstance(some, dict):
        return bool(some.keys() == others.keys() and all(close(some[key], others[key]) for key in some))
    if isinstance(some, list):
        return len(some) == len(others) and all(map(close, some, others))
    return bool(others == (pytest.approx(some, abs=2e-4) if isinstance(some, float) else some))


def test_rows_tell_of_each_piece_and_engines_tell_the_same(root: str, inputs: Path, tmp_path: Path) -> None:
    greedy = {"search": SEARCH | {"beam": 1, "lookahead": 2}}
    found = added(translate(root, inputs, tmp_path / "torch", **greedy))
    check(found)
    other = added(translate(root, inputs, tmp_path / "ctranslate2", "ctranslate2", **greedy))
    check(other)
    assert close(found, other)
    table = pq.read_table(translate(root, inputs, tmp_path / "rows", **greedy, output_format="parquet"))
    assert close({name: table.column(f"translation_{name}").to_pylist() for name in NAMES}, found)


def test_the_scores_of_pieces_are_shares_of_the_score(root: str, inputs: Path, tmp_path: Path) -> None:
    more = {"include": ["token_scores", "score"], "search": {"token_scores": True, "max_length_ratio": 1.0}}
    path = translate(root, inputs, tmp_path / "out", segmentation={"mode": "line"}, **more)
    row = json.loads(path.read_text().splitlines()[0])
    (pieces,) = row["translation_token_scores"]
    end = row["translation_score"] * (len(pieces["scores"]) + 1) - sum(pieces["scores"])
    assert -10 < end < 1e-4
    assert "".join(pieces["target"]).replace("\u2581", " ").strip() == row["translation"]


def test_what_comes_from_another_model_has_its_pieces(root: str, echo_model: str, inputs: Path, tmp_path: Path) -> None:
    second = {"model": echo_model, "engine": {"kind": "echo"}, "search": dict.fromkeys(NAMES, True)}
    flag = {"min_length_ratio": 0.99, "max_length_ratio": 1.0, "second": second}
    path = translate(root, inputs, tmp_path / "out", flag=flag)
    found = added(path)
    check(found)
    for row in found["alignment"][0]:
        assert row["source"][:-1] == row["target"]


def test_they_are_kept_with_records_that_failed_beside_them(echo_model: str, inputs: Path, tmp_path: Path) -> None:
    inputs.write_text('{"text": "one two"}\n{"text": 3}\n')
    for retry in (False, True):
        found = added(translate(echo_model, inputs, tmp_path / "out", "echo", retry_failures=retry))
        assert [value is None for value in found["attention"]] == [False, True]
        assert found["token_scores"][0][0]["scores"] == [0.0] * len(found["token_scores"][0][0]["target"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"include": ["alignment"], "search": {}}, r"include names alignment, .* set search\.alignment"),
        ({"include": [], "search": {"attention": True}}, r"search\.attention is true, .* add attention"),
        ({"include": ["token_scores"]}, r"search\.alignment is true, .* add alignment"),
        ({"flag": {"second": {}}}, r"set flag\.second\.search\.token_scores"),
        ({"include": [], "search": {"align": True}}, r"search\.align is true, but no output format keeps it"),
    ],
)
def test_what_is_asked_for_and_what_is_kept_are_the_same(
    root: str, inputs: Path, tmp_path: Path, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(root, inputs, tmp_path / "out", **more)


def test_lines_have_no_place_for_them(echo_model: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    with pytest.raises(ConfigError, match="no place for more fields: text"):
        command.make_job(config(echo_model, tmp_path / "a.txt", tmp_path / "out", "echo"))
