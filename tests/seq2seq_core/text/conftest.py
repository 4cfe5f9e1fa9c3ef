"""Texts that try what looks at all bytes at once."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

# Letters of one to four bytes, marks, digits of three scripts, every kind of white space, what rules look for.
_TRYING = (
    "aabbeExXzZ\u00df\u00e9\u0130\u0131\u0301\u0416\u0436\u03a3\u03c2\u05d0\u0627\u0937\u093f\u0e01\u3042\u30ab\u30fc"
    "\u6f22\u5b57\uac00\U00020000\U0001d41a\U0001f600\u212a\u01c5\u2160\u24b6"
    "00012\u0663\uff13\u0966 \u00bd\u00b2..,,'\u2019--!?:;/@&<>#()[]{}\uff08\uff09\u300c\u300d\u3002\u2026\u20ac=|"
    "\t\n\r\x0b\x0c\x1c\x1f\x85\u00a0\u1680\u2003\u2028\u202f\u3000\u200b\x00\x7f"
)


@pytest.fixture(scope="session")
def trying_texts() -> st.SearchStrategy[str]:
    """Texts of few different characters, and of any that Python's Unicode has."""
    known = st.characters(exclude_categories=("Cs", "Cn", "Co"))
    return st.one_of(
        st.text(st.sampled_from(_TRYING), max_size=40),
        st.text(st.sampled_from("ab .1"), max_size=60),
        st.text(known, max_size=12),
    )
