from __future__ import annotations

from dataclasses import replace

import pytest

from seq2seq_core.errors import ConfigError
from seq2seq_core.options import Key, neighbour, read_options, take_config_file


def key(name: str, **kinds: bool) -> Key:
    of_kind = {"is_list": False, "is_text": False, "is_switch": False, **kinds}
    return Key(name, "int", "0", "", **of_kind)


KNOWN = {
    known.name: known
    for known in (
        key("count"),
        key("name", is_text=True),
        key("files", is_list=True, is_text=True),
        key("betas", is_list=True),
        key("flag", is_switch=True),
        key("inner.a"),
        key("inner.b", is_text=True),
    )
}


def test_words_become_values() -> None:
    words = ["--count", "3", "--name", "no", "--files", "a", "[b", "--flag", "--inner.a=-1", "--inner.b", "null"]
    assert read_options([*words, "--betas", "0.5", "1"], KNOWN) == {
        "count": 3,
        "name": "no",
        "files": ["a", "[b"],
        "flag": True,
        "inner.a": -1,
        "inner.b": None,
        "betas": [0.5, 1],
    }
    assert read_options(["--files", "[a, 1]", "--inner", "{a: 1}", "--name="], KNOWN) == {
        "files": ["a", 1],
        "inner": {"a": 1},
        "name": "",
    }
    assert read_options(["--files", "[data]/x.tsv"], KNOWN) == {"files": ["[data]/x.tsv"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count"], "--count: its value is missing; expected int"),
        (["--count", "--flag"], "--count: its value is missing"),
        (["--name"], "--name: its value is missing"),
        (["--files"], r"--files: its value is missing; expected int. Write \[\] for an empty list"),
        (["--count="], r"--count: its value is missing \(is a variable unset\?\)"),
        (["--count", ""], r"--count: its value is missing \(is a variable unset\?\)"),
        (["--count", " # 3"], "--count: its value is missing"),
        (["--betas", "1", ""], "--betas: its value is missing"),
        (["--count", "3", "--count", "4"], "--count stands twice; found 3 and 4. Leave one out"),
        (["--flag", "--flag", "no"], "--flag stands twice; found no value and no"),
        (["--files", "a", "b", "--files=c"], "--files stands twice; found a b and c. Give all words of a list behind"),
        (["--inner.a", "1", "--inner", "{b: x}"], "--inner and --inner.a set the same key"),
        (["--inner", "{b: x}", "--inner.a", "1"], "--inner and --inner.a set the same key"),
        (["--count", "[1"], "--count: the configuration is not valid YAML"),
        (["--count", "&a [*a]"], "--count: .*nested too deeply"),
        (["--", "x"], "unknown option --"),
        (["--=x"], "unknown option --"),
    ],
)
def test_mistakes_are_named(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_options(words, KNOWN)


def test_the_configuration_file_is_taken_out() -> None:
    assert take_config_file(["--config", "f.yaml", "--count", "2"]) == ("f.yaml", ["--count", "2"])
    assert take_config_file(["--count", "2", "--config=f.yaml"]) == ("f.yaml", ["--count", "2"])
    assert take_config_file(["--count", "2"]) == (None, ["--count", "2"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config"], "--config needs a file; found nothing"),
        (["--config", "--count", "2"], "--config needs a file; found --count"),
        (["--config", ""], r"--config: an empty path \(is a variable unset\?\)"),
        (["--config="], r"--config: an empty path \(is a variable unset\?\)"),
        (["--config", " "], r"--config: an empty path \(is a variable unset\?\)"),
        (["--config", "a", "--config=b"], "--config stands twice; found a and b"),
    ],
)
def test_a_configuration_file_stands_once_and_has_a_name(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        take_config_file(words)


def test_a_key_in_a_list_stands_behind_its_place() -> None:
    known = {"corpora": replace(key("corpora", is_list=True), inside={"path": key("path", is_text=True)})}
    assert read_options(["--corpora.0.path", "1", "--corpora.12.path=b"], known) == {
        "corpora.0.path": "1",
        "corpora.12.path": "b",
    }
    with pytest.raises(ConfigError, match=r"unknown option --corpora\.3\.pth. Did you mean corpora\.3\.path\?"):
        read_options(["--corpora.3.pth", "a"], known)
    with pytest.raises(ConfigError, match=r"unknown option --path. Did you mean corpora\.0\.path\?"):
        read_options(["--path", "a"], known)
    with pytest.raises(ConfigError, match=r"--corpora and --corpora\.0\.path set the same key"):
        read_options(["--corpora", "{path: a}", "--corpora.0.path", "b"], known)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("sorce", "Did you mean source?"),
        ("weight", "Did you mean valid.weight or test.weight?"),  # one alone would be of another meaning
        ("tests.weight", "Did you mean test.weight?"),
        ("test_weight", "Did you mean test.weight?"),
        ("optimiser.rate", "Did you mean optimizer.rate?"),
        ("rate", "Did you mean optimizer.rate?"),
        ("bogus", "--help lists all keys."),
    ],
)
def test_a_name_of_another_meaning_is_never_proposed_alone(name: str, advice: str) -> None:
    others = [f"other{number}.z{number}" for number in range(12)]
    assert neighbour(name, ["source", "valid.weight", "test.weight", "optimizer.rate", *others]) == advice


def test_few_names_are_all_told() -> None:
    assert neighbour("x", ["b", "a"]) == "Valid keys: a, b."
