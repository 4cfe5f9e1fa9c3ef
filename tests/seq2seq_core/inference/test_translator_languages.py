from __future__ import annotations

import re

import pytest

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.inference.translator_config import TranslatorConfig, _fitting
from seq2seq_core.text.segment import SegmentConfig
from seq2seq_core.text.source_text import SourceText


def test_languages_are_those_of_the_model_unless_told() -> None:
    config = TranslatorConfig(model="m")
    japanese = SourceText(source_language="ja", longest=7)
    assert _fitting(config.segmentation, japanese) == SegmentConfig(language="ja", max_segment_pieces=7)
    told = SegmentConfig(language="en", max_segment_pieces=3)
    assert _fitting(told, japanese) == told
    assert _fitting(config.segmentation, SourceText()) == SegmentConfig()


@pytest.mark.parametrize(
    ("code", "meant"), [("english", "did you mean en?"), ("German", "did you mean de?"), ("../x", "codes are like en")]
)
def test_a_word_that_is_no_language_is_refused_with_close_codes(code: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"segmentation.language.*{re.escape(meant)}"):
        configuration.build(TranslatorConfig, {"model": "m", "segmentation": {"language": code}})
