from __future__ import annotations

import pytest
from hypothesis import given

from seq2seq_core.documents.content import UnreadableError
from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.formats.xliff import XliffFormat
from seq2seq_core.documents.structured.xml_text import xml_text
from tests.whole_documents import ANSWERS, answered, texts

XLIFF = XliffFormat()
OLD = """<?xml version="1.0"?><xliff version="1.2"><file><body>
 <trans-unit id="1">
   <source>Hello <g id="1">big</g> {name}<ph id="2">x</ph> &amp; all</source>
 </trans-unit>
 <trans-unit id="2"><source>Two</source><target state="new"/></trans-unit>
 <trans-unit id="3"><source>Three</source><target>drei</target></trans-unit>
 <group translate="no"><trans-unit id="4"><source>Four</source></trans-unit></group>
 <trans-unit id="5"><source> Five </source><target></target>
  <alt-trans><source>q</source><target/></alt-trans></trans-unit>
</body></file></xliff>"""
NEW = """<xliff xmlns="u" version="2.0"><file id="f"><unit id="1">
<segment><source>One <pc id="1">two</pc></source></segment><ignorable><source> x</source></ignorable>
<segment><source>Three</source></segment></unit></file></xliff>"""


def test_sources_without_targets_are_texts() -> None:
    assert texts(XLIFF, OLD) == ["Hello \ue000big\ue001 \ue002 & all", "Two", "Five"]
    assert texts(XLIFF, OLD, Handling(replace=True)) == ["Hello \ue000big\ue001 \ue002 & all", "Two", "Three", "Five"]
    assert texts(XLIFF, NEW) == ["One \ue000two", "Three"]


def test_targets_are_filled_or_added_and_nothing_else_changes() -> None:
    out = answered(XLIFF, OLD, str.upper).decode()
    assert '\n   <target>HELLO <g id="1">BIG</g> {name}<ph id="2">x</ph> &amp; ALL</target>\n' in out
    assert '<source>Two</source><target state="new">TWO</target>' in out
    assert "<target> FIVE </target>" in out
    assert out.count("<target>") == 3
    assert answered(XLIFF, out, str.lower).decode() == out
    assert answered(XLIFF, OLD, lambda _: None).decode() == OLD
    assert "<target>THREE</target>" in answered(XLIFF, OLD, str.upper, Handling(replace=True)).decode()
    second = answered(XLIFF, NEW, str.upper).decode()
    assert '<source>One <pc id="1">two</pc></source><target>ONE <pc id="1">TWO</pc></target></segment>' in second
    assert second.count("<target>") == 2


@given(ANSWERS)
def test_an_answer_is_well_formed(answer: str) -> None:
    out = answered(XLIFF, OLD, lambda text: answer if text == "Two" else None)
    assert out.decode() in (OLD, xml_text(out))
    assert (answer.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in out.decode()) or answer == "Two"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("<a>", "not well-formed XML"),
        ('<?xml version="1.0" encoding="latin-1"?><a/>', "XML in latin-1"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "declares an entity"),
    ],
)
def test_what_is_no_sound_xml_is_told(page: str, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        XLIFF.open(page.encode(), Handling())
