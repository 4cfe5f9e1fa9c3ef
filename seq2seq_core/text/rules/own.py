"""A function of the user's, named by its import path, in; a rule that asks it about every row out.

The function is given a text, or with `side: pair` the source and the target, and `options` by their names. With a
threshold it returns a number; else None for a row that stays, or a reason. Nothing is imported before a preparation
that names the function in its own configuration begins: what stands in a dataset or model never is.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import math
import numbers
import os
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.options import neighbour
from seq2seq_core.strict import written
from seq2seq_core.text.column import text_rows
from seq2seq_core.text.octets import Bools, Floats
from seq2seq_core.text.rules.base import Measure, Rows, Rule, Sides, above, below

_Function = Callable[..., object]

_NO_REASON = "none"


class OwnRule(Rule):
    """A rule of your own: a Python function that is asked row by row, after all other rules."""

    costly: ClassVar[bool] = True

    rule: str = Field(
        description="import path of a function (my_rules.too_shouty); it is called row by row, some 300,000 a second "
        "and core without its own time, so it is asked last"
    )
    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$",
        description="what the ledger counts under; default: the name of the function",
    )
    side: Literal["both", "source", "target", "pair"] = Field(
        "both", description="the texts it is given: each side by itself, one of them, or (pair) source and target"
    )
    minimum: float | None = Field(
        None, ge=-1e300, le=1e300, description="least number it may return; without a threshold it gives reasons"
    )
    maximum: float | None = Field(None, ge=-1e300, le=1e300, description="greatest number it may return")
    options: dict[str, Any] = Field({}, description="further arguments, by name")
    digest: str | None = Field(
        None, description="xxh3-128 of the function's source, which the run fills in; given, another one is refused"
    )

    @pydantic.field_validator("rule")
    @classmethod
    def _is_path(cls, path: str) -> str:
        parts = path.split(".")
        if len(parts) < 2 or not all(map(str.isidentifier, parts)) or parts[0] == "__main__":
            raise ValueError("the import path of a function is needed: its module's name, a dot, its own")
        return path

    @pydantic.field_validator("options")
    @classmethod
    def _are_plain(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Workers read them as JSON."""
        try:
            same = json.loads(json.dumps(options)) == options
        except (TypeError, ValueError):
            same = False
        if not same:
            raise ValueError("options are texts, numbers, true, false, null, lists and mappings")
        return options

    @pydantic.model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}")
        return self

    @property
    def label(self) -> str:
        """What the ledger counts under."""
        return self.name or self.rule.rpartition(".")[2]

    @property
    def threshold(self) -> str:
        if self.minimum is not None and self.maximum is not None:
            return f"{self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"at least {self.minimum:g}"
        return f"no reason given by {self.rule}" if self.maximum is None else f"at most {self.maximum:g}"

    def judges(self, sides: Sides) -> bool:
        return sides.has_source or self.side in ("both", "target")

    def check(self, sides: Sides, where: str | None) -> None:  # noqa: ARG002 - other rules ask
        """There is such a function, and it takes what it will be given."""
        function = _function(self.rule, self.digest)
        texts = ("source", "target") if self.side == "pair" else ("text",)
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            return  # of functions in C nothing may be known
        try:
            signature.bind(*texts, **self.options)
        except TypeError as error:
            raise ConfigError(
                f"{self.rule} takes other arguments than it will be given ({error})",
                where=where,
                found=f"{self.label}{signature}",
                expected=f"{' and '.join(texts)}{''.join(f', {name}' for name in self.options)}",
                advice="side: pair gives source and target, any other side one text; options are given by name.",
            ) from None

    def resolved(self) -> Self:
        """The same rule with the digest of the function, so that other code makes another dataset."""
        return self.model_copy(update={"digest": _digest_of(_function(self.rule, self.digest))})

    def measure(self, rows: Rows) -> Measure:
        """Ask the function; a row without text on a side there is, which no corpus keeps, passes unasked."""
        asked = np.logical_and.reduce([side.texts.words > 0 for side in rows.each()])
        failed = np.zeros(len(rows), np.bool_)
        measured: dict[str, npt.NDArray[Any] | pa.Array] = {}
        for name, texts in self._given(rows, asked):
            answers = self._ask(texts, rows, np.flatnonzero(asked))
            fails, measured[name] = self._judge(answers, asked)
            failed |= fails
        return Measure(pa.array(failed), measured)

    def _given(self, rows: Rows, asked: Bools) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
        """What the function is given for each asked row: by side, or once for both."""
        sides = {side.name: text_rows(side.texts.column, asked) for side in rows.each()}
        if self.side == "pair":
            yield "pair", list(zip(*sides.values(), strict=True))
            return
        for name, texts in sides.items():
            if self.side in ("both", name):
                yield name, list(zip(texts, strict=True))

    def _ask(self, texts: Sequence[tuple[str, ...]], rows: Rows, places: npt.NDArray[np.intp]) -> list[Any]:
        function, options = _function(self.rule, self.digest), self.options
        answers: list[Any] = []
        try:
            for arguments in texts:
                answers.append(function(*arguments, **options))  # noqa: PERF401 - how far it came is told
        except Exception as error:
            raise InputError(
                f"{self.rule} fails",
                where=rows.place(int(places[len(answers)])),
                found=f"{type(error).__name__}: {error} ({_last_line(error)})",
                expected=self._expected,
                advice="It has to answer for every row with text.",
            ) from error
        fits = _is_reason if self._gives_reasons else _is_number
        unfit = next((place for place, answer in enumerate(answers) if not fits(answer)), None)
        if unfit is not None:
            raise InputError(
                f"{self.rule} gives an answer of another kind",
                where=rows.place(int(places[unfit])),
                found=written(answers[unfit]),
                expected=self._expected,
                advice="Give minimum or maximum where it returns numbers, none of them where it gives reasons.",
            )
        return answers

    def _judge(self, answers: list[Any], asked: Bools) -> tuple[Bools, npt.NDArray[Any] | pa.Array]:
        """Which rows fail, and what is said of each; nothing of those not asked."""
        failed = np.zeros(len(asked), np.bool_)
        if self._gives_reasons:
            failed[asked] = [reason is not None for reason in answers]
            reasons = np.full(len(asked), _NO_REASON, np.object_)
            reasons[failed] = np.array([reason for reason in answers if reason is not None], np.object_)
            return failed, pa.array(reasons, pa.string())
        values: Floats = np.full(len(asked), np.nan)
        values[asked] = answers
        if self.minimum is not None:
            failed |= below(values, self.minimum)
        if self.maximum is not None:
            failed |= above(values, self.maximum)
        return failed, values

    @property
    def _gives_reasons(self) -> bool:
        return self.minimum is None and self.maximum is None

    @property
    def _expected(self) -> str:
        return "None, or a reason to reject the row" if self._gives_reasons else "a number"


