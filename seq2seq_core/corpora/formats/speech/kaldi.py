"""Kaldi's data folders in (`text`, `wav.scp`, and `segments` and `utt2spk` where they are there), their rows out.

`text` has the rows; of the other files no more is kept than its lines ask for. A command in `wav.scp` is refused by
name and never run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.audio.problems import WRONG_DURATION
from seq2seq_core.corpora.formats.audio.named import PIPED, Named
from seq2seq_core.corpora.formats.speech.lines import Parse, SpeechLines, Utterances
from seq2seq_core.corpora.formats.speech.word_lines import first_words
from seq2seq_core.corpora.terms.index import FileIndex, PartSize, index_whole
from seq2seq_core.corpora.terms.rows import MISSING_FIELD
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.errors import ConfigError
from seq2seq_core.files.encodings import open_text
from seq2seq_core.files.lines import Lines, read_lines
from seq2seq_core.files.seal import Extent, Watched
from seq2seq_core.records import Problem, Sifted

_TEXT, _FILES, _SEGMENTS, _SPEAKERS = "text", "wav.scp", "segments", "utt2spk"
_NUMBER = r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SHOWN = 200


class Kaldi(SpeechLines):
    """A data folder; without `segments` an utterance is a recording of the same name."""

    called = "a data folder of Kaldi with text and wav.scp"
    default_fields = ()
    is_folder = True
    takes_archives = False

    def owns(self, folder: str, /) -> bool:
        return all(storage.exists(storage.join(folder, name)) for name in (_TEXT, _FILES))

    def sources_in(self, folder: str, split: str | None, /) -> list[tuple[str, ...]]:
        if split is not None:
            raise ConfigError("a data folder of Kaldi has no splits", where=storage.redact(folder), found=split)
        urls = [storage.join(folder, name) for name in (_TEXT, _FILES, _SEGMENTS, _SPEAKERS)]
        return [tuple(url for url in urls if storage.exists(url))]

    def index(self, source: Source, size: PartSize, max_line_bytes: int, /) -> tuple[FileIndex, ...]:
        tables = [index_whole(url).model_copy(update={"is_shared": True, "data_bytes": 0}) for url in source.urls[1:]]
        return (*super().index(source, size, max_line_bytes), *tables)

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        for table in files[1:]:
            table.expect([Extent(0)])
        yield from super().read(part, files, max_line_bytes)

    def parser(self, source: Source, _header: Lines | None, max_line_bytes: int, /) -> Parse:
        tables = {storage.name_of(url): _Table(url, max_line_bytes) for url in source.urls[1:]}
        segments, speakers = tables.get(_SEGMENTS), tables.get(_SPEAKERS)

        def parse(batch: Lines, first_line: int) -> Utterances:
            keys, texts, problems = first_words(batch, max_line_bytes)
            known = {problem.row for problem in problems}
            spans = _whole(keys) if segments is None else _spans(segments.get(keys))
            entries = tables[_FILES].get(spans.recordings)
            problems += [problem for problem in (*spans.problems, *_doubts(spans, entries)) if problem.row not in known]
            nobody = pa.nulls(len(keys), pa.string())
            named = Named(entries, nobody if speakers is None else speakers.get(keys), spans.begins, spans.seconds)
            lines = pa.array(np.arange(first_line, first_line + len(batch), dtype=np.int64))
            return Utterances(lines, named, texts, problems)

        return parse


class _Table:
    """A file with a key and a value a line, which is looked into for many keys at a time."""

    def __init__(self, url: str, max_line_bytes: int) -> None:
        self._url = url
        self._most = max_line_bytes

    def get(self, keys: pa.StringArray) -> pa.StringArray:
        """The value of each key; null where it has none. Of two lines with a key the first counts."""
        wanted = keys.drop_null().unique()
        found = [(pa.array([], pa.string()), pa.array([], pa.string()))]
        with open_text(self._url) as stream:
            for batch in read_lines(stream, self._most):
                names, values, _ = first_words(batch, self._most)
                asked = pc.is_in(names, value_set=wanted, skip_nulls=True)
                found.append((names.filter(asked), values.filter(asked)))
        names, values = (pa.concat_arrays(columns) for columns in zip(*found, strict=True))
        return values.take(pc.index_in(keys, value_set=names, skip_nulls=True))


class _Spans(NamedTuple):
    """Of each utterance the recording, where it begins and how many seconds it lasts (null: all of the file)."""

    recordings: pa.StringArray
    begins: pa.DoubleArray
    seconds: pa.DoubleArray
    problems: list[Problem]


def _whole(keys: pa.StringArray) -> _Spans:
    nothing = pa.nulls(len(keys), pa.float64())
    return _Spans(keys, nothing, nothing, [])


def _spans(entries: pa.StringArray) -> _Spans:
    """The ranges that lines of `segments` tell of: a recording, a begin, and an end (-1: that of the file)."""
    parts = pc.split_pattern_regex(entries, "[ \t]+")
    whole = pc.fill_null(pc.equal(pc.list_value_length(parts), 3), False)
    asked = pc.if_else(whole, parts, pa.scalar(None, parts.type))
    recordings, begins, ends = (_at(asked, place) for place in range(3))
    are_numbers = pc.and_(*(pc.match_substring_regex(texts, _NUMBER) for texts in (begins, ends)))
    good = pc.fill_null(are_numbers, False)
    first, last = (pc.if_else(good, texts, pa.scalar(None, pa.string())).cast(pa.float64()) for texts in (begins, ends))
    seconds = pc.if_else(pc.less(last, 0), pa.scalar(None, pa.float64()), pc.subtract(last, first))
    rows = np.flatnonzero(~good.to_numpy(zero_copy_only=False)).tolist()
    return _Spans(recordings, first, seconds, [_bad_segment(row, entries[row].as_py()) for row in rows])


def _at(parts: pa.ListArray, place: int) -> pa.StringArray:
    places = parts.offsets.to_numpy()[: len(parts)] + place
    return parts.values.take(pa.array(places, mask=parts.is_null().to_numpy(zero_copy_only=False)))


def _bad_segment(row: int, entry: str | None) -> Problem:
    if entry is None:
        return Problem(row, MISSING_FIELD, f"no line of {_SEGMENTS}", "a segment of each utterance")
    return Problem(row, WRONG_DURATION, f"{_SEGMENTS}: {entry:.{_SHOWN}}", "a recording, a begin and an end in seconds")


def _doubts(spans: _Spans, entries: pa.StringArray) -> Iterator[Problem]:
    """What is wrong with the lines of `wav.scp` that rows lead to."""
    known = {problem.row for problem in spans.problems}
    missing = entries.is_null()
    pipes = pc.fill_null(pc.or_(pc.starts_with(entries, "|"), pc.ends_with(entries, "|")), False)
    for row in np.flatnonzero(pc.or_(missing, pipes).to_numpy(zero_copy_only=False)).tolist():
        if row in known:
            continue
        if missing[row].as_py():
            recording = spans.recordings[row].as_py()
            yield Problem(row, MISSING_FIELD, f"no {recording!s:.{_SHOWN}} in {_FILES}", "a path of each recording")
        else:
            yield Problem(row, PIPED, f"{entries[row].as_py():.{_SHOWN}}", "a path: no command is run")
