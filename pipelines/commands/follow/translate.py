"""`seq2seq translate --follow`: documents that land in, the translation of each in a folder of its own, out.

The model is loaded once and stays loaded. When another one stands in its folder, files that are begun from then on are
translated by that one; the manifest of each says by which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import pydantic
from pydantic import Field

from pipelines.commands import translate
from pipelines.commands.call import Call
from pipelines.commands.follow.answering import AnswerKeys, answer_what_lands, refuse_engines, without_follow
from pipelines.commands.translate import TranslateConfig
from seq2seq_core.errors import ConfigError
from seq2seq_core.inference.answering import answer
from seq2seq_core.inference.job import TranslationJob
from seq2seq_core.inference.manifest import Output
from seq2seq_core.inference.memory.settling import settle
from seq2seq_core.inference.translator import Translator
from seq2seq_core.inference.translator_config import load_translator
from seq2seq_core.landing.terms import Landed


class FollowTranslateConfig(TranslateConfig, AnswerKeys):
    """What `seq2seq translate --follow` watches."""

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
    refuse_engines(beam_arguments, "translate")
    translate.provenance_of(config)  # what is wrong with the model is told before anything has landed
    if config.memory.url:
        settle(config.memory.url)
    answer_what_lands(config, "translation", Translating(config).begin)


class Translating:
    """Translates one file after the other with the model that stands in its folder by then."""

    def __init__(self, config: TranslateConfig) -> None:
        self._config = without_follow(config, TranslateConfig)
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
