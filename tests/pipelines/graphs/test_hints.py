from __future__ import annotations

import pytest

from pipelines.graphs import options
from pipelines.graphs.hints import model_hints
from seq2seq_core.errors import ConfigError


def test_nothing_is_asked_for_by_itself() -> None:
    assert model_hints(options.parse([])) == {}


def test_what_stands_behind_the_dashes_is_asked_for() -> None:
    given = ["--model_accelerator=type:nvidia-l4;count:1", "--model_min_ram=30GB", "--model_bundles_per_worker=2"]
    assert model_hints(options.parse(given)) == {
        "accelerator": "type:nvidia-l4;count:1",
        "min_ram": "30GB",
        "max_active_bundles_per_worker": "2",
    }


@pytest.mark.parametrize("given", ["--model_min_ram=much", "--model_bundles_per_worker=few"])
def test_what_beam_does_not_take_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=r"has invalid value|invalid int value"):
        model_hints(options.parse([given]))


def test_a_misspelt_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="--model_accelerator"):
        options.parse(["--model_acelerator=type:t4"])
