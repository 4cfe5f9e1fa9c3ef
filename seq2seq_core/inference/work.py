"""A unit of documents in, its committed output out: what a worker does, here or in a process of its own."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from seq2seq_core.documents.fields import Fields
from seq2seq_core.inference.commit import OnError, UnitEntry, commit_unit
from seq2seq_core.inference.translator import Translator
from seq2seq_core.inference.translator_config import TranslatorConfig, load_translator
from seq2seq_core.inference.unit import DocumentUnit, Translates, read_unit, translate_unit


@dataclass(frozen=True)
class Hand:
    """What translates: a model, which must be of this digest, the way it is used, where outputs go; see `read_unit`."""

    config: TranslatorConfig
    digest: str
    output: str
    fields: Fields
    on_error: OnError
    retried: str | None = None


@dataclass
class _Loaded:
    """The one translator of a process; it is loaded when it is first needed."""

    key: tuple[TranslatorConfig, str] | None = None
    translator: Translator | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, hand: Hand) -> Translator:
        with self.lock:
            key = (hand.config, hand.digest)
            if self.translator is None or self.key != key:
                self.translator, self.key = load_translator(hand.config, hand.digest), key
            return self.translator


_LOADED = _Loaded()


def work(hand: Hand, unit: DocumentUnit) -> UnitEntry:
    """Read, translate and commit a unit; see `unit.read_unit` and `commit.commit_unit` for the errors."""
    return work_with(_LOADED.of(hand), hand, unit)


def work_with(translator: Translates, hand: Hand, unit: DocumentUnit) -> UnitEntry:
    """The same by a translator that is loaded."""
    translated = translate_unit(read_unit(unit, hand.fields, hand.retried), translator)
    return commit_unit(translated, hand.output, hand.fields, hand.on_error)
