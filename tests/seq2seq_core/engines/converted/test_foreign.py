"""Models of others say what Hugging Face's `generate()` says, told the languages as their cards have it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from ctranslate2.converters import TransformersConverter

from seq2seq_core import config as configuration
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.converted.cache import CACHE_FOLDER
from seq2seq_core.engines.converted.families import FAMILIES
from seq2seq_core.engines.converted.folder import read_converted
from seq2seq_core.engines.ctranslate2_engine import CTranslate2EngineConfig
from seq2seq_core.engines.interface import Languages, LoadedEngine
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.inference.translator_config import TranslatorConfig, describe_model, load_translator
from tests.small_foreign import TEXTS, SmallForeign, small_foreign

TOKENS = 12
SEARCH = {"max_length_ratio": 1e-6, "max_length_extra": TOKENS}

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Several wait for one another at every step of so small a model, and long on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model of each family, made when it is first asked for."""
    known: dict[str, SmallForeign] = {}

    def make(name: str) -> SmallForeign:
        if name not in known:
            known[name] = small_foreign(name, tmp_path_factory.mktemp(name) / "model")
        return known[name]

    return make


def load(folder: Path, model: SmallForeign, **more: Any) -> tuple[LoadedEngine, Any]:
    prompt = "" if model.languages[1] else model.prefix
    values = {"device": "cpu", "threads": 1, "prompt": prompt, **more}
    loaded = configuration.build(CTranslate2EngineConfig, values).load(str(folder))
    return loaded, loaded.speaking(Languages(*model.languages), "here")[0]


def end(model: SmallForeign) -> int:
    return int(model.tokenizer.eos_token_id)


def pieces(model: SmallForeign, ids: list[int], loaded: LoadedEngine, one: Hypothesis) -> list[str]:
    """Those of an output of the model's; ids that its tokenizer has no name for have one in ours."""
    found = model.tokenizer.convert_ids_to_tokens([i for i in ids if i != end(model)])
    ours = loaded.target_tokenizer.pieces(one.tokens)
    return [ours[place] if _nameless(token, ours[place:]) else token for place, token in enumerate(found)]


def _nameless(token: str | None, ours: list[str]) -> bool:
    return bool(ours) and (token is None or ours[0].startswith("<nothing_"))


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_outputs_are_those_of_generate(made: Any, name: str) -> None:
    model = made(name)
    loaded, engine = load(model.folder, model)
    assert read_converted(str(next((model.folder / CACHE_FOLDER).iterdir()))).family.name == name
    found = engine.generate(loaded.source_tokenizer.encode(TEXTS), SearchConfig(beam=1, **SEARCH))
    expected = model.ids(TEXTS, TOKENS)
    for text, (one,), ids in zip(TEXTS, found, expected, strict=True):
        assert loaded.target_tokenizer.pieces(one.tokens) == pieces(model, ids, loaded, one)
        assert one.finished == (ids[-1] == end(model))
        assert one.log_probability == pytest.approx(model.scores(text, ids), rel=1e-3, abs=5e-3)
        assert one.score == pytest.approx(one.log_probability / len(ids))
    texts = loaded.target_tokenizer.decode([one.tokens for (one,) in found])
    languages = set(FAMILIES[name].languages(model.tokenizer.get_vocab()).values())
    languages |= set(getattr(model.tokenizer, "lang_token_to_id", {}))
    kept = [[i for i in ids if model.tokenizer.convert_ids_to_tokens(i) not in languages] for ids in expected]
    assert texts == [model.tokenizer.decode(ids, skip_special_tokens=True) for ids in kept]
    assert len(set(texts)) > 1


@pytest.mark.parametrize("name", ["nllb", "t5", "mbart"])
def test_attention_is_over_the_pieces_of_the_text_and_its_end(made: Any, name: str) -> None:
    """Not over what tells the model the language, or what to do, which stands before the text or behind it."""
    model = made(name)
    loaded, engine = load(model.folder, model)
    sources = loaded.source_tokenizer.encode(TEXTS)
    found = engine.generate(sources, SearchConfig(beam=1, attention=True, alignment=True, **SEARCH))
    for text, source, ids, (one,) in zip(TEXTS, sources, model.ids(TEXTS, TOKENS), found, strict=True):
        read = model.attention(text, ids).numpy()
        own = read[:, :-1] if name == "mbart" else read[:, -1 - len(source) :]
        assert one.attention.shape == own.shape == (len(one.tokens) + one.finished, len(source) + 1)
        assert one.attention == pytest.approx(own, abs=5e-3)  # a head of chance makes much of the last digits
        assert one.alignment.tolist() == one.attention[: len(one.tokens)].argmax(1).tolist()


