"""Files with an utterance a line in: where they can be cut by seconds of audio, and the rows of a part, out.

A plain file is cut by bytes, as any other of lines. An archive, and text that is not UTF-8, is read from its start by
every part, up to the lines of the part: that costs little beside the audio, and hours of it need not be one part.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.formats.audio.named import Loader, Named
from seq2seq_core.corpora.formats.audio.places import Places
from seq2seq_core.corpora.formats.audio.weighing import Scale, weights_of
from seq2seq_core.corpora.formats.base.lines import LineFormat, index_lines
from seq2seq_core.corpora.terms.index import FileIndex, PartSize, empty, index_whole
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.errors import ConfigError
from seq2seq_core.files.compression import codec_of
from seq2seq_core.files.encodings import HEAD_BYTES, UTF8, encoding_of_head, open_text, text_of
from seq2seq_core.files.lines import Lines, read_lines
from seq2seq_core.files.seal import Extent, Watched
from seq2seq_core.records import Problem, Records, Sifted, set_aside


@dataclass(frozen=True)
class Utterances:
    """Consecutive rows as the lines of a file tell of them, as columns of equal length.

    Attributes:
        lines: int64: their numbers, from 1.
        audio: What they say of their audio.
        texts: string: what is said in it; null where it cannot be read.
        problems: What is wrong with rows.
    """

    lines: pa.Int64Array
    audio: Named
    texts: pa.StringArray
    problems: list[Problem]


Parse = Callable[[Lines, int], Utterances]
"""Lines, and the number of the first of them, in; what they tell of utterances out."""


class SpeechLines(LineFormat):
    """A format with an utterance a line, which names a file with the audio.

    Attributes:
        usual_seconds: How long an utterance is taken to be where nothing tells.
    """

    source_modality = "audio"
    has_values = True
    in_order = False
    usual_seconds: ClassVar[float] = 10.0

    @abc.abstractmethod
    def parser(self, source: Source, header: Lines | None, max_line_bytes: int, /) -> Parse:
        """What reads the lines of a source.

        Args:
            source: What is read.
            header: The line at its start that is no row, where the format has one.
            max_line_bytes: Longer lines are unreadable.

        Raises:
            InputError: The header lacks a column.
        """

    def sizes(self, _source: Source, /) -> Mapping[str, int]:
        """The sizes of the files that rows name, by the paths they give, where one listing tells of them."""
        return {}

    def check_fields(self, fields: Sequence[str], /) -> None:
        super().check_fields(fields)
        if len(fields) != len(self.default_fields):
            found = " and ".join(fields)
            expected = " and ".join(self.default_fields)
            raise ConfigError(f"{self.called} has a field of each side alone", found=found, expected=expected)

    def may_be_empty(self, _source: Source, found: FileIndex, /) -> bool:
        return found.data_bytes == 0

    def index(self, source: Source, size: PartSize, max_line_bytes: int, /) -> tuple[FileIndex, ...]:
        url, scale = source.urls[0], Scale(size)
        cuts, lines = self._weigh(source, scale, max_line_bytes)
        if codec_of(url) is None:
            found = index_lines(url, cuts, has_header=self.header_lines(source) > 0)
        else:
            found = index_whole(url)
        if found.lines is None:
            starts = (0, *cuts, lines)
            digests = (found.fingerprint,) * (len(starts) - 1)
            found = found.model_copy(update={"lines": lines, "cuts": starts, "starts": starts, "digests": digests})
        return (found.model_copy(update={"data_bytes": scale.data_bytes}),)

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        source, url = part.source, part.source.urls[0]
        reading = _Reading(part, files[0], self.header_lines(source), max_line_bytes)
        loader = Loader(Places(url, source.audio_root), storage.redact(url))
        parse = self.parser(source, reading.header(), max_line_bytes)
        for first_line, batch in reading.rows():
            yield from _loaded(loader, parse(batch, first_line))

    def _weigh(self, source: Source, scale: Scale, max_line_bytes: int) -> tuple[list[int], int]:
        """The numbers of the lines behind which the file is cut, and how many lines it has."""
        skipped = self.header_lines(source)
        cuts, count, parse, sizes = list[int](), 0, None, self.sizes(source)
        with open_text(source.urls[0]) as stream:
            for batch in read_lines(stream, max_line_bytes):
                is_first, count = count == 0, count + len(batch)
                header = batch.part(0, skipped) if is_first and skipped else None
                parse = parse or self.parser(source, header, max_line_bytes)
                rows = batch.part(skipped) if is_first else batch
                found = parse(rows, count - len(rows) + 1)
                begins = scale.add(*weights_of(found.audio, sizes, self.usual_seconds))
                cuts += (found.lines.to_numpy()[begins] - 1).tolist()
        return cuts, count


class _Reading:
    """The lines of a part of an open file, and the header at its start."""

    def __init__(self, part: Part, file: Watched, skipped: int, max_line_bytes: int) -> None:
        self._file = file
        self._url = part.source.urls[0]
        self._range = part.ranges[0]
        self._first_line = part.first_line
        self._skipped = skipped
        self._most = max_line_bytes
        head = part.seals[0].head if part.seals else 0
        self._counts_lines = codec_of(self._url) is not None or self._encoding() != UTF8
        whole = [Extent(0)]
        file.expect(whole if self._counts_lines else [*([Extent(0, head)] if head else []), Extent(*self._range)])

    def header(self) -> Lines | None:
        """The line that is no row; an InputError where the file has none."""
        if not self._skipped:
            return None
        self._file.seek(0)
        first = next(read_lines(text_of(self._file, self._url), self._most, HEAD_BYTES), None)
        if first is None:
            raise empty(self._url)
        return first.part(0, 1)

    def rows(self) -> Iterator[tuple[int, Lines]]:
        """The lines that are rows, and the number of the first of each batch."""
        begin, end = self._range
        self._file.seek(0)
        if self._counts_lines:
            number = 1
            stream = text_of(self._file, self._url)
        else:
            number = self._first_line
            stream, begin, end = text_of(self._file, self._url, begin, end), 0, None
        first = max(begin, self._skipped) if number == 1 else 0
        for batch in read_lines(stream, self._most, at_start=number == 1):
            place = number - 1
            wanted = batch.part(
                min(len(batch), max(0, first - place)), len(batch) if end is None else min(len(batch), end - place)
            )
            if len(wanted):
                yield number + max(0, first - place), wanted
            number += len(batch)
            if end is not None and number > end:
                return

    def _encoding(self) -> str:
        self._file.seek(0)
        return encoding_of_head(self._file.read(HEAD_BYTES), self._url)


def _loaded(loader: Loader, found: Utterances) -> Iterator[Sifted]:
    """Rows with the audio they name; what is wrong with a row is why its audio is not looked for."""
    wrong = np.zeros(len(found.lines), np.bool_)
    wrong[[problem.row for problem in found.problems]] = True
    paths = pc.if_else(pa.array(wrong), pa.scalar(None, pa.string()), found.audio.paths)
    named = Named(paths, found.audio.speakers, found.audio.begins, found.audio.seconds)
    for loaded in loader.load(named, found.lines):
        count = loaded.stop - loaded.start
        problems = [
            problem._replace(row=problem.row - loaded.start)
            for problem in found.problems
            if loaded.start <= problem.row < loaded.stop
        ]
        lines, texts = (column.slice(loaded.start, count) for column in (found.lines, found.texts))
        yield set_aside(Records(lines, loaded.values, texts), [*problems, *loaded.problems])


def drop_rows(found: Utterances, rows: set[int]) -> Utterances:
    """The others of some rows, and what is wrong with them: lines that are no rows are left out."""
    if not rows:
        return found
    stays = np.ones(len(found.lines), np.bool_)
    stays[list(rows)] = False
    mask, places = pa.array(stays), np.cumsum(stays) - 1
    audio = found.audio
    columns = [column.filter(mask) for column in (audio.paths, audio.speakers, audio.begins, audio.seconds)]
    problems = [p._replace(row=int(places[p.row])) for p in found.problems if p.row not in rows]
    return Utterances(found.lines.filter(mask), Named(*columns), found.texts.filter(mask), problems)