@functools.lru_cache(maxsize=64)
def _function(path: str, digest: str | None) -> _Function:
    """The function of this import path; a ConfigError where there is none, or one of another digest."""
    function = _imported(path)
    found = _digest_of(function)
    if digest is not None and found != digest:
        raise ConfigError(
            f"{path} is not the function that was asked for",
            found=f"digest {found}",
            expected=f"digest {digest}",
            advice="Every worker needs the same code. If it has changed since the run began, run the command again.",
        )
    return function


def _imported(path: str) -> _Function:
    module_name, _, name = path.rpartition(".")
    _look_in_working_folder()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ConfigError(
            f"the module of the rule {path} cannot be imported",
            where="filters.own",
            found=f"{type(error).__name__}: {error} ({_last_line(error)})",
            expected=f"a module {module_name}, installed or in the folder the command is run in",
            advice="Workers of an engine import it as well: install it there.",
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigError(
            f"the module of the rule {path} has no such function",
            where="filters.own",
            found=written(function) if hasattr(module, name) else f"{module_name} from {module.__file__}",
            advice=neighbour(
                name, [other for other, value in vars(module).items() if callable(value)], "It has others."
            ),
        )
    found: _Function = function
    return found


def _look_in_working_folder() -> None:
    """Let modules of the folder the command is run in be found as well, behind all others, as rules may import more."""
    here = os.getcwd()  # noqa: PTH109
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)


def _digest_of(function: _Function) -> str | None:
    """Names the source of a function; None where it has none (as in C)."""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        return None
    return storage.digest_bytes(textwrap.dedent(source).encode())


def _last_line(error: BaseException) -> str:
    """Where an error was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}, line {frame.lineno}"


def _is_number(answer: object) -> bool:
    if isinstance(answer, bool):
        return False
    try:
        return isinstance(answer, numbers.Real) and not math.isnan(answer)
    except OverflowError:  # an integer of many digits
        return False


def _is_reason(answer: object) -> bool:
    try:
        return answer is None or (isinstance(answer, str) and bool(answer.encode().strip()))
    except UnicodeEncodeError:  # halves of surrogate pairs
        return False
