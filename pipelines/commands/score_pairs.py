"""`seq2seq score --model`: pairs of texts in; the same pairs with what a model thinks of each out, in one file.

The file is a corpus: `prepare` reads it with `score_field: score`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.corpora.config import CorpusConfig
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines import table as engines
from seq2seq_core.engines.interface import Languages
from seq2seq_core.engines.table import ENGINES, AnyEngine
from seq2seq_core.errors import ConfigError, IncompleteError
from seq2seq_core.inference.pairs import PairScorer
from seq2seq_core.records import Records

_AT_ONCE = 4096
_MAX_LINE_BYTES = 1 << 20
_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("target", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("cross_entropy", pa.float64()),
        pa.field("log_probability", pa.float64()),
        pa.field("pieces", pa.int64()),
    ]
)


class PairsConfig(Config):
    """Which pairs a model scores, and where they go."""

    model: Location | None = Field(
        None, description="model folder: it says how probable each target is for its source (forced scoring)"
    )
    source: Location | None = Field(None, description="with model: file or glob of sources, a segment a line")
    target: Location | None = Field(None, description="with model: their targets")
    path: Location | None = Field(None, description="with model: files with both sides (TSV, JSONL, Parquet ...)")
    source_field: str | int | None = Field(None, description="with path: see prepare's corpora.source_field")
    target_field: str | int | None = Field(None, description="with path: see prepare's corpora.target_field")
    output: Location | None = Field(
        None, description="with model: file of the scored pairs, .jsonl or .parquet; prepare reads it as a corpus"
    )
    source_language: str | None = Field(None, description="with model: see translate's source_language")
    target_language: str | None = Field(None, description="with model: see translate's target_language")
    engine: AnyEngine = Field(engines.DEFAULT, description="with model: what runs it")

    @property
    def corpus(self) -> CorpusConfig:
        """The pairs."""
        return CorpusConfig(
            source=self.source,
            target=self.target,
            path=self.path,
            source_field=self.source_field,
            target_field=self.target_field,
        )


def score_pairs(config: PairsConfig) -> str:
    """Score all pairs that can be read; what to say at the end.

    Raises:
        IncompleteError: All is written, but some pairs could not be read or scored.
        Seq2SeqError: There are no such files, there is no model, or the engine gives no probabilities.
    """
    if config.output is None or not config.output.endswith((".jsonl", ".parquet")):
        raise ConfigError("scored pairs go to a file", where="output", found=config.output, expected=".jsonl, .parquet")
    sources = config.corpus.sources()
    scorer = _load(config)
    done = _Done()
    with storage.publish(config.output) as file, _writer(config.output, file) as writer:
        for records in _read(sources, done):
            for begin in range(0, len(records), _AT_ONCE):
                writer.write_batch(done.take(_scored(scorer, records, begin)))
    where = storage.redact(config.output)
    if done.unread or done.unscored:
        raise IncompleteError(
            f"{done.unread:,} pairs could not be read, and {done.unscored:,} of {done.written:,} have no score",
            where=where,
        )
    return f"{where}: {done.written:,} pairs, cross-entropy {-done.total / max(1, done.pieces):.4f} nats a piece"


@dataclass
class _Done:
    """Counts of pairs, and sums over those with a score."""

    written: int = 0
    unread: int = 0
    unscored: int = 0
    total: float = 0.0
    pieces: int = 0

    def take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Count a batch, and give it back."""
        self.written, self.unscored = self.written + len(batch), self.unscored + batch.column("score").null_count
        scored = batch.filter(batch.column("score").is_valid())
        self.total += sum(scored.column("log_probability").to_pylist())
        self.pieces += sum(scored.column("pieces").to_pylist())
        return batch


def _read(sources: Sequence[Source], done: _Done) -> Iterator[Records]:
    for part in map(Part.whole, sources):
        for sifted in read_part(part, _MAX_LINE_BYTES):
            done.unread += len(sifted.rejected)
            yield sifted.kept


def _load(config: PairsConfig) -> PairScorer:
    root = config.model or ""
    engine = config.engine.chosen(ENGINES.values(), root, SearchConfig())
    loaded = engine.load(root)
    languages = Languages(config.source_language, config.target_language)
    told, prefix = loaded.speaking(languages, storage.redact(root))
    return PairScorer(told, loaded.source_tokenizer, loaded.target_tokenizer, loaded.source_text.normalize, prefix)


def _scored(scorer: PairScorer, records: Records, begin: int) -> pa.RecordBatch:
    """Some rows with their scores."""
    source, target = (column.slice(begin, _AT_ONCE) for column in (records.source, records.target))
    found = scorer.score(source.to_pylist(), target.to_pylist())
    score = pa.array(found.score, from_pandas=True)
    total = pa.array(found.log_probability, from_pandas=True)
    columns = [source, target, score, pa.array(-found.score, from_pandas=True), total, pa.array(found.pieces)]
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...


class _Jsonl:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Rows as objects, one a line."""
        lines = [json.dumps(row, ensure_ascii=False) for row in batch.to_pylist()]
        self._file.write("".join(f"{line}\n" for line in lines).encode())


@contextlib.contextmanager
def _writer(url: str, file: IO[bytes]) -> Iterator[_Writer]:
    if url.endswith(".jsonl"):
        yield _Jsonl(file)
        return
    with pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
        yield writer
