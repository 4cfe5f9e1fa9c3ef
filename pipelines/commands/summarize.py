"""`seq2seq summarize`: texts in, a summary of each out; a translation of whole texts, by parts where they are long."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.commands.call import Call
from pipelines.commands.translate import TranslateConfig, start
from seq2seq_core.text.segment import SegmentConfig


class WholeTexts(SegmentConfig):
    """How texts are read. One that is longer than what the model reads is cut between sentences, into few parts."""

    mode: Literal["auto", "line", "document", "whole"] = Field(
        "whole", description="whole: a text is read as one, by parts where it is long; others: see `translate`"
    )
    parts: Literal["join", "combine", "first"] = Field(
        "combine",
        description="of a long text; combine: the summaries of its parts are summed up, until one part holds them; "
        "join: they stand one behind the other; first: the first part alone is read, and the record marked as overlong",
    )


class SummarizeConfig(TranslateConfig):
    """What `seq2seq summarize` reads, how it sums up, and where the summaries go."""

    output_field: str = Field("summary", min_length=1, description="the field that is added")
    segmentation: WholeTexts = Field(WholeTexts(), description="how texts are read")


def main(call: Call) -> int:
    """Texts through a model that sums up."""
    return start(call.load(SummarizeConfig), call.beam_options(), "summarized")
