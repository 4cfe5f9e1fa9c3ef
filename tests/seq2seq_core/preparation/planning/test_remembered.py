"""How inputs looked is kept beside generations, is found again, and may be lost."""

from __future__ import annotations

from pathlib import Path

from seq2seq_core import storage
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import GenerationEntry, Manifest
from seq2seq_core.preparation.planning.remembered import remember, remember_together, remembered

LOOKS = [storage.digest_bytes(bytes([number])) for number in range(6)]


def entry(last: int, first: int | None = None) -> GenerationEntry:
    ledger = Ledger(read=0, kept={}, duplicates=0, rejected={})
    return GenerationEntry(index=last, first=first, fingerprint=f"{last}" * 32, ledger=ledger, inputs=())


def manifest_of(*entries: GenerationEntry) -> Manifest:
    nothing = Ledger(read=0, kept={}, duplicates=0, rejected={})
    return Manifest(
        fingerprint="f",
        source_tokenizer=None,
        target_tokenizer=None,
        splits={},
        rejected=(),
        ledger=nothing,
        inputs=(),
        generations=entries,
        configuration={},
        software={},
    )


def test_what_was_kept_of_several_generations_is_found_before_and_after_they_are_one(tmp_path: Path) -> None:
    root, entries = str(tmp_path), (entry(0), entry(1), entry(2))
    remember(root, entries[0], LOOKS[:2])
    remember(root, entries[1], LOOKS[1:4])
    remember(root, entries[2], ())
    manifest = manifest_of(*entries)
    assert remembered(root, manifest, LOOKS) == set(LOOKS[:4])
    folded = entry(2, 0)
    remember_together(root, folded, entries)
    assert remembered(root, manifest_of(folded), LOOKS) == set(LOOKS[:4])
    assert (tmp_path / folded.looks_path).stat().st_size == 4 * 16
    storage.remove(str(tmp_path / "looks"))
    assert remembered(root, manifest, LOOKS) == set()
    assert remembered(root, None, LOOKS) == set()
