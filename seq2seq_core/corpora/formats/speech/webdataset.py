"""Tar archives in the way of WebDataset in (`key.flac`, and `key.txt` or `key.json` beside it), their rows out.

Neighbouring members of one key (the name up to the first dot after its folder) are a row. An archive is read in order,
and cut between rows.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import xxhash

from seq2seq_core import storage
from seq2seq_core.audio.terms import AUDIO_VALUE
from seq2seq_core.corpora.formats.audio.cuts import MOST_BYTES, too_large
from seq2seq_core.corpora.formats.audio.named import BATCH_BYTES, MISSING_AUDIO
from seq2seq_core.corpora.formats.audio.tar import Member, TarError, TarReader
from seq2seq_core.corpora.formats.audio.weighing import BYTES_A_SECOND, seconds_by_size
from seq2seq_core.corpora.formats.base.format import Format
from seq2seq_core.corpora.formats.base.objects import BAD_JSON
from seq2seq_core.corpora.terms.index import STEP_BYTES, FileIndex, PartSize, check_some, index_whole
from seq2seq_core.corpora.terms.rows import MISSING_FIELD, WRONG_TYPE
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.files.compression import ByteStream, codec_of, open_plain, unpacked
from seq2seq_core.files.damage import damaged
from seq2seq_core.files.fields import MISSING, lookup, parts_of
from seq2seq_core.files.lines import NOT_UTF8, TOO_LONG
from seq2seq_core.files.seal import Watched
from seq2seq_core.records import Problem, Records, Sifted, set_aside

_AUDIO = ("flac", "wav", "mp3", "ogg", "opus", "m4a")
_TEXT, _OBJECT = "txt", "json"
_ANY = "audio"
_ROW_BYTES = 512


class WebDataset(Format):
    """Samples of an archive; the text is that of `key.txt`, or a field of `key.json`."""

    called = "an archive of WebDataset"
    suffixes = (".tar",)
    default_fields = (_ANY, "text")
    source_modality = "audio"
    has_values = True

    def index_file(self, _source: Source, size: PartSize, url: str, /) -> FileIndex:
        if codec_of(url) is not None:
            found = index_whole(url)
            return found.model_copy(update={"data_bytes": found.bytes})
        pass_ = _Pass(size)
        with storage.open_input(url, block_bytes=BATCH_BYTES // 8) as file:
            pass_.read(file, url)
        check_some(url, pass_.size)
        return pass_.finish(url)

    def may_be_empty(self, _source: Source, found: FileIndex, /) -> bool:
        return found.lines is None

    def has_rows(self, _source: Source, url: str, /) -> bool:
        with open_plain(url) as stream:
            reader = TarReader(stream)
            try:
                for member in reader.members():
                    if _key_of(member) is not None:
                        return True
                    _skip(reader)
            except TarError as error:
                raise damaged("tar", url, error, "before any row") from None
        return False

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        (begin, end), url = part.ranges[0], part.source.urls[0]
        stream = unpacked(files[0], url, begin, end)
        batch, line = _Batch(part.first_line), part.first_line
        try:
            for sample in _samples(stream, part.source.fields, max_line_bytes):
                if batch.is_full_with(sample):
                    yield batch.finish()
                    batch = _Batch(line)
                batch.add(sample)
                line += 1
        except TarError as error:
            raise damaged("tar", url, error, f"after row {line - 1}") from None
        if batch.samples:
            yield batch.finish()


class _Tee:
    """A stream that digests and counts all that is read of it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.state = xxhash.xxh3_128()
        self.size = 0

    def read(self, size: int, /) -> bytes:
        block = self._stream.read(size)
        self.state.update(block)
        self.size += len(block)
        return block


