"""A yard: folders of jobs of every kind in every state, made of small files, on a disk or in a store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.claims import Claim, Holder, Place, this_process
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import GenerationEntry, Manifest, manifest_text
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange
from seq2seq_core.inference.commit import UnitEntry, commit
from seq2seq_core.inference.manifest import Measured, ModelEntry, Output, Transcription, TranslatedInput, publish_output
from seq2seq_core.inference.opening import announce
from seq2seq_core.inference.speech.terms import AudioFile, Part, Recording, SpeechUnit
from seq2seq_core.inference.unit import DocumentUnit, units_of
from seq2seq_core.kinds import Work
from seq2seq_core.preparation.planning.watch import Totals
from seq2seq_core.preparation.terms import layout
from seq2seq_core.training.checkpoints.checkpoint import Marker
from seq2seq_core.training.checkpoints.run_state import Ended, RunState

MODEL = ModelEntry(url="m", digest="abc", lineage=None)
FACTS: dict[str, Any] = {"fingerprint": "f", "model": MODEL, "configuration": {}, "software": {}}
RECORDS = CountedInput(
    InputFile("in/a.txt", "a", ".txt", "text"), "fa", 9, tuple(RecordRange(i * 10, 10) for i in range(4))
)


class Yard:
    """Puts into one folder what jobs leave there."""

    def __init__(self, url: str) -> None:
        self.url = url

    def write(self, name: str, text: str) -> None:
        storage.publish_text(storage.join(self.url, name), text)

    def claim(self, work: Work, *, is_dead: bool, name: str = "claim.json", folder: str = ".claim") -> Holder:
        """The claim of a run of this process, or of one that has ended."""
        holder = this_process()
        if is_dead:
            ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
            ended.wait()
            holder = holder.model_copy(update={"process": ended.pid})
        place = Place(storage.join(self.url, folder), name)
        place.note(holder, "f")
        place.create(Claim(work=work, fingerprint="f"))
        return holder

    def dataset(self) -> None:
        ledger = Ledger(read=100, kept={"train": 80, "valid": 5}, duplicates=10, rejected={"empty": 3, "ratio": 2})
        generation = GenerationEntry(index=0, fingerprint="f", ledger=ledger, inputs=())
        empty: dict[str, Any] = {"source_tokenizer": None, "target_tokenizer": None, "splits": {}, "rejected": ()}
        rest: dict[str, Any] = {"inputs": (), "configuration": {}, "software": {}, "generations": (generation,)}
        self.write("dataset.json", manifest_text(Manifest(fingerprint="f", ledger=ledger, **empty, **rest)))

    def begun_generation(self, number: int = 0) -> None:
        """A plan of two units, and none of them done."""
        work = layout.work_name(number, "0123456789abcdef" * 2)
        totals = Totals(work=work, rows=50, weights=(1, 1), shards=1)
        self.write(f"_work/progress-{number:05d}.json", totals.model_dump_json())
        self.write(f"_work/{work}/files.json", "{}")

    def planned_translation(self, done: int, failed: int = 0) -> None:
        """Four units of ten records, of which some are done."""
        units = units_of(RECORDS, "f")
        announce(self.url, [(unit, unit.part.records) for unit in units])
        for unit in units[:done]:
            commit(self.url, unit, b"", [])
        if failed:
            self._fail(units[0], failed)

    def _fail(self, unit: DocumentUnit, failed: int) -> None:
        url = storage.join(self.url, ".units", f"{unit.path}.json")
        entry = UnitEntry.model_validate_json(storage.read_bytes(url))
        storage.publish_text(url, entry.model_copy(update={"failed": failed}).model_dump_json())

    def planned_transcription(self) -> None:
        recording = Recording(AudioFile("in/a.wav", "a"), 9, "00000000", rate=10, channels=1, samples=600)
        unit = SpeechUnit((Part(recording, 0, 600),), "f")
        announce(self.url, [(unit, round(unit.seconds))])

    def translation(self, failed: int = 0) -> None:
        counts: dict[str, Any] = {"records": 40, "failed": failed, "fingerprint": "f"}
        entry = UnitEntry(path="a", first_record=0, bytes=0, digest="", failures=None, **counts)
        read = TranslatedInput(url="a", format="text", bytes=0, outputs=(entry,), **counts)
        publish_output(self.url, Output(records_in=40, records_out=40, failed=failed, inputs=(read,), **FACTS))

    def transcription(self) -> None:
        measured = Measured(audio_seconds=60.0, seconds=6.0, real_time_factor=0.1)
        seconds: dict[str, Any] = {"audio_seconds": 60.0, "speech_seconds": 50.0, "measured": measured}
        counts: dict[str, Any] = {"records_in": 2, "records_out": 2, "failed": 0, "inputs": (), "outputs": ()}
        publish_output(self.url, Transcription(**seconds, **counts, **FACTS))

    def run(self, step: int, saved: int | None, *, has_ended: bool = False, most: int | None = 500) -> None:
        self.write("config.yaml", json.dumps({"dataset": "d", "limits": {"max_steps": most}}))
        rows = [{"kind": "train", "step": n, "epoch": 1, "loss": 4.5, "skipped": 2} for n in range(10, step + 1, 10)]
        self.write("metrics.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows) + '{"kind": "tra')
        if saved is not None:
            ended = Ended(configuration="c", best="b", last="l") if has_ended else None
            marker = Marker(progress=RunState(step=saved, epoch=1, ended=ended), identity={}, files={})
            self.write(f"checkpoints/step-{saved:08d}/checkpoint.json", marker.model_dump_json())


@pytest.fixture(params=["local", "memory"])
def yard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Yard]:
    url = str(tmp_path / "out") if request.param == "local" else f"memory://yard/{tmp_path.name}"
    yield Yard(url)
    storage.remove(url)
