"""Tables over code points: what is in them, and how far they are built."""

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt
import pytest

from seq2seq_core.text import traits, unicode
from seq2seq_core.text.unicode import CODE_POINTS, Members


@pytest.mark.parametrize(
    ("name", "categories"),
    [(unicode.LETTER, "LM"), (unicode.DIGIT, ("Nd",)), (unicode.NUMBER, "N"), (unicode.SYMBOL, "S")],
)
def test_tables_hold_what_python_calls_so(name: str, categories: str | tuple[str, ...]) -> None:
    table = unicode.members(name)
    for point in range(0x80, 0x33000):
        category = unicodedata.category(chr(point))
        if category not in ("Cn", "Cs", "Co"):  # code points given out since Python's Unicode may be letters by now
            assert table[point] == (category[0] in categories or category in categories), hex(point)


def test_white_space_is_that_of_python() -> None:
    beyond = range(0x80, CODE_POINTS)
    assert traits.characters_in(traits.SPACES) == [point for point in beyond if chr(point).isspace()]


def test_a_table_is_built_no_further_than_it_is_asked_for() -> None:
    limits: list[int] = []

    def build(limit: int) -> npt.NDArray[np.bool_]:
        limits.append(limit)
        return np.arange(limit) % 3 == 0

    members = Members(build)
    assert members[np.array([3, 4, 0x2FFF])].tolist() == [True, False, 0x2FFF % 3 == 0]
    assert members[np.zeros(0, np.int32)].tolist() == []
    assert limits == [0x3000]
    assert members[np.array([3, 0x1F600])].tolist() == [True, 0x1F600 % 3 == 0]
    assert members[0x10FFFF] == (0x10FFFF % 3 == 0)
    assert limits == [0x3000, CODE_POINTS]


@pytest.mark.parametrize(
    "members",
    [
        traits.unstable("NFC"),
        traits.unstable("NFKC"),
        unicode.members(unicode.LETTER),
        unicode.script_letters(("Latin",)),
        unicode.script_letters(("Han",)),
    ],
)
def test_the_beginning_of_a_table_is_the_same_alone(members: Members) -> None:
    np.testing.assert_array_equal(members.below(0x3000), members.below()[:0x3000])


def test_names_of_scripts() -> None:
    assert unicode.is_script("Latin")
    assert not unicode.is_script("Latn")
    assert not unicode.is_script("L")


def test_letters_that_scripts_share_belong_to_none() -> None:
    for shared in "\u30fc\u0301\u00d7":
        assert not unicode.script_letters()[ord(shared)]
    assert unicode.script_letters(("Hiragana",))[ord("\u3042")]
    assert not unicode.script_letters(("Hiragana",))[ord("\u6f22")]
