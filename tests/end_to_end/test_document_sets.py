"""Real documents through a model that changes nothing, and through one that says anything: their structure stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.ranges import InputFile, UnitSize
from seq2seq_core.engines.echo import EchoEngine, EchoEngineConfig
from seq2seq_core.engines.torch_engine import TorchEngineConfig
from seq2seq_core.inference.translator import Translator
from seq2seq_core.inference.translator_config import TranslatorConfig, load_translator
from seq2seq_core.inference.unit import DocumentUnit, read_unit, translate_unit
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.segment import SegmentConfig
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train
from tests.conftest import real_data
from tests.small_models import CORPUS, small_model

FIELDS = Fields("text", "translation")
SETS = [("tldr", "markdown", 288), ("gesetze", "markdown", 20), ("books", "plain", 1)]
ALL = [("gesetze", "markdown", 248)]


def documents(folder: str, name: str, most: int) -> Iterator[InputFile]:
    files = sorted(path for path in real_data(f"documents/{folder}").iterdir() if path.suffix in (".md", ".txt"))
    yield from (InputFile(str(path), path.stem, path.suffix, name) for path in files[:most])


def through(file: InputFile, translator: Translator) -> bytes:
    (part,) = format_of(file).count(file, UnitSize(1, 1), FIELDS).ranges
    done = translate_unit(read_unit(DocumentUnit(file, part, 0, 1, ""), FIELDS), translator)
    assert done.failures == []
    return format_of(file).render(file, done.content, done.predictions, FIELDS)


@pytest.fixture(scope="module")
def echo() -> Translator:
    """A model that says what it reads."""
    tokenizer = Tokenizer(train(iter(CORPUS), TokenizerConfig(vocabulary_size=340, type="bpe")))
    keep = NormalizeConfig(unicode="none", whitespace=False)
    segmentation = SegmentConfig(max_segment_pieces=2000, language="de")
    return Translator(EchoEngine(EchoEngineConfig()), tokenizer, tokenizer, SearchConfig(), segmentation, keep)


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    """A model that has learnt nothing."""
    config = TranslatorConfig(
        model=small_model(tmp_path_factory.mktemp("model")),
        engine=TorchEngineConfig(device="cpu"),
        search=SearchConfig(beam=1, max_length_ratio=1.0, max_length_extra=2),
    )
    return load_translator(config)


@pytest.mark.parametrize(
    ("folder", "name", "most"), [*SETS, *(pytest.param(*one, marks=pytest.mark.slow) for one in ALL)]
)
def test_a_model_that_changes_nothing_changes_no_byte(folder: str, name: str, most: int, echo: Translator) -> None:
    for file in documents(folder, name, most):
        assert through(file, echo) == Path(file.url).read_bytes(), file.url


def structure(page: bytes) -> list[str]:
    """All of a page of Markdown that is no text: blocks, code, targets of links, in order."""
    parts: list[str] = []
    for token in MarkdownIt("commonmark").enable("table").parse(page.decode("utf-8")):
        is_kept = token.type in ("fence", "code_block", "html_block")
        parts.append(f"{token.type} {token.markup} {token.content if is_kept else ''}")
        for inner in token.children or ():
            if inner.type in ("code_inline", "html_inline"):
                parts.append(f"{inner.type} {inner.content}")
            elif inner.type == "link_open":
                parts.append(f"link {inner.attrs['href']}")
    return parts


@pytest.mark.parametrize(("folder", "most"), [("tldr", 4), ("gesetze", 1)])
def test_code_and_markup_survive_a_model_that_says_anything(folder: str, most: int, random: Translator) -> None:
    changed = 0
    for file in documents(folder, "markdown", most):
        before, after = Path(file.url).read_bytes(), through(file, random)
        assert structure(after) == structure(before), file.url
        changed += before != after
    assert changed == most
