"""Lines of JSON in, their texts out; and the lines with translations spliced in, every other byte as it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from seq2seq_core.inference.records.content import Content, RecordFailure, excerpt
from seq2seq_core.inference.records.fields import Fields
from seq2seq_core.inference.records.lines import BYTE_ORDER_MARK, join_lines
from seq2seq_core.inference.translator import Prediction

# Numbers are never used: reading them as floats avoids the interpreter's limit on the digits of integers.
_decoder = json.JSONDecoder(parse_int=float)


class _UnusableError(Exception):
    """Why a line has no text; `lost` says that not even its other fields can be kept."""

    def __init__(self, reason: str, *, lost: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lost = lost


def parse_jsonl(lines: list[bytes], fields: Fields, *, ends_line: bool) -> Content[list[bytes]]:
    """The text of each line. Blank lines pass through; null is no failure; a lost line becomes an empty object."""
    texts: list[str | None] = []
    failures: list[RecordFailure] = []
    carrier = list(lines)
    for record, line in enumerate(lines):
        try:
            texts.append(_text_of(line, fields))
        except _UnusableError as unusable:
            texts.append(None)
            failures.append(RecordFailure(record, unusable.reason, excerpt(line)))
            if unusable.lost:
                carrier[record] = b"{}\r" if line.endswith(b"\r") else b"{}"
    return Content(texts, failures, carrier, ends_line)


def render_jsonl(content: Content[list[bytes]], predictions: Sequence[Prediction | None], fields: Fields) -> bytes:
    """As many lines as were read: the added fields stand last in each object, null where a record failed."""
    names = [json.dumps(name, ensure_ascii=False) for name in fields.added]
    lines = [_splice(line, names, fields.values(p)) for line, p in zip(content.carrier, predictions, strict=True)]
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
    if not found or any(_has_text(entry, fields.path_in(entry)) for entry in objects):
        return None
    return f"fields {', '.join(names)}" if objects else "no JSON object in a line"


def _text_of(line: bytes, fields: Fields) -> str | None:
    if not line.strip():
        return None
    found = _load(line)
    if not isinstance(found, dict):
        raise _UnusableError(f"not a JSON object but {_kind(found)}", lost=True)
    taken = [name for name in fields.added if name in found]
    if taken:
        raise _UnusableError(f"the field {taken[0]!r} is there already", lost=True)
    text = _lookup(found, fields.path_in(found))
    if text is None:
        return None
    if not isinstance(text, str):
        raise _UnusableError(f"the field {fields.text!r} is {_kind(text)}, not a string", lost=False)
    # Only an escape can name half a surrogate pair.
    if b"\\u" in line and not _is_encodable(text):
        raise _UnusableError(f"the field {fields.text!r} holds half a surrogate pair", lost=False)
    return text


def _load(line: bytes) -> Any:
    try:
        return _decoder.decode(line.removeprefix(BYTE_ORDER_MARK).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _UnusableError(f"not UTF-8: byte {error.start + 1} of the line", lost=True) from None
    except json.JSONDecodeError as error:
        raise _UnusableError(f"not JSON: {error.msg} at character {error.pos + 1}", lost=True) from None
    except RecursionError:
        raise _UnusableError("not readable JSON: nested too deeply", lost=True) from None


def _try_load(line: bytes) -> object:
    try:
        return _load(line)
    except _UnusableError:
        return None


def _lookup(found: dict[str, Any], path: Sequence[str]) -> object:
    value: object = found
    for step in path:
        if not isinstance(value, dict) or step not in value:
            raise _UnusableError(f"the field {'.'.join(path)!r} is missing", lost=False)
        value = value[step]
    return value


def _has_text(found: dict[str, Any], path: Sequence[str]) -> bool:
    try:
        return isinstance(_lookup(found, path), str | None)
    except _UnusableError:
        return False


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
