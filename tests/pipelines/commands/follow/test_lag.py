"""What waits is told while a command follows: as metrics of one port, and by `seq2seq status`."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines import cli
from tests import river
from tests.landing import land, rows_of
from tests.processes import CLI, answers, free_port, running


def metrics(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {sample.name: sample.value for family in families for sample in family.samples}


def told(output: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `seq2seq status` says."""
    assert cli.main(["status", str(output)]) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_what_waits_is_told_while_generations_are_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zone, output, port = tmp_path / "in", tmp_path / "out", free_port()
    words = [word for word in river.words(str(zone), str(output)) if "interval" not in word]
    words = [*CLI, *words, "--interval_seconds=3600", f"--metrics-port=127.0.0.1:{port}"]
    land(zone, "000000", rows_of(0))
    with running(words, tmp_path / "log") as process:
        process.await_((output / "dataset.json").exists, "the first generation stands")
        for number in (1, 2, 3):
            land(zone, f"{number:06d}", rows_of(number))
        process.await_(lambda: answers(port) and metrics(port).get("seq2seq_lag_files") == 3, "the lag is told")
        assert metrics(port)["seq2seq_lag_rows"] > 100
        assert metrics(port)["seq2seq_files_total"] == 1
        process.await_(lambda: "3 files" in told(output, capsys), "the status has it")
