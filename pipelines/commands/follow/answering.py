"""What answers one file in, a command that answers each file that lands, for as long as it is let, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from pydantic import Field

from pipelines.commands import here
from pipelines.commands.follow.desk import Begin, Desk, Place
from pipelines.commands.follow.keys import FollowKeys
from pipelines.local.following import alone, follow
from seq2seq_core.config import Config, Location
from seq2seq_core.errors import ConfigError
from seq2seq_core.inference.commit import OnError
from seq2seq_core.kinds import Work
from seq2seq_core.landing.config import LandingConfig
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.lookout import Lookout
from seq2seq_core.landing.zone import Zone

_Plain = TypeVar("_Plain", bound=Config)


class AnswerKeys(FollowKeys):
    """How a command follows landing zones whose files are answered one by one."""

    interactive: tuple[Location, ...] = Field(
        (), description="more files, globs, folders or URLs, which go before those of input"
    )


class _Answers(Protocol):
    """The keys of such a command."""

    @property
    def input(self) -> tuple[str, ...]: ...
    @property
    def interactive(self) -> tuple[str, ...]: ...
    @property
    def output(self) -> str: ...
    @property
    def on_error(self) -> OnError: ...
    @property
    def landing(self) -> LandingConfig: ...
    @property
    def idle_seconds(self) -> float | None: ...


def refuse_engines(beam_arguments: Sequence[str], command: str) -> None:
    """Raise a ConfigError where an engine is named: files are answered here."""
    if not here.is_here(beam_arguments):
        raise ConfigError(f"{command} --follow runs on this machine", found=" ".join(beam_arguments))


def answer_what_lands(config: _Answers, work: Work, begin: Begin) -> None:
    """Answer what lands, until it is stopped or idle for long.

    Raises:
        ClaimError: Another process follows into the folder.
        Seq2SeqError: The zones cannot be read, or see `desk.Desk.step`.
    """
    names = config.landing.unfinished
    zones = [Zone((patterns,), names, config.output) for patterns in (config.interactive, config.input)]
    ledger = Ledger(config.output)
    lookout = Lookout(zones, config.landing, ledger)
    with alone(ledger, work):
        desk = Desk(Place(config.output, config.on_error), config.landing, ledger, lookout, begin)
        follow(desk.step, config.landing.look_seconds, config.idle_seconds)


def without_follow(config: Config, plain: type[_Plain]) -> _Plain:
    """The configuration of the command that answers one file, of that of the one that follows."""
    return plain(**{name: getattr(config, name) for name in plain.model_fields})
