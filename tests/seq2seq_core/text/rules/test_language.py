"""Language identification: the rule's verdicts, and that all rows at once give what py3langid gives one by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.text.rules.base import Sides
from seq2seq_core.text.rules.catalogue import FiltersConfig, check
from seq2seq_core.text.rules.language import expected_labels
from seq2seq_core.text.rules.language_id import identifier

Ask = Callable[..., Any]

langid = pytest.importorskip("py3langid.langid")

_ENGLISH = "The government has announced a new programme for schools."
_GERMAN = "Die Regierung hat ein neues Programm f\u00fcr Schulen angek\u00fcndigt."
_JAPANESE = (
    "\u653f\u5e9c\u306f\u5b66\u6821\u306e\u305f\u3081\u306e\u65b0\u3057"
    "\u3044\u8a08\u753b\u3092\u767a\u8868\u3057\u305f\u3068\u8a00\u3063\u3066\u3044\u308b\u3002"
)


@pytest.fixture(scope="module")
def one_by_one() -> Any:
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)


def test_rows_in_another_language_are_rejected(reasons: Ask) -> None:
    rows = [(_ENGLISH, _GERMAN), (_ENGLISH, _ENGLISH), (_JAPANESE, _GERMAN), ("Hallo Welt", "Hello")]
    found = reasons("language", rows, Sides("en", "de-AT"))
    assert found[0] is None
    assert re.fullmatch(r"source en (\S+) \(expected \1\), target en 0\.9\d \(expected 0\)", found[1][0])
    assert re.fullmatch(r"source ja (1|0\.9\d) \(expected 0\), target de (\S+) \(expected \2\)", found[2][0])
    assert found[1][1] == found[2][1] == "at most 0.5 behind, from 20 letters on"
    assert found[3] is None


def test_a_side_of_unknown_language_is_not_judged(reasons: Ask, measure: Ask) -> None:
    rows = [(_GERMAN, _GERMAN)]
    assert reasons("language", rows) == [None]
    assert re.fullmatch(
        r"source not judged, target de (1|0\.9\d) \(expected 0\)", reasons("language", rows, Sides(None, "en"))[0][0]
    )
    assert measure("language", [("a", "b")], Sides("en", "de")).values["target"].to_pylist() == ["not judged"]


def test_near_languages_count_as_the_expected_one() -> None:
    assert expected_labels("zh-Hant") == ("zh", "yue", "wuu")
    assert expected_labels("nb") == ("no",)
    assert expected_labels("xx") == ()
    assert expected_labels(None) == ()


def test_languages_must_be_known_before_work_begins() -> None:
    filters = configuration.build(FiltersConfig, {"language": True})
    check(filters, Sides("en", "de"))
    check(filters, Sides(None, "de", has_source=False))
    check(FiltersConfig(), Sides())
    with pytest.raises(ConfigError, match="the language of the target cannot be identified"):
        check(filters, Sides("en", None))
    with pytest.raises(ConfigError, match=r"source cannot be identified.*xx"):
        check(filters, Sides("xx", "de"), where="corpus news")


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_all_rows_at_once_agree_with_one_by_one(
    data: st.DataObject, trying_texts: st.SearchStrategy[str], one_by_one: Any
) -> None:
    real = st.sampled_from([_ENGLISH, _GERMAN, _JAPANESE, _GERMAN.upper(), "caf\u0301e\u0301 au lait"])
    texts = data.draw(st.lists(st.one_of(trying_texts, real), max_size=9))
    model = identifier()
    found = model.probabilities(pa.array(texts, pa.string()))
    assert found.shape == (len(texts), len(model.labels))
    for text, row in zip(texts, found, strict=True):
        expected = dict(one_by_one.rank(text))
        np.testing.assert_allclose(row, [expected[label] for label in model.labels], atol=2e-5)


def test_a_text_gets_the_same_beside_any_others() -> None:
    texts = [" ".join([_ENGLISH, _GERMAN, _JAPANESE][i % 3].split()[: i % 9 + 1]) for i in range(300)]
    together = identifier().probabilities(pa.array(texts))
    for i in range(0, 300, 17):
        np.testing.assert_array_equal(identifier().probabilities(pa.array(texts[i : i + 1]))[0], together[i])
