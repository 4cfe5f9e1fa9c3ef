"""Tables of Common Voice (`client_id`, `path`, `sentence`) with clips in a folder beside in, their rows out."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.formats.speech.lines import Parse, SpeechLines, Utterances
from seq2seq_core.corpora.formats.speech.table_lines import find_columns, read_table
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.errors import ConfigError
from seq2seq_core.files.lines import Lines

_CLIPS = "clips"
_DEFAULT_SPLIT = "train"


class CommonVoice(SpeechLines):
    """A table of a release, or the folder of a language: then `split` chooses the table (train)."""

    called = "a table of Common Voice"
    default_fields = ("path", "sentence")
    usual_seconds = 6.0

    def owns(self, folder: str, /) -> bool:
        return storage.is_folder(storage.join(folder, _CLIPS)) and any(
            name.endswith(".tsv") for name in storage.list_folder(folder)
        )

    def sources_in(self, folder: str, split: str | None, /) -> list[tuple[str, ...]]:
        table = storage.join(folder, f"{split or _DEFAULT_SPLIT}.tsv")
        if not storage.exists(table):
            tables = [name for name in storage.list_folder(folder) if name.endswith(".tsv")]
            found = ", ".join(tables)
            raise ConfigError("no such split", where=storage.redact(table), found=found, advice="Set split.")
        return [(table,)]

    def header_lines(self, _source: Source, /) -> int:
        return 1

    def parser(self, source: Source, header: Lines | None, max_line_bytes: int, /) -> Parse:
        path, text = source.fields
        columns = find_columns(header, source.urls[0], max_line_bytes, path=(path,), text=text, speaker="client_id")

        def parse(batch: Lines, first_line: int) -> Utterances:
            found = read_table(batch, columns, first_line, max_line_bytes)
            paths = pc.binary_join_element_wise(pa.scalar(_CLIPS), found.audio.paths, "/")
            return replace(found, audio=replace(found.audio, paths=paths))

        return parse
