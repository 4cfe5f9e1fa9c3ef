from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from seq2seq_core import config as configuration
from seq2seq_core.config import Config
from seq2seq_core.errors import ConfigError


class Small(Config):
    kind: Literal["small"] = "small"
    width: int = Field(8, ge=1, description="how wide")


class Large(Config):
    kind: Literal["large"] = "large"
    depth: int = 3


class Inner(Config):
    learning_rate: float = 0.1
    betas: tuple[float, float] = (0.9, 0.98)


class Outer(Config):
    name: str
    files: tuple[str, ...] = ()
    strict: bool = False
    limit: int | None = None
    inner: Inner = Inner()
    model: Annotated[Small | Large, Field(discriminator="kind")] = Small(width=9)
    corpora: tuple[Small, ...] = ()

    @model_validator(mode="after")
    def _limit_is_even(self) -> Outer:
        if self.limit is not None and self.limit % 2:
            raise ValueError(f"limit ({self.limit}) must be even")
        return self


def load(*arguments: str, path: Path | None = None) -> Outer:
    return configuration.load(Outer, str(path) if path else None, configuration.parse_overrides(Outer, arguments))


def test_defaults_file_and_options_in_that_order(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("name: file\ninner: {learning_rate: 1e-3}\nlimit: 4\n")
    config = load("--limit", "6", "--inner.betas", "0.5", "0.6", path=file)
    assert (config.name, config.limit, config.inner.learning_rate, config.inner.betas) == ("file", 6, 0.001, (0.5, 0.6))
    assert config.strict is False


def test_words_are_yaml_and_dashes_are_underscores() -> None:
    config = load("--name=x", "--strict", "--files", "a b", "c", "--inner.learning-rate", "3e-4")
    assert (config.strict, config.files, config.inner.learning_rate) == (True, ("a b", "c"), 3e-4)
    assert load("--name", "x", "--limit", "null").limit is None
    assert load("--name", "no", "--files", "1.10", "on").files == ("1.10", "on")
    assert load("--name", "x", "--files", "[a, b]").files == ("a", "b")


def test_one_word_for_a_list_is_a_list_of_one() -> None:
    assert load("--name", "x", "--files", "a").files == ("a",)


def test_a_union_is_chosen_by_its_tag_and_lists_the_keys_of_all_arms() -> None:
    config = load("--name", "x", "--model.kind", "large", "--model.depth", "5")
    assert config.model == Large(depth=5)
    found = {key.name: key for key in configuration.keys(Outer)}
    names = list(found)
    assert (found["model.kind"].type_name, found["model.kind"].default) == ("small | large", "small")
    assert (found["model.width"].default, found["model.depth"].default) == ("9", "3")
    assert names[:3] == ["name", "files", "strict"]
    assert {"model.kind", "model.width", "model.depth", "inner.learning_rate"} <= set(names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nam", "x"], "unknown option --nam. Did you mean name?"),
        (["--name", "x", "--learning_rate", "1"], "Did you mean inner.learning_rate?"),
        (["--name", "x", "--limit", "many"], "limit: .*valid integer.*found 'many'"),
        (["--name", "x", "--limit", "3"], r"limit \(3\) must be even"),
        (["--limit", "4"], "name is missing.*--name"),
        (["--name", "a", "b"], "--name takes one value; found a b"),
        (["--name", "x", "--inner"], "inner: keys of its own are needed here, not a plain value; found True"),
        (["stray"], "unexpected argument 'stray'"),
        (["--name", "x", "--name.deeper", "1"], "unknown option --name.deeper"),
    ],
)
def test_mistakes_on_the_command_line(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(*arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nlimt: 3", "unknown key 'limt'.*Did you mean limit?"),
        ("name: x\ninner: {learnin_rate: 3}", "unknown key 'inner.learnin_rate'.*Did you mean inner.learning_rate?"),
        ("name: x\nmodel: {kind: large, dpth: 3}", "Did you mean model.depth?"),
        ("name: x\ncorpora: [{widht: 3}]", "Did you mean corpora.0.width?"),
        ("- a", "found list; expected a mapping"),
        ("nmae: x", "unknown key 'nmae'.*Did you mean name?"),
        ("name: x\nname: y", "the key 'name' stands twice"),
        ("a: [", "not valid YAML"),
    ],
)
def test_mistakes_in_the_file_name_it(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load(path=file)
    assert str(file) in str(caught.value)


def test_environment_variables_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("name: ${A_NAME}/x\nfiles: ['${NO_SUCH_NAME:-b}$c']")
    monkeypatch.setenv("A_NAME", "a")
    assert (load(path=file).name, load(path=file).files) == ("a/x", ("b$c",))
    monkeypatch.delenv("A_NAME")
    with pytest.raises(ConfigError, match=r"A_NAME is not set. export A_NAME="):
        load(path=file)


def test_the_file_may_be_a_pipe() -> None:
    read, write = os.pipe()
    os.write(write, b"name: x")
    os.close(write)
    assert load(path=Path(f"/dev/fd/{read}")).name == "x"
    os.close(read)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: .*nowhere.yaml: no such file"):
        load(path=tmp_path / "nowhere.yaml")


def test_the_resolved_configuration_reads_back(tmp_path: Path) -> None:
    config = load("--name", "ü: x", "--files", "a", "--model.kind", "large")
    file = tmp_path / "resolved.yaml"
    file.write_text(configuration.to_yaml(config))
    assert load(path=file) == config


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load("--name", "x").name = "y"


class Located(Config):
    output: str
    corpora: tuple[dict[str, str], ...] = ()
    shards: int = 1


def test_what_goes_into_a_manifest_has_no_password_and_no_key_that_is_left_out() -> None:
    corpora = [{"path": "s3://key:secret@bucket/x.tsv"}, {"source": "ftp://user:secret@host/a.en", "target": "b.de"}]
    located = configuration.build(Located, {"corpora": corpora, "shards": 3, "output": "/somewhere"})
    assert configuration.redacted(located, without={"output"}) == {
        "corpora": [{"path": "s3://bucket/x.tsv"}, {"source": "ftp://host/a.en", "target": "b.de"}],
        "shards": 3,
    }
