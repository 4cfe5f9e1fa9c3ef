"""Corpora read as the preparation reads them: cut into parts, every part on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from seq2seq_core import config as configuration
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.cutting import cut, index_source
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.corpora.terms.source import Source

LIMIT = 10_000


class Found(NamedTuple):
    """Rows with their lines (and scores), and (line, rule, value) of the rejects."""

    rows: list[tuple[Any, ...]]
    rejects: list[tuple[int, str, str]]


class Reading:
    """Reads a corpus from its configuration."""

    @staticmethod
    def sources(**values: Any) -> list[Source]:
        return configuration.build(CorpusConfig, values).sources()

    def source(self, **values: Any) -> Source:
        (found,) = self.sources(**values)
        return found

    def read(self, unit_rows: int = 1000, limit: int = LIMIT, **values: Any) -> Found:
        return self.read_sources(self.sources(**values), unit_rows, limit)

    @staticmethod
    def read_sources(sources: Sequence[Source], unit_rows: int = 1000, limit: int = LIMIT) -> Found:
        found = Found([], [])
        for source in sources:
            for part in cut(source, index_source(source, unit_rows, limit)):
                for sifted in read_part(part, limit):
                    kept = sifted.kept
                    columns = [kept.lines, kept.source, kept.target] + ([] if kept.score is None else [kept.score])
                    for column in columns:
                        column.validate(full=True)
                        assert column.null_count == 0
                    found.rows.extend(zip(*(column.to_pylist() for column in columns), strict=True))
                    rejected = sifted.rejected.to_pylist()
                    found.rejects.extend((row["line"], row["rule"], row["value"]) for row in rejected)
        return found


@pytest.fixture
def reading() -> Reading:
    return Reading()
