"""What a record says its own translation begins with: whatever stands beside it, on every engine that can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import config as configuration
from seq2seq_core.engines.interface import Engine
from seq2seq_core.errors import ConfigError
from seq2seq_core.inference.translator import Translator
from seq2seq_core.inference.translator_config import TranslatorConfig, load_translator
from tests.small_models import small_model

TEXT = "a small cat sat. the dog ran fast! one, two and three?"
SEARCH = {"beam": 3, "max_length_ratio": 1.0, "max_length_extra": 8}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


def translator(root: str, kind: str = "torch", **more: Any) -> Translator:
    values = {"model": root, "search": SEARCH, "engine": {"kind": kind, "device": "cpu", "threads": 1}}
    return load_translator(configuration.build(TranslatorConfig, values | more))


def texts_of(made: Translator, texts: list[str], prefixes: list[str]) -> list[str]:
    return [found.text for found in made.translate(texts, prefixes=prefixes)]


@pytest.mark.parametrize("kind", ["torch", "ctranslate2"])
def test_each_begins_with_its_own_and_others_are_what_they_were(root: str, kind: str) -> None:
    made = translator(root, kind)
    plain, first, second, other = texts_of(made, [TEXT] * 3 + ["the dog"], ["", "ein Hund", "Fünf Bücher", ""])
    assert first.startswith("ein Hund")
    assert second.startswith("Fünf Bücher")
    assert [plain, other] == texts_of(made, [TEXT, "the dog"], [])


def test_it_stands_behind_the_one_of_all_and_in_the_first_segment_alone(root: str) -> None:
    segments = {"mode": "document", "language": "en"}
    made = translator(root, demands={"prefix": "ein"}, segmentation=segments)
    (found,) = made.translate(["the dog ran fast!\none, two and three?"], prefixes=["Hund"])
    assert found.segments == 2
    first, second = found.text.split("\n")
    assert first.startswith("ein Hund")
    assert second.startswith("ein")
    assert not second.startswith("ein Hund")


def test_what_never_reaches_the_model_has_none(root: str) -> None:
    assert texts_of(translator(root), ["12", " ", "12\nthe dog"], ["Hund"] * 3)[:2] == ["12", " "]


def test_a_second_pass_keeps_it(root: str) -> None:
    short = SEARCH | {"max_length_ratio": 0.2}
    long, brief = (translator(root, search=how).translate([TEXT], prefixes=["Hund"])[0] for how in (SEARCH, short))
    assert len(brief.text) < len(long.text)
    flag = {"max_length_ratio": (len(brief.text) + 1) / len(TEXT), "second": {"search": short}}
    (found,) = translator(root, flag=flag).translate([TEXT], prefixes=["Hund"])
    assert (found.second, found.text) == (1, brief.text)
    assert found.text.startswith("Hund")


def test_a_memory_tells_them_apart_and_knows_them_again(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = translator(root, memory={"url": str(tmp_path)})
    first = made.translate([TEXT] * 3, prefixes=["", "Hund", "Fünf"])
    assert len({found.text for found in first}) == 3
    assert [translator(root).translate([TEXT], prefixes=[p])[0].text for p in ("", "Hund", "Fünf")] == [
        found.text for found in first
    ]

    def never(self: Engine, *args: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr("seq2seq_core.engines.torch_engine.TorchEngine.generate", never)
    assert made.translate([TEXT] * 3, prefixes=["", "Hund", "Fünf"]) == first


def test_parts_that_are_summed_up_again_begin_with_it(root: str) -> None:
    segments = {"mode": "whole", "parts": "combine", "max_segment_pieces": 12}
    made = translator(root, segmentation=segments, search=SEARCH | {"max_length_ratio": 0.01, "max_length_extra": 4})
    (found,) = made.translate([TEXT], prefixes=["Hund"])
    assert found.segments > 1
    assert found.text.startswith("Hund")


@pytest.mark.parametrize("demands", [{"prefix": "so"}, {"prefix_field": "so"}])
def test_an_engine_that_cannot_is_told_before_any_work(root: str, demands: dict[str, str]) -> None:
    values: dict[str, Any] = {"model": root, "engine": {"kind": "echo"}, "demands": demands}
    with pytest.raises(ConfigError, match=rf"demands\.{min(demands)}: .*engine\.kind echo.*--engine\.kind torch"):
        _ = configuration.build(TranslatorConfig, values).resolved
    auto = configuration.build(TranslatorConfig, values | {"engine": {"kind": "auto"}}).resolved
    assert auto.engine.kind == "ctranslate2"
