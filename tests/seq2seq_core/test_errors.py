from __future__ import annotations

import pickle

from seq2seq_core.errors import InputError, Seq2SeqError


def test_the_message_names_place_finding_expectation_and_advice() -> None:
    error = InputError("bad line", where="a.txt:3", found="2 columns", expected=3, advice="Look at it.")
    assert str(error) == "a.txt:3: bad line; found 2 columns; expected 3. Look at it."
    assert str(Seq2SeqError("plain")) == "plain"


def test_an_error_survives_a_process_border() -> None:
    error = InputError("bad line", where="a.txt:3", advice="Look at it.")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is InputError
    assert str(copy) == str(error)


def test_a_message_is_one_line_that_every_terminal_can_take() -> None:
    error = InputError("odd\nname", where="caf\udce9.txt", found="a\r\nb")
    assert str(error) == "caf\\udce9.txt: odd\\nname; found a\\r\\nb"
    assert str(error).encode()
