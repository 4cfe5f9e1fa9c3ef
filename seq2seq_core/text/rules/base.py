"""Two sides of text in, a verdict on every row and the measured values out: what every cleaning rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.config import Config
from seq2seq_core.records import Records, text_of
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.octets import Bools, Floats, Ints


@dataclass(frozen=True)
class Sides:
    """What is known of the two sides of a corpus.

    Attributes:
        source_language: Its code (ISO 639, `pt` or `pt-BR`), where known.
        target_language: The same of the other side.
        has_source: Whether there is a source of text; else the target alone is judged.
        measured: What is measured of a source that is no text.
    """

    source_language: str | None = None
    target_language: str | None = None
    has_source: bool = True
    measured: tuple[str, ...] = ()


class Side(NamedTuple):
    """One side of the rows.

    Attributes:
        name: Which one.
        texts: Its texts.
        language: The code of its language, where known.
        exact: All values are wanted exactly, also where a row is far from failing.
    """

    name: Literal["source", "target"]
    texts: TextColumn
    language: str | None = None
    exact: bool = False


@dataclass(frozen=True)
class Rows:
    """The rows a rule judges.

    Attributes:
        source: The texts of one side.
        target: Those of the other.
        sides: What is known of the two.
        exact: As `Side.exact`.
        lines: The line of each row, int64; None where nobody will ask.
        origin: The file they stand in.
        measures: What is measured of the source of each row, by name (`Sides.measured`), float64.
    """

    source: TextColumn
    target: TextColumn
    sides: Sides = Sides()
    exact: bool = False
    lines: pa.Int64Array | None = None
    origin: str = ""
    measures: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.target)

    def only(self, rows: Bools) -> Rows:
        """Some of the rows, to be measured exactly."""
        lines = None if self.lines is None else self.lines.filter(pa.array(rows))
        found = replace(self, source=self.source.only(rows), target=self.target.only(rows), exact=True, lines=lines)
        return replace(found, measures=self._measures_of(rows))

    def of(self, records: Records, rows: Bools) -> Rows:
        """Those of the rows that are left as records, with nothing asked of their texts yet."""
        source, target = TextColumn(text_of(records.source)), TextColumn(text_of(records.target))
        return replace(self, source=source, target=target, lines=records.lines, measures=self._measures_of(rows))

    def _measures_of(self, rows: Bools) -> dict[str, Floats]:
        return {name: values[rows] for name, values in self.measures.items()}

    def place(self, row: int) -> str:
        """Where a row stands, for the reader of an error."""
        return f"{self.origin}, line {row + 1 if self.lines is None else self.lines[row]}".removeprefix(", ")

    def each(self) -> Iterator[Side]:
        """Every side there is."""
        if self.sides.has_source:
            yield Side("source", self.source, self.sides.source_language, self.exact)
        yield Side("target", self.target, self.sides.target_language, self.exact)


@dataclass(frozen=True)
class Measure:
    """A rule's verdict on every row.

    Attributes:
        failed: Whether it fails, bool without nulls.
        measured: What was measured, by name: numbers (NumPy's), or texts (Arrow's).
    """

    failed: pa.BooleanArray
    measured: Mapping[str, npt.NDArray[Any] | pa.Array]

    @property
    def values(self) -> dict[str, pa.Array]:
        """What was measured as it is shown: numbers to three decimals."""
        return {name: _shown(column) for name, column in self.measured.items()}

    def describe_failed(self) -> pa.StringArray:
        """The measured values of the failed rows, as `source 3, target 212`."""
        failed = self.failed.to_numpy(zero_copy_only=False)
        parts: list[Any] = []
        for name, column in self.measured.items():
            values = column[failed] if isinstance(column, np.ndarray) else column.filter(self.failed)
            parts += [f"{', ' if parts else ''}{name} ", _shown(values).cast(pa.string())]
        return pc.binary_join_element_wise(*parts, "")

    def only(self, rows: Bools) -> Measure:
        """The same values, with the verdict that some rows fail."""
        return replace(self, failed=pa.array(rows))


class Rule(Config, ABC):
    """One rule with its thresholds.

    Attributes:
        compares: It compares the sides, so that a corpus without source is not judged by it.
        costly: It pays to ask it only of rows that all rules before have kept.
        estimates: Unless `Rows.exact`, the values of sides that pass are estimates.
        needs: What has to be measured of the source (`Sides.measured`), so that a corpus without is not judged by it.
    """

    compares: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    costly: ClassVar[bool] = False
    estimates: ClassVar[bool] = False

    @abstractmethod
    def measure(self, rows: Rows) -> Measure:
        """Judge every row, each by itself."""

    @property
    @abstractmethod
    def threshold(self) -> str:
        """What passes, in words, for the ledger."""

    def judges(self, sides: Sides) -> bool:
        """Whether a corpus with these sides is judged by it."""
        return (sides.has_source or not self.compares) and set(self.needs) <= set(sides.measured)

    def check(self, sides: Sides, where: str | None) -> None:
        """Make sure, before any work, that it can judge a corpus; a ConfigError that names `where` if it cannot."""

    def resolved(self) -> Self:
        """The same rule with what it takes from elsewhere written out, so that it tells all that decides."""
        return self


class PieceRule(Config, ABC):
    """A rule that is asked of rows when they have been encoded."""

    @abstractmethod
    def measure_lengths(self, source: pa.Array | None, target: pa.Array) -> Measure:
        """Judge rows by the lengths of their sides in pieces (integers); None where there is no source."""

    @property
    @abstractmethod
    def threshold(self) -> str:
        """What passes, in words, for the ledger."""


class SideRule(Rule):
    """A rule that measures one number on each side."""

    @abstractmethod
    def value(self, side: Side) -> npt.NDArray[Any]:
        """The measured number of each row."""

    @abstractmethod
    def fails(self, value: npt.NDArray[Any]) -> Bools:
        """Which of the numbers are out of bounds."""

    def measure(self, rows: Rows) -> Measure:
        failed = np.zeros(len(rows), np.bool_)
        numbers: dict[str, npt.NDArray[Any]] = {}
        for side in rows.each():
            numbers[side.name] = self.value(side)
            failed |= self.fails(numbers[side.name])
        return Measure(pa.array(failed), numbers)


class SuspectRule(SideRule):
    """A rule that measures only rows which may fail, where a cheap look tells that the others cannot."""

    estimates: ClassVar[bool] = True

    @abstractmethod
    def suspects(self, texts: TextColumn) -> Bools:
        """Which rows may fail: all that do, and few others."""

    @abstractmethod
    def exact_value(self, texts: TextColumn) -> Ints:
        """The measured number of each row."""

    def value(self, side: Side) -> Ints:
        """The measured number of each row; 0 for rows that cannot fail, unless `side.exact`."""
        if side.exact:
            return self.exact_value(side.texts)
        value = np.zeros(len(side.texts), np.int64)
        suspects = self.suspects(side.texts)
        if suspects.any():
            value[suspects] = self.exact_value(side.texts.only(suspects))
        return value


def _shown(column: npt.NDArray[Any] | pa.Array) -> pa.Array:
    """Numbers as they stand in the ledger: to three decimals."""
    if isinstance(column, np.ndarray):
        return pa.array(np.round(column, 3) if column.dtype.kind == "f" else column)
    return column


def above(value: Floats, maximum: float) -> Bools:
    """Which values are above a maximum by more than the rounding of a division."""
    result: Bools = value > maximum + 1e-9
    return result


def below(value: Floats, minimum: float) -> Bools:
    """Which values are below a minimum by more than the rounding of a division."""
    result: Bools = value < minimum - 1e-9
    return result


def share(part: Ints | Floats, whole: Ints, empty: float = 0.0) -> Floats:
    """`part / whole` a row, and `empty` where there is nothing to have a part of."""
    result: Floats = np.divide(part, whole, out=np.full(len(part), empty), where=whole > 0)
    return result
