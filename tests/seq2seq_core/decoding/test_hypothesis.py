from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core import config as configuration
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.errors import ConfigError


@pytest.mark.parametrize(("length", "longest"), [(0, 20), (7, 34), (1 << 40, 1 << 20)])
def test_an_output_is_as_long_as_its_source_allows_and_no_length_is_too_large(length: int, longest: int) -> None:
    assert SearchConfig().max_length(length) == longest


def test_a_ratio_without_bounds_is_no_overflow() -> None:
    config = SearchConfig.model_construct(max_length_ratio=1e308, max_length_extra=1)
    assert config.max_length(100) == 1 << 20


FIRST = {
    "beam": 5,
    "length_penalty": 1.0,
    "n_best": 1,
    "max_length_ratio": 2.0,
    "max_length_extra": 20,
    "attention": False,
}


def test_what_was_translated_before_a_key_came_is_not_translated_again() -> None:
    assert SearchConfig().identity() == FIRST
    chosen = {"ctc_weight": 0.3, "no_repeat_ngram": 4, "align": True}
    assert SearchConfig.model_validate(chosen).identity() == {**FIRST, **chosen}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_best": 6}, "n_best .6. is larger than beam .5."),
        ({"length_reward": 0.5}, "changes nothing with length_penalty 1.*set length_penalty to 0"),
        ({"min_length_ratio": 3.0}, "min_length_ratio .3.0. is larger than max_length_ratio .2.0."),
        ({"ngram_repeats": 2}, "ngram_repeats .2. needs no_repeat_ngram"),
        ({"ctc_weight": 1, "n_best": 2}, "the best path of CTC alone, which knows no n_best"),
        ({"ctc_weight": 1.0, "attention": True}, "knows no attention"),
        ({"ctc_weight": 1.5}, "less than or equal to 1"),
    ],
)
def test_keys_that_do_not_go_together_are_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configuration.build(SearchConfig, values)


@pytest.mark.parametrize(("values", "expected"), [({}, 10), ({"beam": 8}, 16), ({"beam": 1, "ctc_candidates": 3}, 3)])
def test_candidates_follow_the_beam_unless_named(values: dict[str, int], expected: int) -> None:
    assert SearchConfig.model_validate(values).candidates == expected


def test_ctc_has_its_usual_say_where_a_model_has_it_and_nothing_else_is_asked_for() -> None:
    assert SearchConfig().settled(has_frame_scores=True).ctc_weight == 0.3
    assert SearchConfig().settled(has_frame_scores=False).ctc_weight == 0
    assert SearchConfig(ctc_weight=0).settled(has_frame_scores=True).ctc_weight == 0
    assert "ctc_weight" not in SearchConfig().identity()
