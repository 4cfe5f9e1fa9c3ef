"""A document in, its texts, and what is written of it with answers, out: what tests of formats ask again and again."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.whole import WholeFormat

PLAIN = Handling()
ANSWERS = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Z"])
    | st.sampled_from("*_`#<>&[]()|\\\"'~-+1. {}%:!"),
    min_size=1,
    max_size=30,
).filter(lambda text: any(map(str.isalpha, text)))
"""What a model might say on one line, and what is markup somewhere."""


def texts(form: WholeFormat, data: bytes | str, handling: Handling = PLAIN) -> list[str]:
    return [slot.text for slot in form.open(_bytes(data), handling).slots]


def answered(
    form: WholeFormat, data: bytes | str, answer: Callable[[str], str | None], handling: Handling = PLAIN
) -> bytes:
    document = form.open(_bytes(data), handling)
    return document.write([answer(slot.text) for slot in document.slots])


def same(text: str) -> str:
    """What a model says that changes nothing."""
    return text


def one_line(text: str) -> str:
    return " ".join(text.split())


def _bytes(data: bytes | str) -> bytes:
    return data if isinstance(data, bytes) else data.encode("utf-8")
