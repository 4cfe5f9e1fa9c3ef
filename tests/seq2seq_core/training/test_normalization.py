"""Settings of corpora that agree reach inference; where they differ, one choice is asked for, and checked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.errors import ConfigError
from seq2seq_core.preparation.planning.corpus_settings import resolve
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.normalization import agreed_normalization

OWN = st.fixed_dictionaries(
    {},
    optional={
        "unicode": st.sampled_from(["nfkc", "nfc", "none"]),
        "accents": st.booleans(),
        "mojibake": st.booleans(),
        "case": st.sampled_from(["lower", "none"]),
        "transcript": st.sampled_from([None, "en", "tr"]),
    },
)


def prepared(run: dict[str, Any], *corpora: dict[str, Any]) -> dict[str, Any]:
    return {"normalize": NormalizeConfig.model_validate(run).model_dump(), "corpora": list(corpora)}


@given(run=OWN, corpora=st.lists(st.none() | OWN, max_size=4))
def test_inference_does_what_preparation_did_to_every_corpus_or_nothing_is_trained(
    run: dict[str, Any], corpora: list[dict[str, Any] | None]
) -> None:
    recipe = Recipe(normalize=NormalizeConfig.model_validate(run))
    configs = [CorpusConfig(source="a", target="b", normalize=own) for own in corpora]
    done = [resolve(config, "train", "c", recipe).normalize for config in configs] or [recipe.normalize]
    values = prepared(run, *(config.model_dump(mode="json") for config in configs))
    if all(one == done[0] for one in done):
        assert agreed_normalization(values, None) == done[0]
    else:
        with pytest.raises(ConfigError, match="normalised in different ways"):
            agreed_normalization(values, None)
    for one in done:
        assert agreed_normalization(values, one) == one


def test_a_difference_is_told_by_key_and_corpus() -> None:
    values = prepared(
        {"unicode": "nfc"}, {"name": "news"}, {"name": "web", "normalize": {"accents": True}}, {"path": "c"}
    )
    with pytest.raises(ConfigError) as told:
        agreed_normalization(values, None)
    assert "found accents: false (news, corpora.2), true (web); expected" in str(told.value)
    assert str(told.value).endswith("Choose, for instance --normalize.unicode nfc --normalize.accents false.")


def test_the_advice_is_a_choice_that_is_taken() -> None:
    values = prepared({"unicode": "nfc", "quotes": True}, {"normalize": {"transcript": "tr"}}, {})
    values["corpora"].reverse()  # the advice is what is first: nothing
    with pytest.raises(ConfigError) as told:
        agreed_normalization(values, None)
    words = str(told.value.advice).removeprefix("Choose, for instance ").removesuffix(".").split()
    options = configuration.parse_overrides(TrainConfig, words)
    chosen = configuration.load(TrainConfig, None, {"dataset": "d", "output": "o", **options}).normalize
    assert agreed_normalization(values, chosen) == NormalizeConfig(unicode="nfc", quotes=True)


def test_two_corpora_of_one_name_are_two() -> None:
    values = prepared({}, {"name": "web"}, {"name": "web", "normalize": {"case": "lower"}})
    with pytest.raises(ConfigError, match=r"case: none \(web\), lower \(corpora.1\)"):
        agreed_normalization(values, None)


@pytest.mark.parametrize("alone", [{"text": "t"}, {"path": "p", "text_field": "body"}])
def test_text_alone_has_no_source_to_be_treated_alike(alone: dict[str, Any]) -> None:
    lower = {"normalize": {"case": "lower"}}
    assert agreed_normalization(prepared({}, {"source": "a"}, alone | lower), None) == NormalizeConfig()
    with pytest.raises(ConfigError, match="different ways"):
        agreed_normalization(prepared({}, {"source": "a"}, alone | lower | {"prompt_words": 3}), None)


@pytest.mark.parametrize(
    ("corpora", "chosen", "message"),
    [
        (
            [],
            {"case": "lower"},
            r"normalize.case: no training corpus .* found lower; expected case: none \(all\)\. Leave",
        ),
        (
            [{}, {"normalize": {"case": "lower"}}],
            {"quotes": True},
            "normalize.quotes: .*found true.*Choose, for instance",
        ),
    ],
)
def test_no_choice_is_taken_that_no_corpus_was_treated_with(
    corpora: list[dict[str, Any]], chosen: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        agreed_normalization(prepared({}, *corpora), NormalizeConfig.model_validate(chosen))
