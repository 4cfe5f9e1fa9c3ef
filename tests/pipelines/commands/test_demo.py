"""The demo from end to end, with a training of a few steps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.commands import demo
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.errors import ConfigError


def test_every_stage_leaves_its_result_and_a_second_run_changes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    config = demo.DemoConfig(
        output=str(tmp_path / "demo"),
        pairs=1500,
        held_out_pairs=30,
        steps=6,
        processes=2,
        train_options=("--report_every_steps", "2"),
    )
    assert demo.run(config) == 0
    said, told = capfd.readouterr()
    assert "validation at step 2 " in told
    assert "training ends after step 6: max_steps" in told
    assert "exact" in said
    assert "This will take about" in said
    assert "The reference work took" in said
    assert "demo/report.html" in said
    ledger = load_manifest(str(tmp_path / "demo" / "dataset")).ledger
    assert ledger.balance == 0
    assert {"empty", "identical", "held_out", "not_utf8"} <= set(ledger.rejected)
    page = (tmp_path / "demo" / "report.html").read_text()
    assert page.count("<svg") >= 3
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)

    results = ("dataset/dataset.json", "run/best/config.json", "translated/output.json", "report.html")
    before = {name: (tmp_path / "demo" / name).read_bytes() for name in results}
    assert demo.run(config) == 0
    assert {name: (tmp_path / "demo" / name).read_bytes() for name in results} == before


def test_variables_of_torchrun_are_refused_before_the_first_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="WORLD_SIZE: variables of torchrun are set in part"):
        demo.run(demo.DemoConfig(output=str(tmp_path / "demo")))
    assert not (tmp_path / "demo").exists()
