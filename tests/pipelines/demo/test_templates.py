"""Templates: the same slots on both sides, all of them known, and no English that has two German translations."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest

from pipelines.demo.slots import SLOTS
from pipelines.demo.templates import NOUNS, TEMPLATES, Template, kind_of


def slots_of(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.source)
def test_a_template_is_sound(template: Template) -> None:
    assert sorted(slots_of(template.source)) == sorted(slots_of(template.target))
    assert len(set(template.slots)) == len(template.slots)
    assert all(kind_of(slot) in SLOTS or kind_of(slot) in NOUNS for slot in template.slots)
    assert template.values, "no value, nothing to hold out"
    marks = [text[-1] if text[-1] in ".?!" else "" for text in (template.source, template.target)]
    assert marks[0] == marks[1]
    assert template.is_clause == (marks[0] == "")


def test_no_english_sentence_has_two_german_forms() -> None:
    # The forms of a slot share their English side: figures whether the German side spells them or not.
    skeletons = Counter(re.sub(r"_(spoken|dative)\b", "", template.source) for template in TEMPLATES)
    assert [skeleton for skeleton, count in skeletons.items() if count > 1] == []


def test_slots_and_nouns_do_not_share_names_and_all_are_used() -> None:
    assert not SLOTS.keys() & NOUNS.keys()
    used = {kind_of(slot) for template in TEMPLATES for slot in template.slots}
    assert NOUNS.keys() <= used


def test_a_second_slot_of_a_kind_is_numbered() -> None:
    assert kind_of("city2") == "city"
    assert Template("{name} flew from {city} to {city2}", "").values == ("city", "city2")
