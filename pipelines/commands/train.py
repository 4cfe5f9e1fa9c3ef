"""`seq2seq train`: a dataset folder in, a run folder out, by as many processes as are asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.commands.call import Call
from seq2seq_core.errors import ConfigError
from seq2seq_core.options import take_option

if TYPE_CHECKING:
    from seq2seq_core.training.fitting.search import Measured

_PROCESSES, _FIND_BATCH = "--processes", "--find-batch"
_MOST_PROCESSES = 1000
_HEADER = "padded tokens  rows of the longest     memory         of  s a step   tokens/s"
_GIGABYTES = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


def main(call: Call) -> int:
    """A dataset folder to a run folder."""
    from seq2seq_core.training import launch

    options, processes = _take_processes(call.options)
    options, is_search, limit = _take_find_batch(options)
    if is_search:
        return _find_batch(call, options, processes, limit)
    return launch.launch(call.config_file, options, processes)


def _take_processes(options: Sequence[str]) -> tuple[list[str], int]:
    """Remove `--processes N` from the options: it says how to start, and is no key of the configuration."""
    value, rest = take_option(options, _PROCESSES, "number")
    if value is None:
        return rest, 1
    if not (value.isascii() and value.isdigit() and 0 < len(value) < len(str(_MOST_PROCESSES))):
        raise ConfigError(
            f"{_PROCESSES} needs a number", found=value or "nothing", expected=f"1 to {_MOST_PROCESSES - 1:,}"
        )
    return rest, int(value)


def _take_find_batch(options: Sequence[str]) -> tuple[list[str], bool, int | None]:
    """Remove `--find-batch [GB]`; whether it stands there, and how many bytes it allows."""
    places = [place for place, word in enumerate(options) if _name(word) == _FIND_BATCH]
    if not places:
        return list(options), False, None
    if len(places) > 1:
        raise ConfigError(f"{_FIND_BATCH} stands twice")
    place = places[0]
    before, (word, *rest) = options[:place], options[place:]
    value = word.partition("=")[2] if "=" in word else ""
    if "=" not in word and rest and not rest[0].startswith("--"):
        value, *rest = rest
    if "=" not in word and not value:
        return [*before, *rest], True, None
    if not _GIGABYTES.fullmatch(value) or not float(value):
        raise ConfigError(
            f"{_FIND_BATCH} takes gigabytes, or nothing",
            found=value or "nothing",
            expected="a number such as 12 or 7.5",
        )
    return [*before, *rest], True, int(float(value) * 1e9)


def _name(word: str) -> str:
    return word.partition("=")[0].replace("_", "-")


def _find_batch(call: Call, options: Sequence[str], processes: int, limit: int | None) -> int:
    """Measure what fits into memory, a line a size, and say what to set."""
    from seq2seq_core import config as configuration
    from seq2seq_core.terminal import say
    from seq2seq_core.training.config import TrainConfig
    from seq2seq_core.training.fitting.find import find_batch
    from seq2seq_core.training.optimization.loss import Objective

    config = configuration.load(TrainConfig, call.config_file, configuration.parse_overrides(TrainConfig, options))
    say(_HEADER)
    best = None
    for found in find_batch(config, call.config_file, options, max(processes, 1), limit):
        say(_line(found))
        best = found if found.fits and (best is None or found.tokens > best.tokens) else best
    if best is not None:
        tokens = best.tokens // Objective(config.label_smoothing, config.r_drop).passes * max(processes, 1)
        say(f"set --loader.max_tokens_per_device {best.tokens}; a global batch of --data.batch_tokens {tokens} is then")
        say("computed at once, and of a larger one several parts after one another, with the same result")
    return 0


def _line(found: Measured) -> str:
    rows = f"{found.rows:,} x {found.length:,}"
    if found.seconds is None:
        speed = f"{'no room':>8}"
    else:
        speed = f"{found.seconds:>8.2f}  {found.tokens / found.seconds:>9,.0f}" + ("" if found.fits else "  too tight")
    memory, limit = (f"{size / 1e9:.2f} GB" for size in (found.memory, found.limit))
    return f"{found.tokens:>13,}  {rows:>19}  {memory:>9}  {limit:>9}  {speed}"
