"""THE TABLE of the formats of transcripts: a name in, how files of that format are written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seq2seq_core.inference.transcripts.ctm import CtmTranscripts
from seq2seq_core.inference.transcripts.format import TranscriptFormat
from seq2seq_core.inference.transcripts.json_file import JsonTranscripts
from seq2seq_core.inference.transcripts.jsonl import JsonlTranscripts
from seq2seq_core.inference.transcripts.srt import SrtTranscripts
from seq2seq_core.inference.transcripts.tsv import TsvTranscripts
from seq2seq_core.inference.transcripts.txt import TxtTranscripts
from seq2seq_core.inference.transcripts.vtt import VttTranscripts

FORMATS: dict[str, TranscriptFormat] = {
    known.name: known
    for known in (
        JsonTranscripts(),
        JsonlTranscripts(),
        SrtTranscripts(),
        VttTranscripts(),
        TxtTranscripts(),
        CtmTranscripts(),
        TsvTranscripts(),
    )
}
DEFAULT = JsonTranscripts.name

if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[tuple(FORMATS)]
"""The names, for configurations: what is not one of them is refused with the list of all."""
