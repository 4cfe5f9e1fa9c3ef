from __future__ import annotations

from seq2seq_core.text.source_text import SourceText


def test_languages_stand_where_they_are_known_and_leave_no_trace_where_they_are_not() -> None:
    assert set(SourceText().model_dump(mode="json")) == {"normalize", "longest"}
    text = SourceText(source_language="de")
    assert set(text.model_dump(mode="json")) == {"normalize", "longest", "source_language"}
    for known in (text, SourceText(), SourceText(source_language="de", target_language="zh-Hant", longest=3)):
        assert SourceText.model_validate_json(known.model_dump_json()) == known
