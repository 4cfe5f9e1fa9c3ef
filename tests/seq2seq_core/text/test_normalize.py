"""Normalisation against Python's own, on real and adversarial text."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.text.normalize import NormalizeConfig, irregular_spaces, normalize, squeeze_spaces

SPACES = " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000"
TEXTS = st.lists(
    st.one_of(
        st.text(alphabet=st.sampled_from(SPACES + "ab\u200bé"), max_size=12),
        st.text(alphabet=st.characters(exclude_categories=["Cs", "Cn"]), max_size=12),
    ),
    max_size=8,
)


@given(TEXTS)
def test_white_space_is_what_python_splits_on(texts: list[str]) -> None:
    assert squeeze_spaces(pa.array(texts, pa.string())).to_pylist() == [" ".join(text.split()) for text in texts]


@given(TEXTS)
def test_irregular_rows_are_those_that_change(texts: list[str]) -> None:
    expected = [text != " ".join(text.split()) for text in texts]
    assert irregular_spaces(pa.array(texts, pa.string())).to_pylist() == expected


@pytest.mark.parametrize("form", ["nfkc", "nfc"])
@given(texts=st.lists(st.text(alphabet="ﬁＡé e\u0301①가a\u0327\u0301ß", max_size=8), max_size=5))
def test_unicode_forms(form: str, texts: list[str]) -> None:
    config = NormalizeConfig.model_validate({"unicode": form, "whitespace": False})
    expected = [unicodedata.normalize(form.upper(), text) for text in texts]
    assert normalize(pa.array(texts, pa.string()), config).to_pylist() == expected


@given(TEXTS)
def test_twice_is_once(texts: list[str]) -> None:
    once = normalize(pa.array(texts, pa.string()), NormalizeConfig())
    assert normalize(once, NormalizeConfig()).equals(once)


def test_nothing_is_touched_when_told_so() -> None:
    texts = pa.array(["  ﬁ \u2028x ", ""])
    assert normalize(texts, NormalizeConfig(unicode="none", whitespace=False)).equals(texts)
