"""Tables over code points that are built only as far as they are needed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from seq2seq_core.text import characters
from seq2seq_core.text.code_points import CODE_POINTS, Members
from seq2seq_core.text.rules import unicode


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
        characters._unstable("NFC"),
        characters._unstable("NFKC"),
        unicode.members(unicode.LETTER),
        unicode.members(unicode.SPACE),
        unicode.script_letters(("Latin",)),
        unicode.script_letters(("Han",)),
    ],
)
def test_the_beginning_of_a_table_is_the_same_alone(members: Members) -> None:
    np.testing.assert_array_equal(members.below(0x3000), members.below()[:0x3000])
