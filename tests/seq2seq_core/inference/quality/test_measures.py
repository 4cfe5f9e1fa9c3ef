"""What is measured of a pair tells what it is meant to tell, and nothing of its neighbours."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.inference.quality.measures import measure

GERMAN = "Der Hund lief heute sehr schnell durch den alten Garten."
ENGLISH = "The dog ran very fast through the old garden today."


def test_a_loop_a_copy_and_a_sound_output_are_told_apart() -> None:
    found = measure([ENGLISH] * 4, [GERMAN, ENGLISH, "der Hund und " * 20, "Der Hund"])
    assert found.length_ratio[0] == pytest.approx(len(GERMAN) / len(ENGLISH))
    assert found.repetition[0] < 0.1
    assert found.repetition[2] > 0.9
    assert found.copied[0] < 0.2
    assert found.copied[1] == 1
    assert found.language == ["de", "en", "de", None]


def test_texts_shorter_than_a_stretch_are_copied_or_not() -> None:
    found = measure(["", "a", "a", "1234567", "一二"], ["", "a", "b", "1234567", "一三"])
    assert found.copied.tolist() == [1, 1, 0, 1, 0]
    assert found.repetition.tolist() == [0] * 5
    assert found.length_ratio.tolist() == [0, 1, 1, 1, 1]
    assert measure([], []).language == []


def slowly(source: str, output: str) -> tuple[float, float]:
    stretches = [[data[i : i + 8] for i in range(len(data) - 7)] for data in (source.encode(), output.encode())]
    distinct = set(stretches[1])
    if not distinct:
        return 0.0, float(source == output)
    return 1 - len(distinct) / len(stretches[1]), len(distinct & set(stretches[0])) / len(distinct)


TEXTS = st.text(alphabet="ab é中", max_size=40)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=12))
def test_all_at_once_is_the_same_as_one_by_one(pairs: list[tuple[str, str]]) -> None:
    found = measure([a for a, _ in pairs], [b for _, b in pairs])
    for (source, output), repetition, copied in zip(pairs, found.repetition, found.copied, strict=True):
        assert (repetition, copied) == pytest.approx(slowly(source, output))


def test_without_the_identifier_no_language_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2seq_core.text.rules import language_id

    language_id.identifier.cache_clear()
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    try:
        assert measure([ENGLISH], [GERMAN]).language == [None]
    finally:
        language_id.identifier.cache_clear()
