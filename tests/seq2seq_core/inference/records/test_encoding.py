from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.errors import InputError
from seq2seq_core.inference.records.encoding import refuse_wide, wide_encoding

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
WIDE = ["utf-16", "utf-32"]


@given(text=TEXT, mark=st.sampled_from(["", "\ufeff"]))
def test_no_text_in_utf8_is_taken_for_another_encoding(text: str, mark: str) -> None:
    assert wide_encoding((mark + text).encode()) is None


@given(text=TEXT, encoding=st.sampled_from(WIDE))
def test_a_mark_tells(text: str, encoding: str) -> None:
    assert wide_encoding(text.encode(encoding)) == encoding.upper()


@given(words=st.lists(st.sampled_from(["one ", "zwei\n", "größer ", "три ", "\U0001f600 "]), min_size=8))
@pytest.mark.parametrize("encoding", [f"{wide}-{order}" for wide in WIDE for order in ("le", "be")])
def test_zero_bytes_tell_where_no_mark_does(words: list[str], encoding: str) -> None:
    text = "It is Monday, the tenth of the month. " * 3 + "".join(words[:8])
    assert wide_encoding(text.encode(encoding)) == encoding.upper().replace("-LE", "LE").replace("-BE", "BE")


def test_a_zero_byte_in_a_line_is_no_encoding() -> None:
    refuse_wide(b"one\0two\0three\0" * 9, "a.txt")
    refuse_wide(b"", "a.txt")


def test_the_error_says_what_helps() -> None:
    with pytest.raises(
        InputError, match=r"a.txt: the text is UTF-16; expected UTF-8. Convert it: iconv -f UTF-16 -t UTF-8"
    ):
        refuse_wide("five".encode("utf-16"), "a.txt")
