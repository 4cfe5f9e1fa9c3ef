from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core.config import build, keys, load, parse_overrides, to_yaml
from seq2seq_core.errors import ConfigError
from seq2seq_core.training.config import FREE_KEYS, TrainConfig, identity


def config(**values: Any) -> TrainConfig:
    return build(TrainConfig, {"dataset": "data/x", "output": "runs/x", **values})


def test_the_defaults_are_those_the_field_knows() -> None:
    found = config()
    assert found.label_smoothing == 0.1
    assert (found.optimizer.beta1, found.optimizer.beta2, found.optimizer.epsilon) == (0.9, 0.98, 1e-9)
    assert found.schedule.kind == "inverse_sqrt"
    assert found.model.family == "transformer"


def test_a_yaml_file_and_the_command_line_come_together(tmp_path: Any) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(to_yaml(config(model={"family": "rnn", "width": 64})))
    found = load(TrainConfig, str(path), parse_overrides(TrainConfig, ["--seed", "7", "--limits.max_minutes=2.5"]))
    assert (found.model.family, found.seed, found.limits.max_minutes) == ("rnn", 7, 2.5)


def test_an_unknown_key_names_its_neighbour() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean optimizer\.learning_rate\?"):
        config(optimizer={"learning_rat": 1})


def test_every_key_has_a_description() -> None:
    assert [key.name for key in keys(TrainConfig) if not key.description] == []


def test_the_identity_names_all_but_the_free_keys() -> None:
    names = {name.split(".")[0] for name in identity(config(), "digest")} - {"dataset_digest"}
    free = {name for name, value in FREE_KEYS.items() if value is True}
    assert free <= set(TrainConfig.model_fields)
    assert names == set(TrainConfig.model_fields) - free - {"initialize_parts"} - TrainConfig.younger
    assert identity(config(initialize_parts="encoder"), "digest")["initialize_parts"] == "encoder"
    assert "validation.metric" in identity(config(), "digest")
    assert "validation.patience" not in identity(config(), "digest")


def test_keys_that_are_younger_than_some_runs_are_named_where_they_are_set() -> None:
    assert set(config().model_dump()) == set(TrainConfig.model_fields) - TrainConfig.younger
    found = identity(config(r_drop=5, noise={"word_dropout": {"source": 0.1}}), "digest")
    assert (found["r_drop"], found["noise.word_dropout.source"]) == (5.0, 0.1)
    assert build(TrainConfig, config(r_drop=5).model_dump()).r_drop == 5


@pytest.mark.parametrize(
    ("values", "same"),
    [
        ({"output": "elsewhere", "dataset": "copy/x"}, True),
        ({"limits": {"max_steps": 5}}, True),
        ({"validation": {"patience": 3}}, True),
        ({"seed": 2}, False),
        ({"data": {"batch_tokens": 4096}}, False),
        ({"validation": {"metric": "loss"}}, False),
        ({"model": {"family": "rnn"}}, False),
        ({"validation": {"weights": {"bleu": 1}}}, False),
        ({"validation": {"every_steps": 5}}, True),
        ({"ema_decay": 0.99}, False),
        ({"recompute": True}, True),
        ({"sharding": {"kind": "full"}, "compile": True, "late_minutes": 1}, True),
        ({"profile": {"from_step": 3}, "collect_every_steps": 7}, True),
    ],
)
def test_what_moves_the_weights_or_their_choice_is_part_of_the_identity(values: dict[str, Any], same: bool) -> None:
    assert (identity(config(**values), "digest") == identity(config(), "digest")) is same


def test_the_dataset_counts_by_content() -> None:
    assert identity(config(), "one") != identity(config(), "other")


def test_where_the_rate_follows_validations_their_times_shape_the_run() -> None:
    plateau = {"schedule": {"kind": "plateau"}}
    one, other = (identity(config(**plateau, validation={"every_steps": steps}), "digest") for steps in (5, 6))
    assert (one["validation.every_steps"], other["validation.every_steps"]) == (5, 6)
    assert "validation.patience" not in one


def test_what_needs_whole_weights_is_refused_where_they_are_spread() -> None:
    assert config(optimizer={"kind": "adafactor"})
    with pytest.raises(ConfigError, match=r"optimizer\.kind \(adafactor\) needs whole weights"):
        config(optimizer={"kind": "adafactor"}, sharding={"kind": "hybrid"})


def test_measures_of_two_tasks_make_no_sum() -> None:
    with pytest.raises(ConfigError, match="bleu and wer are not measured together"):
        config(validation={"weights": {"bleu": 1, "wer": 1}})
