from __future__ import annotations

from seq2seq_core.config import keys
from tests.docs.calls import KEYS
from tests.docs.configuration import PAGE, page


def test_the_page_says_what_the_classes_say() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_every_key_of_every_command_is_on_it() -> None:
    shown = {line.split("`")[1] for line in page().splitlines() if line.startswith("| `")}
    for kind in KEYS.values():
        for key in keys(kind):
            parts = key.name.split(".")
            assert any(".".join(parts[place:]) in shown for place in range(len(parts))), key.name
