"""Files that change, where their old rows go: the rows are those of one batch run over the files as they are now."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands import prepare
from pipelines.commands.follow import prepare as command
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import ConfigError
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.terms import BatchRecord, FileRecord
from seq2seq_core.preparation.compaction.compact import compact
from tests.landing import AT_ONCE, batch, following, ids, land, rows_of
from tests.processes import tree

COLUMNS = ("id", "source", "target")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("first")
    land(root / "in", "0", rows_of(0))
    prepare.run(batch(root / "in", root / "out"))
    return {"model": str(root / "out" / "tokenizer" / "joint.model")}


class Zone:
    """A landing zone with rows that stand in several files, and what follows it."""

    def __init__(self, folder: Path, tokenizer: dict[str, str]) -> None:
        self.folder, self.output, self._tokenizer = folder / "in", folder / "out", tokenizer
        self._batches = 0

    def land(self, name: str, *seeds: int) -> None:
        land(self.folder, name, [row for seed in seeds for row in rows_of(seed, 20)])

    def follow(self, **more: Any) -> None:
        landing = AT_ONCE | {"changed": "replace"}
        settings = {"generation_files": 2, "idle_seconds": 0.05, "landing": landing, "tokenizer": self._tokenizer}
        command.run(following(self.folder, self.output, **settings | more))

    def check(self) -> None:
        """The rows are those of one batch run, and all counts of the dataset hold."""
        self._batches += 1
        whole = self.output.with_name(f"whole-{self._batches}")
        files = sorted(str(file) for file in self.folder.iterdir() if file.stat().st_size)
        prepare.run(batch(self.folder, whole, tokenizer=self._tokenizer, path=files))
        found = ids(self.output, COLUMNS)
        assert found == ids(whole, COLUMNS)
        assert len(found) == len(set(found))
        assert verify(str(self.output)).unlisted == ()


@pytest.fixture
def zone(tmp_path: Path, tokenizer: dict[str, str]) -> Zone:
    """Three files in two generations: rows of seed 5 stand in all of them."""
    zone = Zone(tmp_path, tokenizer)
    for name, seeds in (("a", (1, 5)), ("b", (2, 5)), ("c", (3, 5))):
        zone.land(name, *seeds)
    zone.follow()
    return zone


def test_rows_of_the_old_content_go_and_those_that_others_have_come_in(zone: Zone) -> None:
    zone.land("a", 1, 9)
    zone.follow()
    zone.check()
    manifest = load_manifest(str(zone.output))
    taken_out, added = manifest.generations[-2:]
    assert taken_out.replaced == ("a.tsv",)
    assert taken_out.ledger.replaced == -taken_out.ledger.kept["train"] > 0
    assert added.ledger.read == 40, "what is read again is not counted again"
    assert manifest.ledger.balance == 0


def test_a_file_may_change_back_and_be_emptied(zone: Zone) -> None:
    for seeds in ((9,), (1, 5), (), (1, 5)):
        zone.land("a", *seeds)
        zone.follow()
        zone.check()


def test_generations_are_folded_before_and_after(zone: Zone) -> None:
    compact(str(zone.output), 0)
    zone.land("b", 8)
    zone.follow()
    zone.check()
    zone.land("c", 8, 5)
    zone.follow(compaction={"beyond": 2, "grace_seconds": 0})
    zone.check()
    compact(str(zone.output), 0)
    zone.check()
    zone.land("c", 3)
    zone.follow()
    zone.check()


def test_any_changes_in_any_order(tmp_path: Path, tokenizer: dict[str, str]) -> None:
    draw, zone = random.Random(3), Zone(tmp_path, tokenizer)
    zone.land("a", 0)
    for _ in range(3):
        for name in draw.sample("abcd", k=draw.randint(1, 3)):
            zone.land(name, *draw.sample(range(6), k=draw.randint(1, 3)))
        zone.follow(compaction={"beyond": 3, "grace_seconds": 0})
        zone.check()


def test_what_was_read_of_a_file_that_has_gone_stays(zone: Zone) -> None:
    before = ids(zone.output)
    (zone.folder / "b.tsv").unlink()
    zone.follow()
    assert ids(zone.output) == before


def test_what_a_killed_run_has_done_is_not_done_twice(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    zone.land("a", 1, 9)

    def die(ledger: Ledger, done: BatchRecord, files: list[FileRecord]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(Ledger, "close", die)
        with pytest.raises(KeyboardInterrupt):
            zone.follow()
    before = tree(zone.output / "generations")
    zone.follow()
    assert tree(zone.output / "generations") == before
    zone.check()


def test_a_file_that_cannot_be_read_keeps_its_rows(zone: Zone) -> None:
    more = {"path": str(zone.folder / "*"), "format": "tsv"}
    packed = zone.folder / "packed.tsv.gz"
    packed.write_bytes(gzip.compress(b"a red dog\tgod der a\n"))
    zone.follow(**more)
    before = ids(zone.output)
    packed.write_bytes(b"no archive")
    zone.follow(**more)
    assert ids(zone.output) == before


def test_near_duplicates_cannot_be_taken_back(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not go with near_duplicates"):
        following(tmp_path / "in", tmp_path / "out", near_duplicates=True, landing={"changed": "replace"})
