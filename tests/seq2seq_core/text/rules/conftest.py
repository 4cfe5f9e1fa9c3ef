"""What the tests of rules share: a rule's verdicts on a few rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from seq2seq_core import config as configuration
from seq2seq_core.records import Records
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.rules.base import Measure, Rows, Sides
from seq2seq_core.text.rules.catalogue import FiltersConfig, judge_all, sift

Pair = tuple[str, str]
Reason = tuple[str, str]

_UNKNOWN = Sides()


@pytest.fixture(scope="session")
def records() -> Callable[[Sequence[Pair]], Records]:
    """Rows, numbered from 1."""
    return _records


@pytest.fixture(scope="session")
def reasons() -> Callable[..., list[Reason | None]]:
    """Ask one rule of some rows: for each, None or the value and threshold it is rejected with."""

    def ask(rule: str, rows: Sequence[Pair], sides: Sides = _UNKNOWN, **keys: Any) -> list[Reason | None]:
        rejected: dict[int, Reason] = {}
        records = _records(rows)
        for step in sift(records, _judged(records, sides), _alone(rule, keys)):
            for row in step.rejected.to_pylist():
                assert row["rule"] == rule
                rejected[row["line"]] = (row["value"], row["threshold"])
        return [rejected.get(line) for line in range(1, len(rows) + 1)]

    return ask


@pytest.fixture(scope="session")
def measure() -> Callable[..., Measure]:
    """Ask one rule of some rows, for all values."""

    def ask(rule: str, rows: Sequence[Pair], sides: Sides = _UNKNOWN, **keys: Any) -> Measure:
        return judge_all(_judged(_records(rows), sides), _alone(rule, keys))[rule]

    return ask


def _judged(records: Records, sides: Sides) -> Rows:
    return Rows(TextColumn(records.source), TextColumn(records.target), sides)


def _alone(rule: str, keys: dict[str, Any]) -> FiltersConfig:
    return configuration.build(FiltersConfig, {**dict.fromkeys(FiltersConfig.model_fields), rule: keys})


def _records(rows: Sequence[Pair]) -> Records:
    source, target = zip(*rows, strict=True) if rows else ((), ())
    return Records(
        pa.array(range(1, len(rows) + 1), pa.int64()), pa.array(source, pa.string()), pa.array(target, pa.string())
    )
