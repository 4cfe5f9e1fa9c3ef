"""The columns and stream of a split in; global steps, collated for one rank and read ahead, from any position, out."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.config import Config
from seq2seq_core.data.batch import Batch, Gathered, collate
from seq2seq_core.data.bins import are_even, by_length, micro_batches
from seq2seq_core.data.column_layout import Rows
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.guidance import Guide
from seq2seq_core.data.noise import Noise
from seq2seq_core.data.stream import BatchStream, EpochStart, Part, rank_rows
from seq2seq_core.dataset.reader import Lengths, Weights
from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import Ragged

_GATHER_TOKENS = 1 << 19
_SLACK = 1.1


class LoaderConfig(Config):
    """How a process reads its part of the global batches. None of it changes what a global batch holds."""

    max_tokens_per_device: int = Field(
        8192,
        ge=1,
        le=1 << 31,
        description="most padded tokens a device computes at once; larger parts of a batch are accumulated",
    )
    prefetch_batches: int = Field(
        4, ge=0, le=10_000, description="global batches read ahead in the background; 0: none"
    )


@dataclass(frozen=True)
class GlobalStep:
    """What one rank computes of one global batch.

    Attributes:
        position: Place of the global batch in the stream.
        start: Where the epoch that it belongs to starts.
        micro_batches: This rank's rows; empty when there are fewer rows than ranks.
        rows: Rows of the global batch, over all ranks.
        source_tokens: Its source tokens with EOS, over all ranks, as they are stored.
        target_tokens: Its target tokens with EOS, over all ranks: what the summed loss is divided by. Where noise cuts
            words anew, no rank knows those of the others, and these are the stored ones.
        drawn: Its rows of each of several datasets, over all ranks; nothing where there is one.
    """

    position: int
    start: EpochStart
    micro_batches: list[Batch]
    rows: int
    source_tokens: int
    target_tokens: int
    drawn: tuple[int, ...] = ()

    @property
    def epoch(self) -> int:
        """The epoch it belongs to, from 0."""
        return self.start.epoch


@dataclass(frozen=True)
class EvaluationBatch:
    """Some rows of a split; `rows[i]` is the number of row i of the batch."""

    rows: Rows
    batch: Batch


@dataclass(frozen=True)
class Seeing:
    """How rows are seen.

    Attributes:
        noise: What changes them at random; None: they are as they are stored.
        passes: How often a row is computed in one step.
        guide: What says where the decoder should look, by aligned words; None: nobody does.
    """

    noise: Noise | None = None
    passes: int = 1
    guide: Guide | None = None


AS_STORED = Seeing()


class Loader:
    """One rank's view of the stream of global batches.

    Args:
        columns: The rows.
        stream: The stream; it was made from the lengths of the same rows.
        config: Batch size on the device, and read-ahead.
        rank: This process, from 0.
        world: The number of processes.
        pin: Whether batches lie in page-locked memory, for copies to a GPU.
        seeing: How rows are seen.

    Raises:
        ConfigError: A row that is trained on does not fit into `max_tokens_per_device`.
    """

    def __init__(
        self,
        columns: Columns,
        stream: BatchStream,
        config: LoaderConfig,
        *,
        rank: int,
        world: int,
        pin: bool = False,
        seeing: Seeing = AS_STORED,
    ) -> None:
        limits, passes = stream.config, seeing.passes
        if config.max_tokens_per_device < limits.max_width * passes:
            raise ConfigError(
                f"max_tokens_per_device ({config.max_tokens_per_device}) cannot hold a row of max_source_tokens "
                f"({limits.most_source_tokens}) or max_target_tokens ({limits.max_target_tokens}) and its EOS"
                + (f", {passes} times" if passes > 1 else ""),
            )
        self._columns = columns
        self._stream = stream
        self._config = config
        self._rank = rank
        self._world = world
        self._pin = pin
        self._device_tokens = config.max_tokens_per_device // passes
        # Rows of a bin are of one length, and a little slack keeps those of each bin together.
        self._bin_tokens = min(self._device_tokens, int(_SLACK * limits.bin_tokens))
        self._share_tokens = min(self._device_tokens, int(_SLACK * limits.bin_tokens / world))
        self._noise, self._guide = seeing.noise, seeing.guide
        self._waited = 0.0

    def waited(self) -> float:
        """How many seconds whoever takes the steps has waited for them, in all."""
        return self._waited

    @property
    def fingerprint(self) -> str:
        """Names rows, configuration and seed: positions in one stream mean nothing in another."""
        return storage.digest_bytes(f"{self._columns.digest}\n{self._stream.fingerprint}".encode())

    @property
    def name(self) -> str:
        """Names the order of the rows that are there from the beginning."""
        return self._stream.name

    @property
    def draws(self) -> tuple[int, ...]:
        """How many rows of each of several datasets an epoch has; nothing where there is one."""
        return self._stream.draws

    @property
    def parts(self) -> list[Part]:
        """The rows of the stream, as they entered."""
        return self._stream.parts

    def survey(self, columns: Columns, rows: int, weights: Weights | None) -> Part:
        """Look at rows that are to enter, beside the reading of steps.

        Args:
            columns: All rows, beginning with those that have entered.
            rows: The number of those that have entered, and these.
            weights: How often an epoch has each of these; None: every row once.

        Raises:
            TrainingError: There are more than the stream can tell apart.
        """
        return self._stream.survey(columns.lengths, (self._stream.rows, rows), weights)

    def continues(self, columns: Columns) -> bool:
        """Whether columns begin with the rows that have entered, as far as their lengths tell."""
        return len(columns) >= self._stream.rows and self._stream.continues(columns.lengths)

    def enter(self, columns: Columns, part: Part, position: int, epoch: int) -> None:
        """Let rows enter before the step at a position (see `BatchStream.enter`); steps that are read are void."""
        self._stream.enter(part, columns.lengths, position, epoch)
        self._columns = columns

    def steps(self, position: int = 0, known: EpochStart | None = None) -> Generator[GlobalStep]:
        """Endless steps from a position on. Closing the generator ends the background thread.

        Where an epoch starts that is `known` from an earlier run, those before it are not made to find that out.
        """
        if known is not None:
            self._stream.know(known)
        return self._clocked(read_ahead(self._steps(position), self._config.prefetch_batches))

    def step(self, position: int) -> GlobalStep:
        """The step at a position."""
        return next(self._made([(position, self._stream.batch(position))]))

    def _clocked(self, steps: Generator[GlobalStep]) -> Generator[GlobalStep]:
        with contextlib.closing(steps):
            while True:
                began = time.monotonic()
                step = next(steps, None)
                self._waited += time.monotonic() - began
                if step is None:
                    return
                yield step

    def _steps(self, position: int) -> Iterator[GlobalStep]:
        count = max(1, _GATHER_TOKENS * self._world // self._stream.config.batch_tokens)
        for begin in itertools.count(position, count):
            yield from self._made([(p, self._stream.batch(p)) for p in range(begin, begin + count)])

    def _made(self, planned: list[tuple[int, Rows]]) -> Iterator[GlobalStep]:
        """The steps at some positions, whose rows are gathered at once: a gather pays for every page it touches."""
        found = [self._stream.lengths.of(rows) for _, rows in planned]
        pieces = [self._own(rows, lengths) for (_, rows), lengths in zip(planned, found, strict=True)]
        if self._noise is None:
            batches = _collated(self._columns, list(itertools.chain.from_iterable(pieces)), self._guide)
        else:
            pieces, batches = self._noisy(self._noise, [position for position, _ in planned], pieces)
        for (position, rows), lengths, parts in zip(planned, found, pieces, strict=True):
            mine = itertools.islice(batches, len(parts))
            yield GlobalStep(
                position,
                self._stream.start(position),
                [batch.pinned() for batch in mine] if self._pin else list(mine),
                len(rows),
                int(lengths.source.sum()) + len(rows),
                int(lengths.target.sum()) + len(rows),
                self._stream.by_dataset(rows),
            )

    def _noisy(
        self, noise: Noise, positions: Sequence[int], pieces: list[list[Rows]]
    ) -> tuple[list[list[Rows]], Iterator[Batch]]:
        """The pieces at some positions, and their batches; what became too long for the device is in more of them."""
        rows = np.concatenate([np.zeros(0, np.int64), *itertools.chain.from_iterable(pieces)])
        counts = [sum(map(len, own)) for own in pieces]
        source, target = (column.gather(rows) for column in (self._columns.source, self._columns.target))
        seen = noise.seen(source, target, np.repeat(np.array(positions, np.int64), counts), rows)
        widths = np.maximum(seen.source.lengths, seen.target.lengths) + 1
        begin, fitting = 0, list[list[Rows]]()
        for own in pieces:
            fitting.append([])
            for piece in own:
                fitting[-1] += _fitting(piece, widths[begin : begin + len(piece)], self._device_tokens)
                begin += len(piece)
        edges = np.cumsum([0, *map(len, itertools.chain.from_iterable(fitting))])
        parts = [_split(ragged, edges) for ragged in (seen.source, seen.target, seen.read, seen.spelt)]
        if self._guide is not None:
            parts.append(_aligned(self._columns, rows, edges))
        gathered = itertools.starmap(Gathered, zip(*parts, strict=True))
        return fitting, (collate(self._columns.modality, some, self._guide) for some in gathered)

    def _own(self, rows: Rows, lengths: Lengths) -> list[Rows]:
        """The micro-batches of this rank, of the rows of a global batch and their lengths."""
        bins = micro_batches(rows, lengths, self._bin_tokens)
        if self._world == 1 or are_even(bins, lengths, self._world):
            return bins[self._rank :: self._world]  # one large piece is computed faster than a share of each of several
        source, target = (rank_rows(side, self._rank, self._world) for side in lengths)
        return micro_batches(rank_rows(rows, self._rank, self._world), Lengths(source, target), self._share_tokens)


def evaluation_batches(
    columns: Columns, max_tokens: int, *, rank: int = 0, world: int = 1, limit: int | None = None
) -> Iterator[EvaluationBatch]:
    """Every row of a split (of its first `limit` rows) exactly once over all ranks, shortest first, none left out.

    A batch has at most `max_tokens` padded tokens, or one row.
    """
    rows = np.arange(len(columns), dtype=np.int64)[:limit]
    own = rank_rows(rows[by_length(columns.lengths.of(rows))], rank, world)
    for piece in micro_batches(own, columns.lengths.of(own), max_tokens):
        yield EvaluationBatch(piece, next(_collated(columns, [piece])))


T = TypeVar("T")


@dataclass(frozen=True)
class _Item(Generic[T]):
    """What the background thread hands over: a value, an error, or (neither) the end."""

    values: tuple[T, ...] = ()
    error: BaseException | None = None


def read_ahead(values: Iterator[T], depth: int) -> Generator[T]:
    """The same values, up to `depth` of them made ahead by a background thread (0: none is).

    An error of `values` is raised here, after all values before it. The thread ends with the generator.
    """
    if depth == 0:
        yield from values
        return
    done: queue.SimpleQueue[_Item[T]] = queue.SimpleQueue()
    slots = threading.Semaphore(depth)
    stop = threading.Event()

    def work() -> None:
        _produce(values, done.put, slots, stop)

    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while (item := done.get()).values:
            slots.release()
            yield from item.values
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        slots.release()
        thread.join()


def _produce(
    values: Iterator[T], put: Callable[[_Item[T]], None], slots: threading.Semaphore, stop: threading.Event
) -> None:
    try:
        slots.acquire()
        while not stop.is_set():
            put(_Item((next(values),)))
            slots.acquire()
    except StopIteration:
        put(_Item())
    except BaseException as error:  # noqa: BLE001 - handed over whole, and raised by the reader
        put(_Item(error=error))


def _collated(columns: Columns, pieces: Sequence[Rows], guide: Guide | None = None) -> Iterator[Batch]:
    """Gather the rows of all pieces at once, then pad each piece when it is asked for."""
    rows = np.concatenate([np.zeros(0, np.int64), *pieces])
    edges = np.cumsum([0, *map(len, pieces)])
    sides = [_split(column.gather(rows), edges) for column in (columns.source, columns.target)]
    aligned = itertools.repeat(None) if guide is None else _aligned(columns, rows, edges)
    for source, target, pairs in zip(*sides, aligned, strict=False):
        yield collate(columns.modality, Gathered(source, target, aligned=pairs), guide)


def _aligned(columns: Columns, rows: Rows, edges: Rows) -> Iterator[Ragged]:
    """The pairs of aligned words of some rows, in consecutive groups."""
    if columns.alignment is None:
        raise ValueError("the dataset keeps no alignments")
    return _split(columns.alignment.gather(rows), edges)


def _fitting(piece: Rows, widths: Rows, most: int) -> list[Rows]:
    """Rows of a piece in as many halves as it takes for each to have at most so many padded tokens, or one row."""
    half = len(piece) // 2
    if half == 0 or len(piece) * int(widths.max()) <= most:
        return [piece]
    return _fitting(piece[:half], widths[:half], most) + _fitting(piece[half:], widths[half:], most)


def _split(ragged: Ragged, edges: Rows) -> Iterator[Ragged]:
    """Consecutive groups of rows, as views."""
    positions = np.concatenate([np.zeros(1, np.int64), np.cumsum(ragged.lengths)])[edges]
    for row, position in zip(itertools.pairwise(edges), itertools.pairwise(positions), strict=True):
        yield Ragged(ragged.flat[slice(*position)], ragged.lengths[slice(*row)])