@pytest.mark.parametrize("name", ["marian_pair", "nllb", "t5"])
def test_beams_are_those_of_generate(made: Any, name: str) -> None:
    model = made(name)
    loaded, engine = load(model.folder, model)
    found = engine.generate(loaded.source_tokenizer.encode(TEXTS), SearchConfig(beam=3, **SEARCH))
    expected = model.ids(TEXTS, TOKENS, num_beams=3, early_stopping=True)
    same = [
        one.log_probability == pytest.approx(model.scores(text, ids), rel=1e-3, abs=5e-3)
        for text, (one,), ids in zip(TEXTS, found, expected, strict=True)
        if loaded.target_tokenizer.pieces(one.tokens) == pieces(model, ids, loaded, one)
    ]
    assert len(same) >= 2
    assert all(same)


@pytest.mark.parametrize("name", ["m2m100", "mbart", "madlad", "bart", "pegasus", "marian"])
def test_a_folder_that_others_converted_is_understood_by_its_vocabulary(made: Any, name: str, tmp_path: Path) -> None:
    """What its converter leaves behind, and the tokenizer beside it."""
    model = made(name)
    (converted,) = (
        (model.folder / CACHE_FOLDER).glob("*-float32-*") if (model.folder / CACHE_FOLDER).exists() else [None]
    )
    if converted is None:
        load(model.folder, model)
        (converted,) = (model.folder / CACHE_FOLDER).glob("*-float32-*")
    folder = tmp_path / "converted"
    shutil.copytree(converted, folder, ignore=shutil.ignore_patterns("seq2seq.json"))
    assert read_converted(str(folder)).family.name == name
    loaded, engine = load(folder, model)
    found = engine.generate(loaded.source_tokenizer.encode(TEXTS[:2]), SearchConfig(beam=1, **SEARCH))
    for (one,), ids in zip(found, model.ids(TEXTS[:2], TOKENS), strict=True):
        assert loaded.target_tokenizer.pieces(one.tokens) == pieces(model, ids, loaded, one)
    description = CTranslate2EngineConfig().describe(str(folder))
    assert description.digest == loaded.model_digest
    assert description.lineage is None


def test_what_ctranslate2s_own_converter_writes_runs(made: Any, tmp_path: Path) -> None:
    model = made("t5")
    folder = tmp_path / "converted"
    TransformersConverter(str(model.folder), copy_files=["tokenizer.json"]).convert(str(folder), quantization="int8")
    loaded, engine = load(folder, model)
    assert read_converted(str(folder)).family.name == "t5"
    assert engine.generate(loaded.source_tokenizer.encode(TEXTS), SearchConfig(beam=2))[0][0].tokens.size
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="has no tokenizer"):
        load(folder, model)


def test_languages_are_asked_for_and_known(made: Any) -> None:
    model = made("nllb")
    loaded, _ = load(model.folder, model)
    for languages, problem in (
        (Languages("eng_Latn", None), r"has to be told the language; found no target_language; expected one of"),
        (Languages(None, "deu_Latn"), "no source_language"),
        (Languages("eng_Latn", "xyz_Latn"), "no tag for this language; found target_language xyz_Latn"),
        (Languages("eng_Latn", "zho"), "no tag for this language; found target_language zho; expected one of zho_Han"),
    ):
        with pytest.raises(ConfigError, match=problem):
            loaded.speaking(languages, "here")


def test_texts_go_through_translate(made: Any) -> None:
    model = made("madlad")
    values = {"model": str(model.folder), "target_language": "de", "search": {"beam": 1, **SEARCH}}
    config = configuration.build(TranslatorConfig, {**values, "engine": {"kind": "ctranslate2", "device": "cpu"}})
    expected = [
        model.tokenizer.decode([i for i in ids if i != end(model)], skip_special_tokens=True)
        for ids in model.ids(TEXTS[:2], TOKENS)
    ]
    translated = load_translator(config, describe_model(config).digest).translate([*TEXTS[:2], " ", None])
    assert [one.text for one in translated[:2]] == expected
    assert translated[2].text == " "
    usual = configuration.build(TranslatorConfig, values)
    with pytest.raises(ModelError, match=r"for another engine; .*Say --engine\.kind ctranslate2"):
        describe_model(usual)
    auto = configuration.build(TranslatorConfig, {**values, "engine": {"kind": "auto"}})
    assert auto.resolved.engine == CTranslate2EngineConfig()


def test_weights_that_may_run_programs_are_not_read(made: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("pegasus").folder, folder, ignore=shutil.ignore_patterns(CACHE_FOLDER))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"not in safetensors.*may hold a program; found pytorch_model\.bin"):
        CTranslate2EngineConfig().describe(str(folder))


def test_a_damaged_model_is_told(made: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("pegasus").folder, folder, ignore=shutil.ignore_patterns(CACHE_FOLDER))
    (folder / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match="cannot be converted"):
        CTranslate2EngineConfig().describe(str(folder))
    assert not (folder / CACHE_FOLDER).exists()


def test_another_content_is_another_model(made: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("pegasus").folder, folder, ignore=shutil.ignore_patterns(CACHE_FOLDER))
    before = CTranslate2EngineConfig().describe(str(folder)).digest
    (folder / "README.md").write_text("about")
    assert CTranslate2EngineConfig().describe(str(folder)).digest == before
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**config, "num_beams": 7}))
    assert CTranslate2EngineConfig().describe(str(folder)).digest != before