class _Pass:
    """One pass over a plain archive: a part ends with the row that fills it."""

    def __init__(self, size: PartSize) -> None:
        self.size = 0
        self._most = size
        self._state = xxhash.xxh3_128()
        self._fingerprint = ""
        self._seconds, self._part_seconds, self._part_bytes = 0.0, 0.0, 0
        self._rows, self._end = 0, 0
        self._cuts, self._starts, self._parts = [0], [0], list[str]()

    def read(self, stream: ByteStream, url: str) -> None:
        """Take all of a file."""
        tee, key = _Tee(stream), None
        reader = TarReader(tee)
        try:
            for member in reader.members():
                if (found := _key_of(member)) is not None and found != key:
                    key = found
                    self._begin_row()
                self._add(member, reader)
        except TarError as error:
            raise damaged("tar", url, error, f"after row {self._rows}") from None
        while tee.read(STEP_BYTES):
            pass
        self.size, self._fingerprint = tee.size, tee.state.hexdigest()

    def _begin_row(self) -> None:
        rows, most = self._rows - self._starts[-1], self._most
        if rows and (rows >= most.rows or self._part_seconds >= most.seconds or self._part_bytes >= most.bytes):
            self._close()
        self._rows += 1

    def _close(self) -> None:
        self._cuts.append(self._end)
        self._starts.append(self._rows)
        self._parts.append(self._state.hexdigest())
        self._state.reset()
        self._part_seconds, self._part_bytes = 0.0, 0

    def _add(self, member: Member, reader: TarReader) -> None:
        self._state.update(member.header)
        self._end += len(member.header)
        for block in reader.content():
            self._state.update(block)
            self._end += len(block)
        if _key_of(member) is not None and _suffix_of(member) in _AUDIO:
            seconds = seconds_by_size(member.name, member.size)
            self._seconds, self._part_seconds = self._seconds + seconds, self._part_seconds + seconds
            self._part_bytes += member.size

    def finish(self, url: str) -> FileIndex:
        """What the pass tells, once there is no more."""
        if self._rows > self._starts[-1]:
            self._close()
        return FileIndex(
            url=url,
            bytes=self.size,
            fingerprint=self._fingerprint,
            lines=self._rows,
            cuts=tuple(self._cuts),
            starts=tuple(self._starts),
            digests=tuple(self._parts),
            data_bytes=round(self._seconds * BYTES_A_SECOND),
        )


@dataclass
class _Sample:
    """A row as it comes together."""

    key: str
    audio: bytes | None = None
    path: str | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    text: str | None = None
    speaker: str | None = None

    @property
    def size(self) -> int:
        """Its bytes, with some for all that is no audio."""
        return len(self.audio or b"") + len(self.text or "") + _ROW_BYTES

    def finish(self, target: str, max_bytes: int) -> _Sample:
        """Find the text and who speaks, and say what is wrong."""
        if self.path is None:
            self._complain(MISSING_AUDIO, f"{self.key}: {', '.join(self.seen)}", f"one of {', '.join(_AUDIO)}")
        about = self._object()
        if _TEXT in self.texts:
            self.text = self._decoded(self.texts[_TEXT])
        elif not self.problems:
            self.text = self._looked_up(about, target)
        if self.text is not None and len(self.text.encode()) > max_bytes:
            self._complain(TOO_LONG, f"{len(self.text.encode())} bytes", f"at most {max_bytes} bytes")
        speaker = about.get("speaker")
        self.speaker = str(speaker) if isinstance(speaker, str | int) and speaker != "" else None
        return self

    def _object(self) -> dict[str, object]:
        if _OBJECT not in self.texts:
            return {}
        try:
            found = json.loads(self.texts[_OBJECT])
        except (ValueError, RecursionError) as error:
            self._complain(BAD_JSON, f"{self.key}.{_OBJECT}: {error}", "a JSON object")
            return {}
        if isinstance(found, dict):
            return found
        self._complain(BAD_JSON, f"{self.key}.{_OBJECT}: {type(found).__name__}", "a JSON object")
        return {}

    def _looked_up(self, about: dict[str, object], target: str) -> str | None:
        found = lookup(about, parts_of(target))
        if isinstance(found, str):
            return found.encode("utf-8", "replace").decode()
        if found is MISSING or found is None:
            self._complain(MISSING_FIELD, f"{self.key}: no .{_TEXT}, nor {target} in .{_OBJECT}", "a text in every row")
        else:
            self._complain(WRONG_TYPE, f"{target} is a {type(found).__name__}", "a text in every row")
        return None

    def _decoded(self, octets: bytes) -> str | None:
        try:
            return octets.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError as error:
            self._complain(NOT_UTF8, f"byte 0x{octets[error.start]:02x} at {error.start + 1}", "UTF-8")
            return None

    def _complain(self, rule: str, found: str, expected: str) -> None:
        self.problems.append(Problem(0, rule, found, expected))


