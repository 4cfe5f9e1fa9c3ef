"""Staged files are trusted as far as their size: they need not outlive the power of the machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("damage", ["cut short", "gone"])
def test_a_staged_file_that_has_lost_something_is_staged_again(workshop: Any, damage: str) -> None:
    plan = workshop.plan(workshop.job([("train", workshop.corpus("train", workshop.sentences(50)))]))
    (report,) = workshop.stage(plan)
    staged = Path(report.path)
    whole = staged.read_bytes()
    assert report.bytes == len(whole)
    if damage == "gone":
        staged.unlink()
    else:
        os.truncate(staged, len(whole) // 2)
    assert workshop.stage(plan) == [report]
    assert staged.read_bytes() == whole


def test_a_staged_file_that_is_whole_is_not_staged_again(workshop: Any) -> None:
    plan = workshop.plan(workshop.job([("train", workshop.corpus("train", workshop.sentences(50)))]))
    reports = workshop.stage(plan)
    before = Path(reports[0].path).stat().st_ino
    assert workshop.stage(plan) == reports
    assert Path(reports[0].path).stat().st_ino == before
