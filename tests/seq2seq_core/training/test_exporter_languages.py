from __future__ import annotations

from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import CorpusEntry, Manifest, TokenizerEntry
from seq2seq_core.training.exporter import source_text


def manifest() -> Manifest:
    tokenizer = TokenizerEntry(path="tokenizer/joint.model", digest="t", vocabulary_size=100)
    return Manifest(
        fingerprint="f",
        source_tokenizer=tokenizer,
        target_tokenizer=tokenizer,
        splits={},
        rejected=(),
        ledger=Ledger(read=0, kept={}, duplicates=0, rejected={}),
        inputs=(),
        configuration={},
        software={},
    )


def corpus(source: str | None, target: str | None) -> CorpusEntry:
    return CorpusEntry(name="c", weight=1.0, source_language=source, target_language=target, tag=None, origins=())


def test_the_model_learns_of_the_languages_its_corpora_agree_on() -> None:
    of = manifest()
    told = of.model_copy(update={"corpora": (corpus("de", "en-GB"), corpus(None, "en-US"))})
    text = source_text(told, max_source_tokens=4)
    assert (text.source_language, text.target_language) == ("de", "en")
    many = of.model_copy(update={"corpora": (corpus("en", "de"), corpus("en", "fr"))})
    text = source_text(many, max_source_tokens=4)
    assert (text.source_language, text.target_language) == ("en", None)
    assert source_text(of, max_source_tokens=4).source_language is None
