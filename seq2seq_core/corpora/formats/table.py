"""THE TABLE of the formats of training data: a name in, how files of that format are read out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seq2seq_core.corpora.formats.arrow import Arrow
from seq2seq_core.corpora.formats.base.format import Format
from seq2seq_core.corpora.formats.jsonl import JsonLines
from seq2seq_core.corpora.formats.moses import Moses
from seq2seq_core.corpora.formats.parquet import Parquet
from seq2seq_core.corpora.formats.plain import PlainText
from seq2seq_core.corpora.formats.speech.common_voice import CommonVoice
from seq2seq_core.corpora.formats.speech.kaldi import Kaldi
from seq2seq_core.corpora.formats.speech.librispeech import LibriSpeech
from seq2seq_core.corpora.formats.speech.manifest import SpeechManifest
from seq2seq_core.corpora.formats.speech.tsv import SpeechTsv
from seq2seq_core.corpora.formats.speech.webdataset import WebDataset
from seq2seq_core.corpora.formats.tmx import Tmx
from seq2seq_core.corpora.formats.tsv import Tsv

FORMATS: dict[str, Format] = {
    "moses": Moses(),
    "text": PlainText(),
    "tsv": Tsv(),
    "jsonl": JsonLines(),
    "parquet": Parquet(),
    "arrow": Arrow(),
    "tmx": Tmx(),
    "speech_manifest": SpeechManifest(),
    "speech_tsv": SpeechTsv(),
    "librispeech": LibriSpeech(),
    "common_voice": CommonVoice(),
    "kaldi": Kaldi(),
    "webdataset": WebDataset(),
}

if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[tuple(FORMATS)]
"""The names, for configurations: what is not one of them is refused with the list of all."""
