from __future__ import annotations

import pytest

from seq2seq_core.progress import Lag, Progress


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress("", "units", 0, 4, "records", 0, 40, 0, 3.0), "units 0/4, records 0/40"),
        (
            Progress("", "units", 2, 4, "records", 20, 40, 10, 4.0),
            "units 2/4, records 20/40, 2.5 records/s, 0:08 left",
        ),
        (
            Progress("", "units", 4, 4, "records", 4000, 4000, 0, 2.0),
            "units 4/4, records 4,000/4,000, 2,000.0 records/s",
        ),
        (
            Progress("reading", "units", 1, 4, "rows", 1, 9000, 0, 1.0),
            "reading: units 1/4, rows 1/9,000, 1.0 rows/s, 2:29:59 left",
        ),
        (Progress("making the tokenizer", "", 0, 0, "rows", 0, 0, 0, 5.0), "making the tokenizer"),
        (Progress("", "", 0, 0, "rows", 1200, 0, 200, 5.0), "rows 1,200, 200.0 rows/s"),
        (Progress("", "", 0, 0, "rows", 9, 9, 9, 5.0, failed=2), "rows 9/9, 2 failed"),
        (
            Progress("following", "", 0, 0, "rows", 7, 0, 7, 1.0, lag=Lag(3, 1500, 75.4)),
            "following: rows 7, 3 files, 1,500 rows wait, the oldest for 1:15",
        ),
        (Progress("following", "", 0, 0, "rows", 7, 0, 7, 1.0, lag=Lag(0, 0, 0.0)), "following: rows 7, nothing waits"),
    ],
)
def test_a_line_says_only_what_is_known(progress: Progress, line: str) -> None:
    assert str(progress) == line
