"""TSV tables of speech in, with a header that names the columns with path, text and speaker, their rows out."""

from __future__ import annotations

from seq2seq_core.corpora.formats.speech.lines import Parse, SpeechLines
from seq2seq_core.corpora.formats.speech.table_lines import find_columns, read_table
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.files.lines import Lines

_USUAL, _OTHERS = "path", ("audio", "audio_filepath")


class SpeechTsv(SpeechLines):
    """An utterance a line; quotation marks mean nothing. `speaker`, `duration` and `offset` may be there."""

    called = "a TSV table of speech"
    default_fields = (_USUAL, "text")

    def header_lines(self, _source: Source, /) -> int:
        return 1

    def parser(self, source: Source, header: Lines | None, max_line_bytes: int, /) -> Parse:
        path, text = source.fields
        columns = find_columns(
            header,
            source.urls[0],
            max_line_bytes,
            path=(path, *(_OTHERS if path == _USUAL else ())),
            text=text,
            speaker="speaker",
            seconds="duration",
            begin="offset",
        )
        return lambda batch, first_line: read_table(batch, columns, first_line, max_line_bytes)
