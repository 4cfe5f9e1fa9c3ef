"""Who is answered first, and what becomes of files that cannot be: with answers that are made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.commands.follow.desk import Desk, Place
from seq2seq_core.errors import InputError, ModelError, Seq2SeqError, StorageError
from seq2seq_core.inference.manifest import AnyOutput, ModelEntry, Output, TranslatedInput, publish_output
from seq2seq_core.landing.config import LandingConfig
from seq2seq_core.landing.ledger import Ledger, history
from seq2seq_core.landing.lookout import Lookout
from seq2seq_core.landing.terms import Landed
from seq2seq_core.landing.zone import Zone


class Office:
    """Two zones, `now` before `bulk`, and what was done."""

    def __init__(self, root: Path, on_error: str = "keep") -> None:
        self.root, self.done, self.errors = root, list[str](), dict[str, Seq2SeqError]()
        self.units: Callable[[str], int] = lambda name: 3
        landing = LandingConfig(settle_seconds=0, look_seconds=1.0, patience_seconds=10)
        zones = [Zone(((str(root / name),),)) for name in ("now", "bulk")]
        self.ledger = Ledger(str(root / "out"))
        self.lookout = Lookout(zones, landing, self.ledger)
        place = Place(str(root / "out"), "fail" if on_error == "fail" else "keep")
        self.desk = Desk(place, landing, self.ledger, self.lookout, self._begin)

    def land(self, name: str, text: str = "text") -> None:
        (self.root / name).parent.mkdir(exist_ok=True, parents=True)
        (self.root / name).write_text(text)

    def states(self) -> dict[str, str]:
        return {Path(record.key).name: record.state for record in history(str(self.root / "out"))}

    def _begin(self, landed: Landed, root: str) -> Iterator[AnyOutput | None]:
        name = landed.below
        for unit in range(self.units(name)):
            if name in self.errors:
                raise self.errors[name]
            self.done.append(f"{name} {unit}")
            yield None
        entry = TranslatedInput(
            url=landed.urls[0], format="f", bytes=1, fingerprint="1", records=1, failed=0, outputs=()
        )
        model = ModelEntry(url="m", digest="d", lineage=None)
        told = {"records_in": 1, "records_out": 1, "failed": 0, "configuration": {}, "software": {}}
        output = Output.model_validate({"fingerprint": "f", "model": model, "inputs": (entry,), **told})
        publish_output(root, output)
        yield output


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_files_are_answered_in_the_order_in_which_they_land(office: Office) -> None:
    assert office.desk.step(0.0) is False
    for second, name in enumerate(("b", "a", "c")):
        office.land(f"bulk/{name}")
        office.lookout.look(float(second))
    office.units = lambda name: 1
    for _ in range(6):
        assert office.desk.step(10.0)
    assert office.done == ["b 0", "a 0", "c 0"]
    assert office.states() == dict.fromkeys("abc", "taken")
    assert {record.model for record in history(str(office.root / "out"))} == {"d"}
    assert office.desk.step(20.0) is False


def test_an_interactive_file_goes_before_what_is_under_way_behind_its_unit(office: Office) -> None:
    office.land("bulk/long")
    office.desk.step(0.0)
    office.land("now/short")
    for second in range(1, 9):
        office.desk.step(float(second))
    assert office.done == ["long 0", "short 0", "short 1", "short 2", "long 1", "long 2"]


def test_a_look_is_not_made_behind_every_unit(office: Office) -> None:
    office.land("bulk/long")
    office.desk.step(0.0)
    office.land("now/short")
    for second in (0.1, 0.2, 1.5):
        office.desk.step(second)
    assert office.done[:3] == ["long 0", "long 1", "long 2"]
    office.desk.step(30.0)
    assert office.done[3:4] == ["short 0"]


def test_a_file_that_cannot_be_read_is_taken_down_and_the_others_go_on(office: Office) -> None:
    office.land("bulk/bad")
    office.land("bulk/good")
    office.errors["bad"] = InputError("damaged")
    for second in range(8):
        office.desk.step(float(second))
    assert office.states() == {"bad": "failed", "good": "taken"}
    office.errors.clear()
    office.land("bulk/bad", "repaired")
    for second in range(10, 16):
        office.desk.step(float(second))
    assert office.states() == {"bad": "taken", "good": "taken"}


def test_or_it_ends_the_run(tmp_path: Path) -> None:
    office = Office(tmp_path, on_error="fail")
    office.land("bulk/bad")
    office.errors["bad"] = InputError("damaged")
    with pytest.raises(InputError, match="damaged"):
        office.desk.step(0.0)


def test_a_file_that_changed_is_begun_anew(office: Office) -> None:
    office.land("bulk/a")
    office.desk.step(0.0)
    office.land("bulk/a", "something else")
    office.errors["a"] = InputError("the file has changed")
    office.desk.step(0.5)
    office.errors.clear()
    for second in range(1, 6):
        office.desk.step(float(second))
    assert office.done == ["a 0", "a 0", "a 1", "a 2"]
    assert office.states() == {"a": "taken"}


@pytest.mark.parametrize("error", [StorageError("no answer"), ModelError("half a model")])
def test_what_may_pass_is_tried_again_for_a_while(office: Office, error: Seq2SeqError) -> None:
    office.land("bulk/a")
    office.errors["a"] = error
    for second in range(10):
        office.desk.step(float(second))
    assert office.states() == {}
    if isinstance(error, ModelError):
        with pytest.raises(ModelError, match="half a model"):
            office.desk.step(10.0)
    else:
        office.desk.step(10.0)
        assert office.states() == {"a": "failed"}


def test_two_files_of_one_place_do_not_replace_each_other(office: Office) -> None:
    office.land("now/a")
    office.land("bulk/a")
    for second in range(8):
        office.desk.step(float(second))
    found = {record.key: record for record in history(str(office.root / "out"))}
    assert found[str(office.root / "now" / "a")].state == "taken"
    assert found[str(office.root / "bulk" / "a")].state == "failed"
    assert "the answer of another file stands" in str(found[str(office.root / "bulk" / "a")].reason)
