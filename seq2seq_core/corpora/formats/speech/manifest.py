"""JSONL manifests of speech in, as NeMo has them (`audio_filepath`, `text`, `duration`, `offset`), their rows out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.audio.problems import WRONG_DURATION
from seq2seq_core.corpora.formats.audio.named import Named
from seq2seq_core.corpora.formats.base.lines import BLANKS, Seen
from seq2seq_core.corpora.formats.base.objects import BLANK, Field, fields_in, read_objects
from seq2seq_core.corpora.formats.speech.lines import Parse, SpeechLines, Utterances, drop_rows
from seq2seq_core.corpora.terms.rows import MISSING_FIELD
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.files.lines import Lines
from seq2seq_core.records import Problem

_USUAL, _OTHER = "audio_filepath", "audio"


class SpeechManifest(SpeechLines):
    """An object an utterance. A row with an `offset` is cut out of its file; one without is the whole of it."""

    called = "a speech manifest"
    default_fields = (_USUAL, "text")

    def holds_row(self, lines: Lines, /) -> bool:
        return any(line.strip(BLANKS) for line in lines.text.to_pylist())

    def fields_in(self, line: str, wanted: Sequence[str], /) -> Seen | None:
        seen = fields_in(line, (*wanted, _OTHER))
        stands_for = _USUAL in wanted and seen is not None and _OTHER in seen.wanted
        return seen._replace(wanted=(*seen.wanted, _USUAL)) if seen is not None and stands_for else seen

    def parser(self, source: Source, _header: Lines | None, max_line_bytes: int, /) -> Parse:
        path, text = source.fields
        other = _OTHER if path == _USUAL else path
        wanted = (
            Field(path, pa.string(), is_needed=False),
            Field(other, pa.string(), is_needed=False),
            Field(text, pa.string()),
            Field("speaker", pa.string(), is_needed=False, takes_integers=True),
            Field("duration", pa.float64(), WRONG_DURATION, is_needed=False),
            Field("offset", pa.float64(), WRONG_DURATION, is_needed=False),
        )

        def parse(batch: Lines, first_line: int) -> Utterances:
            columns, problems = read_objects(batch, wanted, max_line_bytes)
            paths = pc.coalesce(*columns[:2])
            blank = {problem.row for problem in problems if problem.rule == BLANK}
            known = {problem.row for problem in problems}
            missing = np.flatnonzero(paths.is_null().to_numpy(zero_copy_only=False)).tolist()
            problems += [
                Problem(row, MISSING_FIELD, f"no {path}", "a path in every row") for row in missing if row not in known
            ]
            lines = pa.array(np.arange(first_line, first_line + len(batch), dtype=np.int64))
            _, _, texts, speakers, seconds, offsets = columns
            found = Utterances(lines, Named(paths, speakers, offsets, seconds), texts, problems)
            return drop_rows(found, blank)

        return cast(Parse, parse)
