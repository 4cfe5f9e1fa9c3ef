"""Beam's options: every runner's pass through, misspelt ones do not."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.graphs.options import parse, run_in_this_thread
from seq2seq_core.errors import ConfigError


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"runner": "FnApiRunner"}),
        (["--runner", "PrismRunner", "--prism_location=/p"], {"runner": "PrismRunner", "prism_location": "/p"}),
        (
            ["--direct_num_workers", "2", "--direct_running_mode=multi_processing"],
            {"runner": "FnApiRunner", "direct_num_workers": 2, "direct_running_mode": "multi_processing"},
        ),
        (
            ["--runner=FlinkRunner", "--flink_master=h:1", "--parallelism=2", "--environment_type=LOOPBACK"],
            {"runner": "FlinkRunner", "flink_master": "h:1", "parallelism": 2, "environment_type": "LOOPBACK"},
        ),
        (
            ["--runner=FlinkRunner", "--checkpointing_interval", "2000", "--number_of_execution_retries=3"],
            {"runner": "FlinkRunner", "checkpointing_interval": "2000", "number_of_execution_retries": "3"},
        ),
        (
            ["--runner=DataflowRunner", "--project=p", "--region=r", "--experiments=a", "--experiments=b"],
            {"runner": "DataflowRunner", "project": "p", "region": "r", "experiments": ["a", "b"]},
        ),
    ],
)
def test_options_pass_through(arguments: list[str], expected: dict[str, Any]) -> None:
    assert parse(arguments).get_all_options(drop_default=True, retain_unknown_options=True) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], True),
        (["--runner=FnApiRunner", "--job_name=x", "--direct_num_workers=1"], True),
        (["--runner=PrismRunner"], False),
        (["--direct_num_workers=2"], False),
        (["--direct_running_mode=multi_threading"], False),
        (["--direct_runner_bundle_repeat=1"], False),
    ],
)
def test_it_is_known_whether_all_is_done_here(arguments: list[str], expected: bool) -> None:
    assert run_in_this_thread(parse(arguments)) is expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--paralellism=2"], "no option --paralellism. Did you mean --parallelism"),
        (["--checkpoint_interval=1"], "Did you mean --checkpointing_interval"),
        (["--direct_num_workers=two"], "invalid int value: 'two'"),
        (["FlinkRunner"], "unexpected word 'FlinkRunner'"),
        (["--streaming", "FlinkRunner"], "unexpected word 'FlinkRunner'"),
        (["--runner=FlinkRunner", "-x"], "Beam has no option --x"),
        (["--runner"], "argument --runner: expected one argument"),
        (["--runner=NoRunner"], "no such Beam runner"),
        (["--qqqqqq"], "Beam has no option --qqqqqq"),
    ],
)
def test_mistakes_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(arguments)
