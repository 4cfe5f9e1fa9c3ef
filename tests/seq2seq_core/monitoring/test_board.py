from __future__ import annotations

import socket
import urllib.request
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from seq2seq_core.errors import ConfigError
from seq2seq_core.monitoring import table
from seq2seq_core.monitoring.asked import PORT_VARIABLE
from seq2seq_core.monitoring.board import Board
from seq2seq_core.monitoring.serving import serving
from seq2seq_core.progress import Lag, Progress
from tests.processes import answers, free_port

READING = Progress("reading", "units", 1, 4, "rows", 70, 200, 20, 10.0, failed=3, lag=Lag(2, 9, 1.5))


def values(board: Board) -> Mapping[str, float]:
    """Every sample by its name and the values of its labels."""
    return {" ".join((metric.name, *labels)): value for metric, some in board.samples() for labels, value in some}


def test_progress_becomes_metrics() -> None:
    board = Board()
    board.tell(READING)
    found = dict(values(board))
    assert found.pop("seq2seq_memory_bytes") > 1 << 20
    assert found.pop("seq2seq_last_progress_timestamp_seconds") > 1e9
    assert found == {
        "seq2seq_rows_total reading": 50,  # of this process: what was done before is no growth
        "seq2seq_expected_rows reading": 200,
        "seq2seq_parts_done units": 1,
        "seq2seq_parts_expected units": 4,
        "seq2seq_failures_total": 3,
        "seq2seq_throughput_per_second rows": 5,
        "seq2seq_remaining_seconds": 26,
        "seq2seq_lag_files": 2,
        "seq2seq_lag_rows": 9,
        "seq2seq_lag_oldest_seconds": 1.5,
    }


def test_what_is_not_known_any_more_has_no_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    board, clock = Board(), iter(range(100, 200))
    monkeypatch.setattr("time.time", lambda: float(next(clock)))
    board.tell(READING)
    board.tell(READING)
    assert values(board)["seq2seq_last_progress_timestamp_seconds"] == 100  # nothing was finished between the two
    board.tell(Progress("reading", "units", 2, 4, "rows", 90, 0, 20, 0.0))
    found = values(board)
    assert found["seq2seq_last_progress_timestamp_seconds"] == 101
    assert found["seq2seq_rows_total reading"] == 70
    assert "seq2seq_remaining_seconds" not in found
    assert "seq2seq_expected_rows reading" not in found


def test_names_follow_the_conventions() -> None:
    for name, metric in table.METRICS.items():
        assert name.startswith("seq2seq_")
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert metric.meaning[0].islower() or metric.meaning[0].isdigit()
        assert not metric.meaning.endswith(".")
    declared = [value for value in vars(table).values() if isinstance(value, table.Metric)]
    assert all(table.METRICS[metric.name] is metric for metric in declared)


def test_without_a_port_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PORT_VARIABLE, raising=False)
    with serving() as board:
        assert board is None


def test_the_port_is_served_while_the_block_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv(PORT_VARIABLE, f"127.0.0.1:{port}")
    with serving() as board:
        assert board is not None
        board.tell(READING)
        board.add(table.DATA_WAIT, 1.0)
        board.add(table.DATA_WAIT, 0.5)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    samples = {sample.name: (sample.labels, sample.value) for family in families for sample in family.samples}
    assert samples["seq2seq_rows_total"] == ({"phase": "reading"}, 50)
    assert samples["seq2seq_train_data_wait_seconds_total"] == ({}, 1.5)
    assert samples["seq2seq_parts_done"] == ({"parts": "units"}, 1)
    assert samples["process_resident_memory_bytes"][1] > 1 << 20
    ours = {family.name: family.type for family in families if family.name.startswith("seq2seq_")}
    assert all(table.METRICS.get(name) or table.METRICS[f"{name}_total"].kind == kind for name, kind in ours.items())
    assert not answers(port)


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv(PORT_VARIABLE, f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ConfigError, match="--metrics-port: metrics cannot be served; found 127"), serving():
            pytest.fail("served")


def test_work_within_work_is_told_on_the_same_board(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv(PORT_VARIABLE, f"127.0.0.1:{port}")
    with serving() as outer:
        with serving() as inner:
            assert inner is outer
        assert answers(port)
    assert not answers(port)
