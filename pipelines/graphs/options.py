"""The words after `--` in, Beam's options out: misspelt ones are refused, of which Beam itself only warns."""

from __future__ import annotations

import contextlib
import difflib
import io
from collections.abc import Iterable, Sequence
from typing import Any

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.runner import create_runner

from pipelines.graphs import hints  # noqa: F401 (Beam knows the options of all classes that are defined)
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


def parse(arguments: Sequence[str]) -> PipelineOptions:
    """Beam's options; the runner is the local one unless another is named.

    Raises:
        ConfigError: A word is no option, or an option that neither Beam nor a job server knows, or has a bad value.
    """
    flags = list(arguments)
    given, known = _values(flags), _values([])
    for name in given:
        if name not in known and name not in _JOB_SERVER_OPTIONS:
            raise ConfigError(f"Beam has no option --{name}", advice=_neighbour(name, known))
    for position, flag in enumerate(flags):
        if not flag.startswith("--") and _is_idle(flags, position, given):
            raise ConfigError(
                f"unexpected word {flag!r} after --", expected="options of Beam like --runner=FlinkRunner"
            )
    runner = given["runner"]
    if runner is None:
        return PipelineOptions([*flags, f"--runner={LOCAL_RUNNER}"])
    _check_runner(runner)
    return PipelineOptions(flags)


def is_local(options: PipelineOptions) -> bool:
    """Whether the runner is the local one."""
    return bool(options.view_as(StandardOptions).runner == LOCAL_RUNNER)


def run_in_this_thread(options: PipelineOptions) -> bool:
    """Whether the runner is the local one and has neither workers beside this thread nor replays: all is done here."""
    local = options.view_as(DirectOptions)
    return (
        is_local(options)
        and (local.direct_running_mode, local.direct_num_workers) == ("in_memory", 1)
        and not local.direct_runner_bundle_repeat
    )


def _values(flags: list[str]) -> dict[str, Any]:
    """The value of every option that Beam knows, and of those given that it does not know.

    Raises:
        ConfigError: A value is not usable.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            values: dict[str, Any] = PipelineOptions(flags).get_all_options(retain_unknown_options=True)
    except SystemExit:  # that of argparse, which has told why
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise ConfigError(f"an option after -- is not usable: {reason}") from None
    return values


def _is_idle(flags: list[str], position: int, given: dict[str, Any]) -> bool:
    """Whether nothing changes without a word: so it is the value of no option."""
    try:
        return _values(flags[:position] + flags[position + 1 :]) == given
    except ConfigError:
        return False


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


def _neighbour(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, [*known, *_JOB_SERVER_OPTIONS], n=1, cutoff=0.6)
    return f"Did you mean --{close[0]}?" if close else "See the documentation of the Beam runner for its options."
