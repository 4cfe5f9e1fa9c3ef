"""`seq2seq translate --follow`: documents that land in, the translation of each in a folder of its own, out.

The model is loaded once and stays loaded. When another one stands in its folder, files that are begun from then on are
translated by that one; the manifest of each says by which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import pydantic
from pydantic import Field

from pipelines.commands import here, translate
from pipelines.commands.call import Call
from pipelines.commands.follow.desk import Desk, Place
from pipelines.commands.follow.keys import FollowKeys
from pipelines.commands.translate import TranslateConfig
from pipelines.local.following import alone, follow
from seq2seq_core.config import Location
from seq2seq_core.errors import ConfigError
from seq2seq_core.inference.answering import answer
from seq2seq_core.inference.job import TranslationJob
from seq2seq_core.inference.manifest import Output
from seq2seq_core.inference.memory.settling import settle
from seq2seq_core.inference.translator import Translator
from seq2seq_core.inference.translator_config import load_translator
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.lookout import Lookout
from seq2seq_core.landing.terms import Landed
from seq2seq_core.landing.zone import Zone


class FollowTranslateConfig(TranslateConfig, FollowKeys):
    """What `seq2seq translate --follow` watches."""

    interactive: tuple[Location, ...] = Field(
        (), description="more files, globs, folders or URLs, whose documents go before those of input"
    )
    unit_records: int = Field(
        500,
        ge=1,
        le=1 << 31,
        description="records that are translated and committed together; behind them an interactive document is seen",
    )

    @pydantic.model_validator(mode="after")
    def _does_what_lands(self) -> Self:
        if self.retry_failures:
            raise ValueError("retry_failures is for outputs that are finished: run translate on them, without --follow")
        return self


def main(call: Call) -> int:
    """Follow the landing zones of documents."""
    if call.words:
        raise ConfigError(f"unexpected argument {call.words[0]!r}", expected="--follow --input FILES --output FOLDER")
    run(call.load(FollowTranslateConfig), call.beam_options())
    return 0


def run(config: FollowTranslateConfig, beam_arguments: Sequence[str] = ()) -> None:
    """Translate what lands, until it is stopped or idle for long.

    Raises:
        ClaimError: Another process follows into the folder.
        Seq2SeqError: There is no model, or the zones cannot be read.
    """
    if not here.is_here(beam_arguments):
        raise ConfigError("translate --follow runs on this machine", found=" ".join(beam_arguments))
    translate.provenance_of(config)  # what is wrong with the model is told before anything has landed
    names = config.landing.unfinished
    zones = [Zone((patterns,), names, config.output) for patterns in (config.interactive, config.input)]
    ledger = Ledger(config.output)
    lookout = Lookout(zones, config.landing, ledger)
    with alone(ledger, "translation"):
        place = Place(config.output, config.on_error)
        if config.memory.url:
            settle(config.memory.url)
        desk = Desk(place, config.landing, ledger, lookout, Translating(config).begin)
        follow(desk.step, config.landing.look_seconds, config.idle_seconds)


class Translating:
    """Translates one file after the other with the model that stands in its folder by then."""

    def __init__(self, config: TranslateConfig) -> None:
        values = {name: getattr(config, name) for name in TranslateConfig.model_fields}
        self._config = TranslateConfig(**values)
        self._loaded: tuple[str, Translator] | None = None

    def begin(self, landed: Landed, root: str) -> Iterator[Output | None]:
        """See `desk.Begin`; the errors are those of `translate.make_job` and `answering.answer`."""
        job = translate.make_job(self._config.model_copy(update={"input": landed.urls, "output": root}))
        yield from answer(job, self._translator(job))

    def _translator(self, job: TranslationJob) -> Translator:
        digest = job.provenance.model.digest
        if self._loaded is None or self._loaded[0] != digest:
            self._loaded = None  # one at a time in memory
            self._loaded = digest, load_translator(job.translator, digest)
        return self._loaded[1]
