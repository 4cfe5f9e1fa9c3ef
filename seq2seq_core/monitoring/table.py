"""THE TABLE of metrics: what each is called, by the conventions of Prometheus, what it means and what it is told by.

A counter grows from 0 while a process is at work, and begins again with the next; a gauge is what it is now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A metric; `labels` name the values that tell its samples apart."""

    name: str
    kind: Literal["counter", "gauge"]
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counted:
    """What is counted by a noun of `progress.Progress`: its counter, and how much is expected in all."""

    noun: str
    done: Metric
    expected: Metric


def _counted(noun: str) -> Counted:
    name = noun.replace(" ", "_")
    return Counted(
        noun,
        Metric(f"seq2seq_{name}_total", "counter", f"{noun} done", ("phase",)),
        Metric(f"seq2seq_expected_{name}", "gauge", f"{noun} that there are to do", ("phase",)),
    )


COUNTED = {noun: _counted(noun) for noun in ("rows", "records", "audio seconds", "files", "steps")}

TOKENS = Metric("seq2seq_tokens_total", "counter", "target tokens trained on")
PARTS_DONE = Metric("seq2seq_parts_done", "gauge", "units or shards finished", ("parts",))
PARTS_EXPECTED = Metric("seq2seq_parts_expected", "gauge", "units or shards that there are", ("parts",))
FAILURES = Metric("seq2seq_failures_total", "counter", "of what is done, how many have failed")
THROUGHPUT = Metric("seq2seq_throughput_per_second", "gauge", "how many are done a second, of the phase", ("of",))
REMAINING = Metric("seq2seq_remaining_seconds", "gauge", "time left of the phase at its present pace")
LAST_PROGRESS = Metric("seq2seq_last_progress_timestamp_seconds", "gauge", "when something was finished last")
LAG_FILES = Metric("seq2seq_lag_files", "gauge", "files that have landed and are not published yet")
LAG_ROWS = Metric("seq2seq_lag_rows", "gauge", "rows of these files, as far as known")
LAG_OLDEST = Metric("seq2seq_lag_oldest_seconds", "gauge", "how long ago the oldest of these files has landed")
MEMORY = Metric("seq2seq_memory_bytes", "gauge", "resident memory of the process and those it has started")

LOSS = Metric("seq2seq_train_loss", "gauge", "what training minimises, a target token, since the last report")
NLL = Metric("seq2seq_train_nll", "gauge", "cross-entropy in nats a target token, since the last report")
EPOCH = Metric("seq2seq_train_epoch", "gauge", "passes over the training split")
LEARNING_RATE = Metric("seq2seq_train_learning_rate", "gauge", "learning rate")
GRADIENT_NORM = Metric("seq2seq_train_gradient_norm", "gauge", "mean norm of the gradient since the last report")
DATA_WAIT = Metric("seq2seq_train_data_wait_seconds_total", "counter", "time that process 0 has waited for batches")
SKIPPED = Metric("seq2seq_train_skipped_steps", "gauge", "steps without an update, over all resumptions")
GPU_MEMORY = Metric("seq2seq_train_gpu_memory_bytes", "gauge", "most memory of process 0 on its GPU")
VALIDATION_LOSS = Metric("seq2seq_validation_loss", "gauge", "cross-entropy of the validation split, in nats a token")
SCORE = Metric("seq2seq_validation_score", "gauge", "score of the validation split, in points of 100", ("measure",))

FOLDER_STATE = Metric("seq2seq_folder_state", "gauge", "1 for the state a job is in, else 0", ("path", "work", "state"))
FOLDER_READABLE = Metric("seq2seq_folder_readable", "gauge", "whether the folder tells of a job", ("path",))
FOLDER_SEEN = Metric("seq2seq_folder_seen_seconds", "gauge", "how long ago a run there has shown itself", ("path",))
FOLDER_DONE = Metric("seq2seq_folder_done", "gauge", "how much is done there", ("path", "of"))
FOLDER_EXPECTED = Metric("seq2seq_folder_expected", "gauge", "how much there is to do there", ("path", "of"))
FOLDER_FAILURES = Metric("seq2seq_folder_failures", "gauge", "records or recordings that have failed there", ("path",))
FOLDER_LAG_FILES = Metric("seq2seq_folder_lag_files", "gauge", "files landed and not published there", ("path",))
FOLDER_LAG_ROWS = Metric("seq2seq_folder_lag_rows", "gauge", "rows landed and not published there", ("path",))
FOLDER_LAG_OLDEST = Metric("seq2seq_folder_lag_oldest_seconds", "gauge", "age of the oldest of these files", ("path",))

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *(metric for counted in COUNTED.values() for metric in (counted.done, counted.expected)),
        *(TOKENS, PARTS_DONE, PARTS_EXPECTED, FAILURES, THROUGHPUT, REMAINING, LAST_PROGRESS),
        *(LAG_FILES, LAG_ROWS, LAG_OLDEST, MEMORY),
        *(LOSS, NLL, EPOCH, LEARNING_RATE, GRADIENT_NORM, DATA_WAIT, SKIPPED, GPU_MEMORY, VALIDATION_LOSS, SCORE),
        *(FOLDER_STATE, FOLDER_READABLE, FOLDER_SEEN, FOLDER_DONE, FOLDER_EXPECTED, FOLDER_FAILURES),
        *(FOLDER_LAG_FILES, FOLDER_LAG_ROWS, FOLDER_LAG_OLDEST),
    )
}