class _Batch:
    """Rows that leave together."""

    def __init__(self, first_line: int) -> None:
        self.samples: list[_Sample] = []
        self._first_line = first_line
        self._bytes = 0

    def is_full_with(self, sample: _Sample) -> bool:
        """Whether one more row is too much."""
        return bool(self.samples) and self._bytes + sample.size > BATCH_BYTES

    def add(self, sample: _Sample) -> None:
        self.samples.append(sample)
        self._bytes += sample.size

    def finish(self) -> Sifted:
        """The rows, and those that cannot be read."""
        count = len(self.samples)
        lines = pa.array(np.arange(self._first_line, self._first_line + count, dtype=np.int64))
        columns = zip(*((sample.audio, sample.path, sample.speaker, None) for sample in self.samples), strict=True)
        arrays = [pa.array(values, kind.type) for values, kind in zip(columns, AUDIO_VALUE, strict=True)]
        audio = pa.StructArray.from_arrays(arrays, fields=list(AUDIO_VALUE))
        texts = pa.array([sample.text for sample in self.samples], pa.string())
        problems = [p._replace(row=row) for row, sample in enumerate(self.samples) for p in sample.problems]
        return set_aside(Records(lines, audio, texts), problems)


def _samples(stream: ByteStream, fields: Sequence[str], max_line_bytes: int) -> Iterator[_Sample]:
    """The rows of a stream of members."""
    kinds = _AUDIO if fields[0] == _ANY else (fields[0],)
    reader = TarReader(stream)
    sample: _Sample | None = None
    for member in reader.members():
        key = _key_of(member)
        if key is None:
            _skip(reader)
            continue
        if sample is None or sample.key != key:
            if sample is not None:
                yield sample.finish(fields[1], max_line_bytes)
            sample = _Sample(key)
        _take(sample, member, reader, kinds)
    if sample is not None:
        yield sample.finish(fields[1], max_line_bytes)


def _take(sample: _Sample, member: Member, reader: TarReader, kinds: Sequence[str]) -> None:
    """Add a member to its row, if it has to do with it."""
    suffix = _suffix_of(member)
    sample.seen.append(f".{suffix}")
    is_audio = suffix in kinds and sample.path is None
    is_text = suffix in (_TEXT, _OBJECT) and suffix not in sample.texts
    if is_audio:
        sample.path = member.name
    if is_audio and member.size > MOST_BYTES:
        sample.problems.append(too_large(member.size))
    elif is_text and member.size > MOST_BYTES:
        sample.problems.append(Problem(0, TOO_LONG, f"{member.size} bytes", f"at most {MOST_BYTES} bytes"))
    elif is_audio:
        sample.audio = b"".join(reader.content())[: member.size]
    elif is_text:
        sample.texts[suffix] = b"".join(reader.content())[: member.size]
    _skip(reader)


def _skip(reader: TarReader) -> None:
    for _ in reader.content():
        pass


def _key_of(member: Member) -> str | None:
    """What the members of a row have in common; None for one that belongs to none: folders, links, hidden files."""
    folder, name = posixpath.split(posixpath.normpath(member.name))
    is_hidden = any(part[:1] in (".", "_") for part in [*folder.split("/"), name])
    if not member.is_file or is_hidden or "." not in name:
        return None
    return posixpath.join(folder, name.partition(".")[0])


def _suffix_of(member: Member) -> str:
    return posixpath.basename(member.name).partition(".")[2].lower()
