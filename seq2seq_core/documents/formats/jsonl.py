"""Lines of JSON in, their texts out; and the lines with translations spliced in, every other byte as it was."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq_core.documents.content import MAX_RECORD_BYTES, Content, RecordFailure, excerpt
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.lines import BYTE_ORDER_MARK, LineFormat, count_lines, join_lines, read_lines
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import SAMPLE_RECORDS, CountedInput, InputFile, RecordRange, UnitSize
from seq2seq_core.files.compression import compress
from seq2seq_core.files.fields import MISSING, lookup, parts_of

# Numbers are never used: reading them as floats avoids the interpreter's limit on the digits of integers.
_decoder = json.JSONDecoder(parse_int=float)
_COLON = re.compile(rb"[ \t\r]*:")


class JsonlFormat(LineFormat):
    """A JSON object a line."""

    called = "JSONL"
    suffixes = (".jsonl", ".ndjson")

    def count(self, file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
        return count_jsonl(file, size, fields)

    def read(self, file: InputFile, part: RecordRange, fields: Fields) -> Content[list[bytes]]:
        lines, ends_line = read_lines(file, part)
        return parse_jsonl(lines, fields, ends_line=ends_line)

    def render(
        self, file: InputFile, content: Content[list[bytes]], predictions: Sequence[Prediction | None], fields: Fields
    ) -> bytes:
        return compress(render_jsonl(content, predictions, fields), file.codec)


class _UnusableError(Exception):
    """Why a line has no text; `lost` says that it is no object, `full` that nothing can be added to it."""

    def __init__(self, reason: str, *, lost: bool = False, full: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lost = lost
        self.full = full


class NameWatch:
    """Looks for a field to be added in all lines of a file, whose blocks come one by one."""

    def __init__(self, fields: Fields, where: str) -> None:
        self._fields = fields
        self._where = where
        self._keys = {json.dumps(name, ensure_ascii=plain).encode() for name in fields.added for plain in (True, False)}
        self._rest: list[bytes] = []
        self._held = 0
        self._line = 1

    def __call__(self, block: bytes) -> None:
        """Look at the lines that end in a block.

        Raises:
            InputError: One of them has such a field.
        """
        whole, newline, tail = block.rpartition(b"\n")
        if newline:
            self._hold(whole)
            self.finish()
            self._line += whole.count(b"\n") + 1
        self._hold(tail)

    def finish(self) -> None:
        """Look at what came after the last line end, too."""
        data = b"".join(self._rest)
        self._rest, self._held = [], 0
        for start, end in sorted({hit for key in self._keys for hit in _lines_with(data, key)}):
            found = _try_load(data[start:end])
            if isinstance(found, dict) and not found.keys().isdisjoint(self._fields.added):
                line = self._line + data.count(b"\n", 0, start)
                self._fields.refuse_collision(found, f"{self._where}, line {line}")

    def _hold(self, more: bytes) -> None:
        # The beginning of a line that is longer than a record may be does not parse, and need not.
        if self._held <= MAX_RECORD_BYTES:
            self._rest.append(more)
            self._held += len(more)


def count_jsonl(file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
    """Count, digest and cut a file of JSON lines, and look at the first of them.

    Raises:
        InputError: As `count_lines`, or a field to be added is there already.
    """
    watch = NameWatch(fields, file.where)
    counted = count_lines(file, size, watch)
    watch.finish()
    lines, _ = read_lines(file, counted.ranges[0])
    return dataclasses.replace(counted, doubt=doubt_jsonl(lines[:SAMPLE_RECORDS], fields, file.where))


def parse_jsonl(lines: list[bytes], fields: Fields, *, ends_line: bool) -> Content[list[bytes]]:
    """The text of each line. Blank lines pass through, and null is no failure.

    An object that has an added field already stays as it is. In the place of a line that is no object there is an
    empty one, for the output to be readable, and the failure holds the line.
    """
    texts: list[str | None] = []
    failures: list[RecordFailure] = []
    carrier = list(lines)
    untouched: set[int] = set()
    prefixes: dict[int, str] = {}
    for record, line in enumerate(lines):
        try:
            text, prefix = _texts_of(line, fields)
            texts.append(text)
            if prefix:
                prefixes[record] = prefix
        except _UnusableError as unusable:
            texts.append(None)
            whole = line if unusable.lost and len(line) <= MAX_RECORD_BYTES else None
            failures.append(RecordFailure(record, unusable.reason, excerpt(line), whole))
            if unusable.lost:
                carrier[record] = b"{}\r" if line.endswith(b"\r") else b"{}"
            if unusable.full:
                untouched.add(record)
    return Content(texts, failures, carrier, ends_line, frozenset(untouched), prefixes=prefixes)


def render_jsonl(content: Content[list[bytes]], predictions: Sequence[Prediction | None], fields: Fields) -> bytes:
    """As many lines as were read: the added fields stand last in each object, null where a record failed."""
    names = [json.dumps(name, ensure_ascii=False) for name in fields.added]
    lines = [
        line if record in content.untouched else _splice(line, names, fields.values(prediction))
        for record, (line, prediction) in enumerate(zip(content.carrier, predictions, strict=True))
    ]
    return join_lines(lines, ends_line=content.ends_line)


def doubt_jsonl(lines: Sequence[bytes], fields: Fields, where: str) -> str | None:
    """What the first lines of a file lack when none of them has a text; None when all is well.

    Raises:
        InputError: A field to be added is there already.
    """
    found = [_try_load(line) for line in lines if line.strip()]
    objects = [entry for entry in found if isinstance(entry, dict)]
    names = list(dict.fromkeys(name for entry in objects for name in entry))
    fields.refuse_collision(names, where)
    if not found or any(_has_text(entry, fields) for entry in objects):
        return None
    return f"fields {', '.join(names)}" if objects else "no JSON object in a line"


def _texts_of(line: bytes, fields: Fields) -> tuple[str | None, str | None]:
    """The text, and what its translation begins with."""
    if not line.strip():
        return None, None
    if len(line) > MAX_RECORD_BYTES:
        raise _UnusableError(f"longer than {MAX_RECORD_BYTES >> 20} MiB", lost=True)
    found = _load(line)
    if not isinstance(found, dict):
        raise _UnusableError(f"not a JSON object but {_kind(found)}", lost=True)
    taken = [name for name in fields.added if name in found]
    if taken:
        raise _UnusableError(f"the field {taken[0]!r} is there already", full=True)
    # Only an escape can name half a surrogate pair.
    text, *prefix = [_string(found, name, may_be_half=b"\\u" in line) for name in fields.read]
    return text, prefix[0] if prefix else None


def _string(found: dict[str, Any], name: str, *, may_be_half: bool) -> str | None:
    text = lookup(found, parts_of(name))
    if text is MISSING:
        raise _UnusableError(f"the field {name!r} is missing")
    if text is not None and not isinstance(text, str):
        raise _UnusableError(f"the field {name!r} is {_kind(text)}, not a string")
    if text is not None and may_be_half and not _is_encodable(text):
        raise _UnusableError(f"the field {name!r} holds half a surrogate pair")
    return text


def _load(line: bytes) -> Any:
    try:
        return _decoder.decode(line.removeprefix(BYTE_ORDER_MARK).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _UnusableError(f"not UTF-8: byte {error.start + 1} of the line", lost=True) from None
    except json.JSONDecodeError as error:
        raise _UnusableError(
            f"not JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}", lost=True
        ) from None
    except RecursionError:
        raise _UnusableError("not readable JSON: nested too deeply", lost=True) from None


def _lines_with(data: bytes, key: bytes) -> Iterator[tuple[int, int]]:
    """Where the lines stand that hold a key, wherever in them."""
    place = data.find(key)
    while place >= 0:
        end = place + len(key)
        if _COLON.match(data, end):
            start, end = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place)
            end = len(data) if end < 0 else end
            yield start, end
        place = data.find(key, end)


def _try_load(line: bytes) -> object:
    try:
        return _load(line)
    except _UnusableError:
        return None


def _has_text(found: dict[str, Any], fields: Fields) -> bool:
    return all(isinstance(lookup(found, parts_of(name)), str | None) for name in fields.read)


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "true or false", float: "a number"}
    return kinds.get(type(value), "null")


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _splice(line: bytes, names: Sequence[str], values: Sequence[object]) -> bytes:
    end = line.rfind(b"}")
    if end < 0:
        return line
    pairs = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in zip(names, values, strict=True)]
    comma = b"" if line[:end].rstrip().endswith(b"{") else b", "
    return line[:end] + comma + ", ".join(pairs).encode("utf-8") + line[end:]
