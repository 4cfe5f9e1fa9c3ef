"""The variables torchrun sets in; this process's place among those that train together out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from seq2seq_core.errors import ConfigError
from seq2seq_core.training.processes.early import LAUNCHER, TORCHRUN

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

_HOSTED = "TORCHELASTIC_USE_AGENT_STORE"

_MOST_PROCESSES, _LAST_PORT, _LAST_PROCESS = 1_000_000, 65_535, 10**9 - 1
_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Place:
    """Where a process stands.

    Attributes:
        rank: Among all, from 0.
        size: All processes, on all machines.
        local_rank: Among those of this machine, from 0.
        local_size: Processes of this machine.
        address: Host and port where they meet; empty and 0 for a process that trains alone.
        launcher: Number of the process that started this one as one of several, and tells how they ended; or None.
        is_hosted: Whether that one has opened the address; else rank 0 does.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    address: tuple[str, int] = ("", 0)
    launcher: int | None = None
    is_hosted: bool = False

    @property
    def meeting(self) -> str:
        """Host and port, as people write them."""
        return ":".join(map(str, self.address))


def find_place(environment: Mapping[str, str] | None = None) -> Place:
    """The place that torchrun's variables describe, of this process unless others are given; alone without them.

    Raises:
        ConfigError: Some of the variables are missing, or one is out of range.
    """
    values = os.environ if environment is None else environment
    given = [name for name in VARIABLES if name in values]
    if not given:
        return Place()
    missing = [name for name in VARIABLES if name not in values]
    if missing:
        raise ConfigError(
            "variables of torchrun are set in part",
            where=given[0],
            found=f"{' '.join(f'{name}={values[name]}' for name in given)}, but no {', '.join(missing)}",
            expected="all of them or none",
            advice=f"Unset {' and '.join(given)}, or start with torchrun.",
        )
    size = _number(values, "WORLD_SIZE", 1, _MOST_PROCESSES)
    local_size = _number(values, "LOCAL_WORLD_SIZE", 1, size, "WORLD_SIZE")
    if not re.fullmatch(r"\S+", values["MASTER_ADDR"]):
        raise _wrong(values, "MASTER_ADDR", "a host name or address")
    return Place(
        rank=_number(values, "RANK", 0, size - 1, "WORLD_SIZE"),
        size=size,
        local_rank=_number(values, "LOCAL_RANK", 0, local_size - 1, "LOCAL_WORLD_SIZE"),
        local_size=local_size,
        address=(values["MASTER_ADDR"], _number(values, "MASTER_PORT", 1, _LAST_PORT)),
        launcher=_launcher(values),
        is_hosted=LAUNCHER in values or (TORCHRUN in values and values.get(_HOSTED) == "True"),
    )


def variables(place: Place) -> dict[str, str]:
    """The variables that describe a place in a training that this process launches."""
    host, port = place.address
    values = (place.rank, place.size, place.local_rank, place.local_size, host, port)
    return {**dict(zip(VARIABLES, map(str, values), strict=True)), LAUNCHER: str(os.getpid())}


def refuse_launching(environment: Mapping[str, str] | None = None) -> None:
    """Refuse to start several processes from one that was itself started as one of several.

    Raises:
        ConfigError: Variables of torchrun are set.
    """
    values = os.environ if environment is None else environment
    find_place(values)
    if "RANK" in values:
        raise ConfigError(
            "a process that torchrun started does not start others",
            where="RANK",
            found=f"{' '.join(f'{name}={values[name]}' for name in VARIABLES)}",
            expected="none of them",
            advice="Unset them all, or let torchrun alone say how many processes there are, without --processes.",
        )


def _launcher(values: Mapping[str, str]) -> int | None:
    if LAUNCHER in values:
        return _number(values, LAUNCHER, 1, _LAST_PROCESS)
    return os.getppid() if TORCHRUN in values else None


def _number(values: Mapping[str, str], name: str, least: int, most: int, bound: str | None = None) -> int:
    text = values[name]
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        because = f", as {bound} is {values[bound]}" if bound else ""
        raise _wrong(values, name, f"a whole number from {least} to {most}{because}")
    return int(text)


def _wrong(values: Mapping[str, str], name: str, expected: str) -> ConfigError:
    return ConfigError(
        "this variable of torchrun cannot be used",
        where=name,
        found=repr(values[name]),
        expected=expected,
        advice=f"Unset {name} and the other variables of torchrun, or start with torchrun.",
    )
