"""The words after `--` in, Beam's options out: misspelt ones are refused, of which Beam itself only warns."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import create_runner

from pipelines.running import beam_tuning
from seq2seq_core.errors import ConfigError

LOCAL_RUNNER = "FnApiRunner"

# Options of Beam's Flink and Spark job servers (FlinkPipelineOptions and SparkPipelineOptions in Java). Beam for Python
# learns of them only when it talks to the server, and passes them on as they are.
_JOB_SERVER_WORDS = """
allow_non_restored_state auto_balance_write_files_sharding_enabled auto_watermark_interval checkpoint_timeout_millis
checkpointing_interval checkpointing_mode disable_metrics enable_stable_input_drain execution_mode_for_batch
execution_retry_delay externalized_checkpoints_enabled fail_on_checkpointing_errors faster_copy
file_input_split_max_size_mb files_to_stage finish_bundle_before_checkpointing flink_conf_dir force_slot_sharing_group
force_unaligned_checkpoint_enabled job_check_interval_in_secs latency_tracking_interval max_bundle_size
max_bundle_time_mills min_pause_between_checkpoints num_concurrent_checkpoints number_of_execution_retries object_reuse
operator_chaining re_iterable_group_by_key_result retain_externalized_checkpoints_on_cancellation savepoint_path
shutdown_sources_after_idle_ms state_backend state_backend_storage_path tolerable_checkpoint_failure_number
unaligned_checkpoint_enabled use_data_stream_for_batch
batch_interval_millis bundle_size cache_disabled checkpoint_dir checkpoint_duration_millis enable_spark_metric_sinks
max_records_per_batch min_read_time_millis read_time_percentage storage_level
"""
_JOB_SERVER_OPTIONS = frozenset(_JOB_SERVER_WORDS.split())


def parse(arguments: Sequence[str], local_threads: int = 1) -> PipelineOptions:
    """Beam's options; the runner is the local one unless another is named.

    Args:
        arguments: What stands after `--`.
        local_threads: Workers of the local runner, threads of this process, unless its options say otherwise.

    Raises:
        ConfigError: A word is no option, or an option that neither Beam nor a job server knows, or has a bad value.
    """
    beam_tuning.tune()
    flags = list(arguments)
    parser, known = _parser()
    _, unknown = parser.parse_known_args(flags)
    for flag in unknown:
        name = flag.removeprefix("--").split("=", 1)[0]
        if not flag.startswith("--"):
            # The value of an unknown option stands behind it; a word behind no option is an error.
            before = flags[flags.index(flag) - 1] if flags.index(flag) else ""
            if before.removeprefix("--") in _JOB_SERVER_OPTIONS:
                continue
            raise ConfigError(
                f"unexpected word {flag!r} after --", expected="options of Beam like --runner=FlinkRunner"
            )
        if name not in _JOB_SERVER_OPTIONS:
            raise ConfigError(f"Beam has no option --{name}", advice=_neighbour(name, known))
    if not any(flag == "--runner" or flag.startswith("--runner=") for flag in flags):
        flags.append(f"--runner={LOCAL_RUNNER}")
    options = beam_tuning.Options(flags)
    runner = options.view_as(StandardOptions).runner
    _check_runner(runner)
    if runner == LOCAL_RUNNER and local_threads > 1 and not any(flag.startswith("--direct_") for flag in flags):
        workers = ["--direct_running_mode=multi_threading", f"--direct_num_workers={local_threads}"]
        return beam_tuning.Options([*flags, *workers])
    return options


def _check_runner(name: str) -> None:
    try:
        create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise ConfigError(
            "no such Beam runner",
            where="--runner",
            found=name,
            expected="FnApiRunner, PrismRunner, FlinkRunner, SparkRunner, PortableRunner or DataflowRunner",
            advice="DataflowRunner needs pip install 'seq2seq[dataflow]'.",
        ) from error


class _Parser(argparse.ArgumentParser):
    """Beam's classes declare their options on it; a bad value raises instead of ending the process."""

    def add_value_provider_argument(self, *names: str, **settings: object) -> None:
        """An option that a template may leave open: here one like any other."""
        self.add_argument(*names, **settings)  # type: ignore[arg-type]

    def error(self, message: str) -> None:  # type: ignore[override]
        """See argparse."""
        raise ConfigError(f"an option after -- is not usable: {message}")


def _parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """A parser of all options that Beam's own classes declare, and their names."""
    parser = _Parser(allow_abbrev=False, add_help=False)
    for kind in PipelineOptions.__subclasses__():
        if kind.__module__.startswith("apache_beam."):
            kind._add_argparse_args(parser)  # noqa: SLF001
    names = [name.removeprefix("--") for action in parser._actions for name in action.option_strings]  # noqa: SLF001
    return parser, names


def _neighbour(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, [*known, *_JOB_SERVER_OPTIONS], n=1, cutoff=0.6)
    return f"Did you mean --{close[0]}?" if close else "See the documentation of the Beam runner for its options."
