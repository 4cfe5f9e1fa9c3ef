from __future__ import annotations

import pytest

from seq2seq_core.progress import Progress


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
    ],
)
def test_a_line_says_only_what_is_known(progress: Progress, line: str) -> None:
    assert str(progress) == line
