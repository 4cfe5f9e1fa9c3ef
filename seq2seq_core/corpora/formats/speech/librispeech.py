"""Folders of LibriSpeech in, `*.trans.txt` beside the `*.flac` of a chapter, their rows out."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.formats.audio.named import Named
from seq2seq_core.corpora.formats.speech.lines import Parse, SpeechLines, Utterances
from seq2seq_core.corpora.formats.speech.word_lines import first_words
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.errors import ConfigError
from seq2seq_core.files.lines import Lines
from seq2seq_core.listing import expand

_TRANSCRIPT, _AUDIO = ".trans.txt", ".flac"
_MOST_DEPTH = 4  # corpus, subset, speaker, chapter


class LibriSpeech(SpeechLines):
    """The transcripts of a chapter, `1272-128104-0000 MISTER QUILTER ...`: the first number is the speaker."""

    called = "a transcript of LibriSpeech"
    suffixes = (_TRANSCRIPT,)
    default_fields = ()

    def owns(self, folder: str, /) -> bool:
        """Whether transcripts stand below the first of its folders, as they do below any."""
        for _ in range(_MOST_DEPTH + 1):
            names = storage.list_folder(folder)
            if any(name.endswith(_TRANSCRIPT) for name in names):
                return True
            below = (storage.join(folder, name) for name in names if not name.startswith((".", "_")))
            inner = next((url for url in below if storage.is_folder(url)), None)
            if inner is None:
                return False
            folder = inner
        return False

    def sources_in(self, folder: str, split: str | None, /) -> list[tuple[str, ...]]:
        chosen = folder if split is None else storage.join(folder, split)
        if not storage.is_folder(chosen):
            raise ConfigError("no such split", where=storage.redact(chosen), expected="a folder of the corpus")
        return [(url,) for url in expand(f"{chosen.rstrip('/')}/**/*{_TRANSCRIPT}")]

    def sizes(self, source: Source, /) -> Mapping[str, int]:
        return storage.sizes_in(posixpath.dirname(source.urls[0]) or ".")

    def parser(self, _source: Source, _header: Lines | None, max_line_bytes: int, /) -> Parse:
        def parse(batch: Lines, first_line: int) -> Utterances:
            keys, texts, problems = first_words(batch, max_line_bytes)
            paths = pc.binary_join_element_wise(keys, pa.scalar(_AUDIO), "")
            speakers = pc.list_element(pc.split_pattern(keys, "-", max_splits=1), 0)
            nothing = pa.nulls(len(keys), pa.float64())
            lines = pa.array(np.arange(first_line, first_line + len(batch), dtype=np.int64))
            return Utterances(lines, Named(paths, speakers, nothing, nothing), texts, problems)

        return parse
