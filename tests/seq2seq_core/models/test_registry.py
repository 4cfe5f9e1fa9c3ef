from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field

from seq2seq_core.config import Config, build, keys, parse_overrides
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Symbols
from seq2seq_core.models.registry import FAMILIES, AnyArchitecture, build_model
from seq2seq_core.models.rnn import RnnConfig, RnnSeq2Seq
from seq2seq_core.models.transformer import Transformer, TransformerConfig
from seq2seq_core.training.config import TrainConfig


class Holder(Config):
    architecture: AnyArchitecture = TransformerConfig()


@pytest.mark.parametrize(("family", "kind"), [("rnn", RnnSeq2Seq), ("transformer", Transformer)])
def test_the_family_chooses_the_model(family: str, kind: type) -> None:
    architecture = build(Holder, {"architecture": {"family": family, "width": 8}}).architecture
    model = build_model(architecture, Symbols(11), 13)
    assert isinstance(model, kind)
    assert model.training
    assert model.embeddings.target.num_embeddings == 13
    assert model.embeddings.source.num_embeddings == 11


class NarrowConfig(RnnConfig):
    """A family that is a class of its own, and a word in the table."""

    family: Literal["narrow"] = Field("narrow", description="narrow: a thin one")  # type: ignore[assignment]
    width: int = 4


def test_a_family_is_a_file_and_a_word_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "narrow", NarrowConfig)
    values = {"dataset": "d", "output": "o", "model": {"family": "narrow", "cell": "gru"}}
    architecture = build(TrainConfig, values).model
    assert architecture == NarrowConfig(cell="gru")
    assert isinstance(build_model(architecture, Symbols(11), 11), RnnSeq2Seq)
    assert "narrow: a thin one" in next(key.description for key in keys(TrainConfig) if key.name == "model.family")


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"architecture\.family: .* only 'rnn', 'speech' or 'transformer'; found 'conv'"
    ):
        build(Holder, {"architecture": {"family": "conv"}})


def test_a_key_of_the_other_family_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'architecture.rnn.heads'|heads"):
        build(Holder, {"architecture": {"family": "rnn", "heads": 2}})


def test_every_key_has_a_description_and_can_be_overridden() -> None:
    assert all(key.description for key in keys(Holder))
    overrides = parse_overrides(Holder, ["--architecture.family", "rnn", "--architecture.cell", "gru"])
    assert overrides == {"architecture.family": "rnn", "architecture.cell": "gru"}


@pytest.mark.parametrize("family", [RnnConfig, TransformerConfig])
def test_vocabularies_of_two_sizes_are_not_tied(family: type[RnnConfig | TransformerConfig]) -> None:
    with pytest.raises(ConfigError, match="11 source and 13 target"):
        build_model(family(width=8, tie_embeddings="all"), Symbols(11), 13)
