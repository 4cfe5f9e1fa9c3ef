"""Files of texts in, by line or as rows with ids and speakers; hypotheses beside their references out.

A file whose name ends in .jsonl, .json (one object) or .tsv (its first line names the columns), compressed or not, has
rows; every other file has a text a line. Of the fields of a row these are known, the first that is there:

    id         id, utterance, file, audio_filepath, audio, path
    text       text, transcript, sentence
    speaker    speaker, speaker_id, client_id
    words      words, or those of all segments: objects with text, begin and end in seconds

Rows of one id are parts of one utterance, in their order.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import without_codec
from seq2seq_core.files.segments import read_segments
from seq2seq_core.listing import expand

_IDS = ("id", "utterance", "file", "audio_filepath", "audio", "path")
_TEXTS = ("text", "transcript", "sentence")
_SPEAKERS = ("speaker", "speaker_id", "client_id")
_NOBODY: Final = ""
_SHOWN = 3


class Timed(NamedTuple):
    """What is said from where to where, in seconds."""

    text: str
    begin: float
    end: float


class Utterances(NamedTuple):
    """Texts in order; ids, each once, where all of them have one; speakers and words where any of them has."""

    texts: list[str]
    ids: list[str] | None = None
    speakers: list[str] | None = None
    words: list[tuple[Timed, ...]] | None = None


class Matched(NamedTuple):
    """Hypotheses beside their references.

    Attributes:
        hypotheses: In the order of the references; empty where there is none.
        references: Those of all utterances.
        ids: Of each reference; its number where it has none.
        speakers: Of each reference, where any is known.
        missing: Ids of references without a hypothesis.
        unknown: Ids of hypotheses without a reference, which nothing can be said of.
        times: The words of hypotheses and of references with their times, where both tell them.
    """

    hypotheses: list[str]
    references: list[str]
    ids: list[str]
    speakers: list[str] | None = None
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    times: tuple[list[tuple[Timed, ...]], list[tuple[Timed, ...]]] | None = None


def read_utterances(patterns: Sequence[str]) -> Utterances:
    """The texts of files or globs in order.

    Raises:
        StorageError: A pattern names no file.
        InputError: A file cannot be read, a row has no text, or some rows have an id and others none.
    """
    urls = [url for pattern in patterns for url in expand(pattern)]
    readers = [_READERS.get(posixpath.splitext(without_codec(url))[1].lower()) for url in urls]
    if not any(readers):
        return Utterances(read_segments(patterns))
    if not all(readers):
        raise InputError(
            "files of rows and files of lines do not go together",
            found=", ".join(map(storage.redact, urls[:_SHOWN])),
            expected="all of them .jsonl, .json or .tsv, or none",
        )
    rows = [row for url, read in zip(urls, readers, strict=True) if read for row in read(url)]
    return _joined(rows)


def match(hypotheses: Utterances, references: Utterances, called: str = "hypotheses") -> Matched:
    """Hypotheses to references: by their ids where both have some, else by their order.

    Where no id of a hypothesis is that of a reference, ids are taken for paths, and their last parts are compared
    without suffix, if these are different for all references.

    Args:
        hypotheses, references: See `Utterances`.
        called: What messages call the hypotheses.

    Raises:
        InputError: Neither has ids, and their numbers differ; or no id fits.
    """
    names = references.ids or [str(number) for number in range(1, len(references.texts) + 1)]
    speakers = references.speakers or hypotheses.speakers
    if hypotheses.ids is None or references.ids is None:
        if len(hypotheses.texts) != len(references.texts):
            raise InputError(
                f"{called} and references do not match",
                found=f"{len(hypotheses.texts)} {called}",
                expected=f"{len(references.texts)}, one a reference",
            )
        return Matched(hypotheses.texts, references.texts, names, speakers)
    keys, wanted = _comparable(hypotheses.ids, references.ids)
    places = {key: place for place, key in enumerate(keys)}
    found = [places.get(key) for key in wanted]
    if speakers is hypotheses.speakers and speakers is not None:
        speakers = [_NOBODY if place is None else speakers[place] for place in found]
    ours, theirs = hypotheses.words, references.words
    times = ([() if place is None else ours[place] for place in found], theirs) if ours and theirs else None
    known = set(wanted)
    return Matched(
        ["" if place is None else hypotheses.texts[place] for place in found],
        references.texts,
        names,
        speakers,
        tuple(name for name, place in zip(names, found, strict=True) if place is None),
        tuple(name for name, key in zip(hypotheses.ids, keys, strict=True) if key not in known),
        times,
    )


def with_speakers(matched: Matched, patterns: Sequence[str]) -> Matched:
    """The same with the speakers of files: a name a line, one for each reference.

    Raises:
        InputError: There are more or fewer.
    """
    names = read_segments(patterns)
    if len(names) != len(matched.references):
        raise InputError(
            "speakers and references do not match",
            found=f"{len(names)} names",
            expected=f"{len(matched.references)}, one a reference",
        )
    return matched._replace(speakers=names)


class _Row(NamedTuple):
    text: str
    id: str | None
    speaker: str | None
    words: tuple[Timed, ...]


def _joined(rows: Sequence[_Row]) -> Utterances:
    nameless = sum(row.id is None for row in rows)
    if nameless and nameless < len(rows):
        raise InputError("some rows have an id and others none", found=f"{nameless} of {len(rows)} without one")
    speakers = [row.speaker or _NOBODY for row in rows]
    if nameless or not rows:
        return Utterances([row.text for row in rows], None, speakers if any(speakers) else None)
    parts: dict[str, list[_Row]] = {}
    for row in rows:
        parts.setdefault(row.id or "", []).append(row)
    joined = [" ".join(row.text for row in found) for found in parts.values()]
    named = [next((row.speaker for row in found if row.speaker), _NOBODY) for found in parts.values()]
    words = [tuple(word for row in found for word in row.words) for found in parts.values()]
    return Utterances(joined, list(parts), named if any(named) else None, words if any(words) else None)


def _comparable(hypotheses: Sequence[str], references: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    if not set(references).isdisjoint(hypotheses):
        return hypotheses, references
    stems = [[_stem(name) for name in names] for names in (hypotheses, references)]
    if len(set(stems[1])) < len(stems[1]) or set(stems[1]).isdisjoint(stems[0]):
        raise InputError(
            "no hypothesis has the id of a reference",
            found=", ".join(hypotheses[:_SHOWN]) or "no hypotheses",
            expected=", ".join(references[:_SHOWN]) or "nothing, as there are no references",
        )
    return stems[0], stems[1]


def _jsonl(url: str) -> Iterator[_Row]:
    for number, line in enumerate(read_segments([url]), start=1):
        if line.strip():
            yield _row(_object(line, where := f"{storage.redact(url)}:{number}"), where)


def _json(url: str) -> Iterator[_Row]:
    """One object; without an id of its own it is called as its file is."""
    where = storage.redact(url)
    row = _row(_object("\n".join(read_segments([url])), where), where)
    yield row if row.id else row._replace(id=_stem(without_codec(url)))


def _tsv(url: str) -> Iterator[_Row]:
    """Columns by the names in the first line; nothing is quoted.

    Rows with times and without an id are the segments of one recording, which is called as its file is.
    """
    stem = _stem(without_codec(url))
    names: list[str] | None = None
    for number, line in enumerate(read_segments([url]), start=1):
        cells = line.rstrip("\r").split("\t")
        where = f"{storage.redact(url)}:{number}"
        if names is None:
            names = cells
        elif len(cells) != len(names):
            raise InputError("a row has not one cell a column", where=where, found=len(cells), expected=len(names))
        else:
            row = _row(dict(zip(names, cells, strict=True)), where)
            yield row._replace(id=row.id or stem) if "start" in names else row


_READERS: Final[Mapping[str, Callable[[str], Iterator[_Row]]]] = {".jsonl": _jsonl, ".json": _json, ".tsv": _tsv}


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("the row is not JSON", where=where, found=error) from None
    if not isinstance(found, dict):
        raise InputError("the row is no object", where=where, found=type(found).__name__)
    return found


def _row(values: Mapping[str, Any], where: str) -> _Row:
    text = _first(values, _TEXTS)
    if not isinstance(text, str):
        raise InputError(
            "the row has no text", where=where, found=", ".join(map(str, values)), expected=" or ".join(_TEXTS)
        )
    name, speaker = _first(values, _IDS), _first(values, _SPEAKERS)
    return _Row(text, _name(name), _name(speaker), tuple(_words(values)))


def _words(values: Mapping[str, Any]) -> Iterator[Timed]:
    """The words of a row that have times; what is none of them is passed over."""
    segments = [values, *(values["segments"] if isinstance(values.get("segments"), list) else [])]
    for segment in segments:
        words = segment.get("words") if isinstance(segment, dict) else None
        for word in words if isinstance(words, list) else ():
            match word:
                case {"text": str(text), "begin": int() | float() as begin, "end": int() | float() as end}:
                    yield Timed(text, float(begin), float(end))


def _stem(path: str) -> str:
    return posixpath.splitext(posixpath.basename(path))[0]


def _first(values: Mapping[str, Any], names: Sequence[str]) -> object:
    return next((values[name] for name in names if values.get(name) is not None), None)


def _name(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and str(value) else None
