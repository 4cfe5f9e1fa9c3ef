"""A name, or a name with settings, means a modality; it is written as short as it can be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, DatasetError
from seq2seq_core.modalities.audio import Audio
from seq2seq_core.modalities.table import modality_of
from seq2seq_core.modalities.text import Text
from seq2seq_core.preparation.terms.recipe import Recipe


def read(*words: str, file: str | None = None) -> Recipe:
    return configuration.load(Recipe, file, configuration.parse_overrides(Recipe, words))


def test_a_name_alone_means_the_defaults() -> None:
    assert read().source_modality == Text()
    assert read("--source_modality", "text").source_modality == Text()
    assert read("--source_modality", "audio").source_modality == Audio()
    assert read("--source_modality", "{kind: audio, rate: 8000}").source_modality == Audio(rate=8000)


def test_settings_stand_beside_the_name(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    for text in ("source_modality: audio", "source_modality: {kind: audio, mels: 40}"):
        file.write_text(text)
        found = read("--source_modality.rate", "8000", file=str(file)).source_modality
        assert found == Audio(rate=8000, mels=40 if "mels" in text else 80)
    words = ["--source_modality.rate", "8000", "--source_modality", "audio"]
    assert read(*words).source_modality == Audio(rate=8000)
    assert read(*words[:2]).source_modality == Audio(rate=8000)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--source_modality", "smell"], "source_modality.kind: there is none of this name"),
        (["--source_modality", "text", "--source_modality.rate", "8000"], "unknown key 'source_modality.rate'"),
        (["--source_modality", "audio", "--source_modality.rat", "8000"], "Did you mean source_modality.rate?"),
        (["--source_modality", "audio", "--source_modality.rate", "no"], "source_modality.rate"),
        (["--source_modality"], "value is missing"),
    ],
)
def test_what_no_modality_has_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(*words)
    assert message in str(caught.value)


def test_it_is_written_by_its_name_where_it_has_no_settings() -> None:
    assert (Text().described, Recipe().model_dump(mode="json")["source_modality"]) == ("text", "text")
    described = Audio(rate=8000).described
    assert isinstance(described, dict)
    assert (described["kind"], described["rate"]) == ("audio", 8000)
    assert modality_of(json.loads(json.dumps(described))) == Audio(rate=8000)
    recipe = Recipe(source_modality=Audio(rate=8000))
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_settings_of_another_version_are_told() -> None:
    with pytest.raises(DatasetError, match=r"no such settings of the modality audio; found .*colour"):
        modality_of({"kind": "audio", "colour": "red"})
